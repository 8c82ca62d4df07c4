"""The house rules that a machine can hold: layers, who may do IO, sizes of files, docstrings."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent / "pycache_server"
LAYERS = {
    "errors": 0,
    "entry": 0,
    "settings": 0,
    "words": 0,
    "plugins": 0,
    "resp": 1,
    "evict": 1,
    "acl": 1,
    "election": 1,
    "store": 2,
    "rdb": 3,
    "persist": 4,
    "repl": 2,
    "commands": 4,
    "scripting": 5,
    "session": 5,
    "server": 6,
    "coordinator": 2,
    "sentinel": 5,
    "client": 6,
    "testing": 6,
    "cli": 7,
    "__main__": 8,
}
IO_MODULES = {"asyncio", "socket", "time", "random", "os", "threading", "subprocess", "signal", "selectors", "ssl"}
IO_FROM = 6
LONGEST_FILE = 600


def modules() -> list[Path]:
    return sorted(path for path in ROOT.rglob("*.py") if path != ROOT / "__init__.py")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


def layer_of(path: Path) -> int:
    part = path.relative_to(ROOT).parts[0]
    return LAYERS[part.removesuffix(".py")]


@cache
def tree_of(path: Path) -> ast.Module:
    """A file, parsed."""
    return ast.parse(path.read_text())


@cache
def imports(path: Path) -> list[str]:
    """Modules that a file imports when it runs: not those for type checkers alone."""
    return list(_imported(tree_of(path)))


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in _running(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _running(tree: ast.AST) -> Iterator[ast.AST]:
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, ast.If) and isinstance(child.test, ast.Name) and child.test.id == "TYPE_CHECKING":
            continue
        yield child
        yield from _running(child)


def test_a_module_imports_only_from_lower_layers_or_its_own_folder() -> None:
    assert not [f"{name_of(path)} imports {module}" for path in modules() for module in _imports_from_above(path)]


def _imports_from_above(path: Path) -> Iterator[str]:
    own = path.relative_to(ROOT).parts[0]
    for module in imports(path):
        package, _, rest = module.partition(".")
        if package == "pycache_server" and rest:
            part = rest.split(".")[0]
            same_folder = part == own or LAYERS[part] == layer_of(path) == 0  # layer 0 is the package's own folder
            if not same_folder and LAYERS[part] >= layer_of(path):
                yield module


def test_no_clock_random_socket_or_thread_below_the_server() -> None:
    below = [path for path in modules() if layer_of(path) < IO_FROM]
    used = {name_of(path): {module.split(".")[0] for module in imports(path)} & IO_MODULES for path in below}
    assert not {name: found for name, found in used.items() if found}


def test_a_file_is_not_too_long() -> None:
    lines = {name_of(path): path.read_text().count("\n") for path in modules()}
    assert not {name: count for name, count in lines.items() if count > LONGEST_FILE}


def test_a_file_opens_with_its_theory() -> None:
    assert not [name_of(path) for path in modules() if not ast.get_docstring(tree_of(path))]


def test_public_functions_and_classes_have_docstrings() -> None:
    assert not [f"{name_of(path)}: {name}" for path in modules() for name in _without_docstring(tree_of(path))]


def _without_docstring(tree: ast.Module) -> Iterator[str]:
    classes = [node for node in ast.walk(tree) if isinstance(node, ast.ClassDef) and not _is_error(node)]
    functions = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    for node in (*classes, *functions):
        if node.name[0] != "_" and not ast.get_docstring(node):
            yield node.name


def _is_error(node: ast.ClassDef) -> bool:
    return all(isinstance(statement, ast.Assign) for statement in node.body)


def test_the_package_has_no_circular_imports_within_a_folder() -> None:
    graph = {name_of(path)[:-3].replace("/", "."): set[str]() for path in modules()}
    for path in modules():
        own = name_of(path)[:-3].replace("/", ".")
        for module in imports(path):
            target = module.removeprefix("pycache_server.")
            if target in graph and target != own:
                graph[own].add(target)
    done: set[str] = set()

    def visit(node: str, trail: tuple[str, ...]) -> None:
        assert node not in trail, " -> ".join((*trail, node))
        if node not in done:
            for target in sorted(graph[node]):
                visit(target, (*trail, node))
            done.add(node)

    for start in graph:
        visit(start, ())
