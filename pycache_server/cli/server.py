"""``pycache-server``: the command line of redis-server, the life of the process.

The first argument that is no option is the configuration file, ``-`` reads one from the standard input; options are
directives with two hyphens in front, and come after the file.
"""

from __future__ import annotations

import asyncio
import glob
import os
import platform
import signal
import sys
from collections.abc import Callable, Iterable
from pathlib import Path

from pycache_server import REDIS_VERSION, __version__
from pycache_server.cli import haproxy, sentinel
from pycache_server.plugins import LoadError
from pycache_server.server.app import App
from pycache_server.server.apply import CannotApply, CannotListen
from pycache_server.server.group.window import open_window
from pycache_server.server.loads import CannotLoad
from pycache_server.server.log import Log
from pycache_server.server.process import daemonize, notify_systemd, remove_pidfile, wants_systemd, write_pidfile
from pycache_server.settings.config import ConfigError, Settings, arguments_to_text

USAGE = """\
Usage: pycache-server [/path/to/redis.conf] [options] [-]
       pycache-server - (read the configuration from the standard input)
       pycache-server -v or --version
       pycache-server -h or --help
       pycache-server /path/to/sentinel.conf --sentinel
       pycache-server --check-system
       pycache-server haproxy-config host:port host:port ... (print a configuration of HAProxy; --help tells more)

Options are directives of redis.conf:
       pycache-server --port 7777
       pycache-server /etc/redis.conf --loglevel verbose --maxmemory 100mb
       echo 'maxmemory 100mb' | pycache-server -
"""


def main(arguments: list[str] | None = None) -> int:
    """Run the program; returns its exit code."""
    arguments = sys.argv[1:] if arguments is None else arguments
    special = _special(arguments)
    if special is not None:
        return special
    if "--sentinel" in arguments:
        return _run_sentinel(arguments)
    settings = Settings()
    try:
        config_file = _load(settings, arguments)
    except ConfigError as error:
        return _config_failure(error)
    except OSError as error:
        print(f"Fatal error, can't open config file '{error.filename}': {error.strerror}", file=sys.stderr)
        return 1
    return _serve(settings, config_file)


def _run_sentinel(arguments: list[str]) -> int:
    try:
        found = sentinel.Startable(arguments)
        if not found.file:
            print(sentinel.NO_FILE, file=sys.stderr)
            return 1
        return _serve(found.settings, found.file, found.app)
    except ConfigError as error:
        return _config_failure(error)
    except OSError as error:
        print(f"Fatal error, can't open config file '{error.filename}': {error.strerror}", file=sys.stderr)
        return 1


def _special(arguments: list[str]) -> int | None:
    """What is no server: version, help, checks. None for everything else."""
    first = arguments[0] if arguments else ""
    if first in ("-v", "--version"):
        print(f"Pycache server v={__version__} python={platform.python_version()} redis_version={REDIS_VERSION}")
        return 0
    if first in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if first == "--check-system":
        return _check_system()
    if first == "haproxy-config":
        return haproxy.main(arguments[1:])
    if first == "--test-memory":
        print("Python cannot test memory; use a tool like memtester.", file=sys.stderr)
        return 1
    return None


def _check_system() -> int:
    """Tell what this installation has."""
    for module in ("uvloop", "setproctitle"):
        try:
            __import__(module)
            print(f"[{module}]...OK")
        except ImportError:
            print(f"[{module}]...not installed: pip install 'pycache-server[full]'")
    return 0


def _load(settings: Settings, arguments: list[str]) -> str:
    """Read the file and the options. Returns the file's absolute path, or nothing.

    Raises ConfigError, OSError.
    """
    config_file = ""
    if arguments and not arguments[0].startswith("-"):
        config_file, arguments = os.path.abspath(arguments[0]), arguments[1:]
        settings.load(Path(config_file).read_text(encoding="utf-8", errors="surrogateescape"), config_file, _include)
    if "-" in arguments:
        settings.load(sys.stdin.read(), "standard input", _include)
        arguments = [argument for argument in arguments if argument != "-"]
    if arguments and not arguments[0].startswith("--"):
        raise ConfigError("command line", 1, arguments[0], "Bad directive or wrong number of arguments")
    settings.load(arguments_to_text(arguments).lstrip("\n"), "command line", _include)
    return config_file


def _include(pattern: str) -> Iterable[tuple[str, str]]:
    """The files that an include names; a pattern may match none, a plain name must be there."""
    paths = sorted(glob.glob(pattern)) if glob.has_magic(pattern) else [pattern]
    for path in paths:
        yield path, Path(path).read_text(encoding="utf-8", errors="surrogateescape")


def _config_failure(error: ConfigError) -> int:
    print(f"\n*** FATAL CONFIG FILE ERROR (Redis {REDIS_VERSION}) ***", file=sys.stderr)
    print(f"Reading the configuration file, at line {error.number} of {error.source}", file=sys.stderr)
    print(f">>> '{error.line}'", file=sys.stderr)
    print(error.problem, file=sys.stderr)
    return 1


def _serve(settings: Settings, config_file: str, make: Callable[[Log, str], App] | None = None) -> int:
    """Run a server until its end; ``make`` makes it of the log and the name of the event loop, where it is no common
    one."""
    try:
        log = Log(settings["loglevel"], settings["logfile"], settings["log-format"])
    except OSError as error:
        print(f"Can't open the log file: {error}", file=sys.stderr)
        return 1
    if settings["daemonize"]:
        daemonize()
    runner, loop_name = _event_loop(settings["event-loop"], log)
    if runner is None:
        return 1
    try:
        with asyncio.Runner(loop_factory=runner) as loop:
            return loop.run(_main(settings, log, config_file, loop_name, make))
    finally:
        log.close()


def _event_loop(wanted: str, log: Log) -> tuple[Callable[[], asyncio.AbstractEventLoop] | None, str]:
    """What makes the event loop, and its name."""
    if wanted != "asyncio":
        try:
            import uvloop
        except ImportError:
            if wanted == "uvloop":
                log.write(
                    "warning", "event-loop is uvloop, which is not installed: pip install 'pycache-server[uvloop]'"
                )
                return None, ""
        else:
            return uvloop.Loop, "uvloop"
    return asyncio.new_event_loop, "asyncio"


async def _main(
    settings: Settings, log: Log, config_file: str, loop_name: str, make: Callable[[Log, str], App] | None
) -> int:
    """Start, wait for the end, stop."""
    pidfile = settings["pidfile"] or ("/var/run/redis.pid" if settings["daemonize"] else "")
    try:
        if make is None:
            app = App(settings, log, config_file, owns_process=True, loop_name=loop_name)
        else:
            app = make(log, loop_name)
    except LoadError as error:
        log.write("warning", str(error))
        return 1
    app.announce()
    stop = asyncio.Event()
    app.stop_requested = stop.set
    _install_signals(app, stop)
    write_pidfile(pidfile, log)
    try:
        if settings["syslog-enabled"]:
            log.use_syslog(settings["syslog-ident"], settings["syslog-facility"])
        await app.start()
    except (CannotListen, CannotApply, OSError) as error:
        log.write("warning", f"{error}")
        log.write("warning", "Failed listening or setting up, aborting.")
        remove_pidfile(pidfile)
        return 1
    supervised = wants_systemd(settings["supervised"])
    if not await _load_data(app, stop):
        await app.stop()
        remove_pidfile(pidfile)
        return 1
    if not stop.is_set():
        app.announce_ready()
        if supervised:
            notify_systemd("STATUS=Ready to accept connections\nREADY=1")
    await stop.wait()
    if supervised:
        notify_systemd("STOPPING=1")
    await app.stop()
    remove_pidfile(pidfile)
    log.write("warning", "Pycache is now ready to exit, bye bye...")
    return 0


async def _load_data(app: App, stop: asyncio.Event) -> bool:
    """Load the data set, unless the server is to end before that is done. False where it cannot be had."""
    loading, stopping = asyncio.ensure_future(app.load()), asyncio.ensure_future(stop.wait())
    await asyncio.wait((loading, stopping), return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not loading.done():
        loading.cancel()
    try:
        await loading
        await open_window(app)
    except asyncio.CancelledError:
        return True
    except (CannotLoad, CannotListen):  # the log tells
        return False
    except Exception as error:
        app.core.report_failure("loading the data set", error)
        return False
    return True


def _install_signals(app: App, stop: asyncio.Event) -> None:
    """TERM and INT end the server gracefully, a second one at once; HUP opens the log again."""
    loop = asyncio.get_running_loop()

    def end(name: str) -> None:
        if stop.is_set() or app.ending.waits:
            app.log.write("warning", f"Received {name} again: exiting at once.")
            os._exit(1)
        app.log.write("warning", f"Received {name} scheduling shutdown...")
        wanted = app.settings[f"shutdown-on-{name.lower()}"].split()
        if app.ending.request(wanted) is False:
            app.log.write(
                "warning",
                f"{name} received but errors trying to shut down the server, check the logs for more information",
            )

    def reopen() -> None:
        try:
            app.log.reopen()
        except OSError as error:
            app.log.write("warning", f"Cannot open the log again: {error.strerror}")

    for name in ("SIGTERM", "SIGINT"):
        number = getattr(signal, name)
        try:
            loop.add_signal_handler(number, end, name)
        except NotImplementedError:  # Windows
            signal.signal(number, lambda *_, name=name: loop.call_soon_threadsafe(end, name))
    if hasattr(signal, "SIGHUP"):
        loop.add_signal_handler(signal.SIGHUP, reopen)
