"""EVAL and its relatives, SCRIPT, FUNCTION, FCALL: scripts of a small grammar, and commands of other families in them.

A script is an expression whose value is returned, some statements before it, or one of the odd ones of ``SCRIPTS``.
"""

from __future__ import annotations

from hypothesis import strategies as st

from tests.differential import family_hashes, family_lists, family_sets, family_strings, family_zsets
from tests.differential.strategies import INTEGERS, KEYS, SMALL, VALUES, Command, some, spoiled, words

_LITERALS = r"""
nil true false 0 1 -1 3.99 -3.5 1e15 1e17 0.1 1e300 -1e300 1/0 -1/0 2^53 2^63 -2^63 'x' '' '10' '0x10' '\327' 'a\32b'
'\0\255' '1e400' KEYS[1] ARGV[1] KEYS ARGV {} cjson.null
"""
LITERALS = st.sampled_from(_LITERALS.split())
_LIBRARY_CALLS = (
    "bit.band({0},{1})",
    "bit.bor({0},{1})",
    "bit.bxor({0},{1})",
    "bit.bnot({0})",
    "bit.tobit({0})",
    "bit.tohex({0},{1})",
    "bit.bswap({0})",
    "bit.lshift({0},{1})",
    "bit.rshift({0},{1})",
    "bit.arshift({0},{1})",
    "bit.rol({0},{1})",
    "bit.ror({0},{1})",
    "cjson.encode({0})",
    "cjson.encode({{{0},{1}}})",
    "cjson.encode({{a={0}}})",
    "cjson.decode({0})",
    'cjson.encode(cjson.decode(\'[1,2.5,"x",null,true,{{"a":[]}}]\'))',
    "cmsgpack.pack({0},{1})",
    "cmsgpack.pack({{{0},{1}}})",
    "cmsgpack.pack({{a={0}}})",
    "{{cmsgpack.unpack(cmsgpack.pack({0},{1},{{1,2}}))}}",
    "{{cmsgpack.unpack_one(cmsgpack.pack({0},{1}),{2})}}",
    "{{cmsgpack.unpack_limit(cmsgpack.pack({0},{1}),{2},{3})}}",
    "struct.pack({4},{0},{1},{0})",
    "{{struct.unpack({4},{5})}}",
    "{{struct.unpack({4},{5},{2})}}",
    "struct.size({4})",
    "tostring({0} == nil)",
    "tonumber({0})",
    "type({0})",
    "#{0}",
    "{0} .. {1}",
    "{0} + {1}",
    "{0} < {1}",
    "{0} == {1}",
    "redis.sha1hex('x' .. {0})",
    "redis.error_reply({0})",
    "redis.status_reply({0})",
    "redis.acl_check_cmd({0})",
    "string.rep({0},{2})",
    "string.sub({0},{2},{3})",
    "string.format('%s|%q',{0},{1})",
    "string.format('%d|%5.2f|%x',{0},{1},{2})",
    "string.byte({0})",
    "({0}):upper()",
    "({0}):rep({2})",
    "{{string.find({0},{1})}}",
    "string.gsub({0},'%w','<%0>')",
    "table.concat({{{0},{1}}},',')",
    "select({2},{0},{1})",
    "{{pcall(error,'x' .. {0})}}",
    "{{pcall(redis.call,{0},{1})}}",
    "redis.pcall({0},{1})",
    "redis.call({0},{1})",
    "math.floor({0})",
    "math.max({0},{1})",
    "{{math.modf({0})}}",
    "unpack({{{0},{1}}})",
    "rawget({0},{1})",
    "rawset({{}},{0},{1})",
    "next({0})",
    "getmetatable({0})",
    "setmetatable({0},{1})",
    "{{xpcall(function() return {0} .. {1} end, function(e) return 'caught ' .. e end)}}",
    "coroutine.wrap(function() return {0} + {1} end)()",
    "loadstring('return ' .. {0})()",
    "{{loadstring({0})}}",
    "collectgarbage({0}) and 1",
    "{{err={0}}}",
    "{{ok={0}}}",
    "{{double={0}}}",
    "{{big_number='12345678901234567890'}}",
    "{{map={{[{6}]={0}}}}}",
    "{{set={{[{6}]=true}}}}",
    "{{verbatim_string={{format='txt',string={0}}}}}",
    "{{{0},{{{1},{{ok='fine'}}}},{{err='ERR bad'}},nil,5}}",
    "foo",
    "foo({0})",
    "redis.foo",
    "redis.foo()",
    "({0}).x.y",
    "redis.log({0},{1})",
    "redis.setresp({0})",
    "redis.set_repl({0})",
    "error('x' .. {0})",
    "assert({0},'no')",
)
_FORMAT_TEXTS = """
'b' '>I2' '<i4' 'BB' '>hHlL' '!4bi' 'c3' 's' 'c0' 'bc0' 'd' '>f' 'i3' '>I16' '!3b' 'I33' 'x' 'bxb' 'z' '' '!' 'c'
"""
_FORMATS = st.sampled_from(_FORMAT_TEXTS.split())
_DATA = st.sampled_from(("'\\1\\2\\3\\4\\5\\6\\7\\8\\9\\10'", "'abc\\0def'", "'\\255\\254'", "''", "5", "nil"))
_KEY_LITERALS = st.sampled_from(("'f'", "1", "2.5", "true"))
_JSON_TEXTS = r"""
[1,2,3]  {"a":1,"b":[true,false,null]}  []  {}  "\u00e9\ud83d\ude00"  "\ud83d"  nul  1 2  [1,]  {"a"}  -  -0  01
0x1F  1e5  nan  Infinity  -inf  tru  "\x"  "abc  [1  {"a":1,}  [[[[1]]]]  1.  .5  +1  1e  1e400  {"1":1}  [nan]
'x'  [1 2]  {"a" 1}  {1:2}  ""  "a\tb\/\\"  [1}  {"a":[{"b":{}}]}  ,  :  truefalse  1x  [1]x
"""
_ODD_JSON = ("", "\t[ 1 ]\n", '"\x01"', "\x00", "[1]\x00", '"\x00"', '"\n"', "\xff")
_JSON = st.sampled_from((*_JSON_TEXTS.split("  "), *_ODD_JSON))


def _lua(data: bytes) -> str:
    """A literal of Lua."""
    return "'" + "".join(chr(byte) if chr(byte).isalnum() else f"\\{byte:03d}" for byte in data) + "'"


def _expression() -> st.SearchStrategy[str]:
    arguments = st.tuples(
        LITERALS,
        LITERALS,
        st.sampled_from(("0", "1", "2", "3", "-1", "nil", "'x'")),
        st.sampled_from(("0", "1", "2", "9", "-1")),
        _FORMATS,
        _DATA,
        _KEY_LITERALS,
    )
    return st.tuples(st.sampled_from(_LIBRARY_CALLS), arguments).map(lambda drawn: drawn[0].format(*drawn[1]))


_OTHERS = st.deferred(
    lambda: st.one_of(
        spoiled(family_strings.commands()),
        spoiled(family_lists.commands()),
        spoiled(family_hashes.commands()),
        spoiled(family_sets.commands()),
        spoiled(family_zsets.commands()),
    )
).filter(lambda argv: argv[0].upper() not in _EXCLUDED)
"""Commands of other families; deferred, since hypothesis would write down what they are made of, which is long."""


def _command_call() -> st.SearchStrategy[str]:
    """redis.call or redis.pcall of a command of another family."""
    return st.tuples(st.sampled_from(("call", "pcall")), _OTHERS).map(
        lambda drawn: f"redis.{drawn[0]}({','.join(map(_lua, drawn[1]))})"
    )


_EXCLUDED = frozenset(
    b"SPOP SRANDMEMBER HRANDFIELD ZRANDMEMBER SSCAN HSCAN ZSCAN SCAN "
    b"BLPOP BRPOP BLMOVE BRPOPLPUSH BLMPOP BZPOPMIN BZPOPMAX BZMPOP".split()
)
"""Commands that choose at random, and those that block, which 7.0 does not allow in scripts."""
_UNORDERED = frozenset(
    (b"SMEMBERS", b"SDIFF", b"SINTER", b"SUNION", b"HGETALL", b"HKEYS", b"HVALS", b"KEYS", b"OBJECT", b"MEMORY")
)


def _scripts() -> st.SearchStrategy[str]:
    statement = st.one_of(
        _command_call().map(lambda call: f"local v = {call} "),
        st.sampled_from(("redis.setresp(3) ", "local t = {} ", "x = 1 ", "KEYS[1] = 'z' ", "KEYS = {} ", "\n\n", "")),
    )
    value = st.one_of(_expression(), _expression(), _command_call().filter(_is_ordered), LITERALS)
    body = st.tuples(statement, value, st.sampled_from(("return ", "return ", "return {", "local x = ", ""))).map(
        lambda drawn: drawn[0] + drawn[2] + drawn[1] + ("}" if drawn[2].endswith("{") else "")
    )
    head = st.sampled_from(
        (
            "",
            "",
            "",
            "#!lua\n",
            "#!lua flags=no-writes\n",
            "#!lua flags=allow-oom,no-cluster\n",
            "#!lua flags=x\n",
            "#!x\n",
            "#!lua a=b\n",
        )
    )
    json = _JSON.map(lambda text: f"local v = cjson.decode({_lua(text.encode('latin-1'))}) return {{type(v), v}}")
    return st.one_of(st.tuples(head, body).map("".join), st.tuples(head, body).map("".join), json)


def _is_ordered(call: str) -> bool:
    return not any(f"'{name.decode()}'" in call.upper() for name in _UNORDERED)


_TWO = b"""#!lua name=two
local function g(keys, args) return redis.call('incr', keys[1]) end
redis.register_function{function_name='g', callback=g, flags={'no-writes'}, description='counts'}
"""
_OTHER_TWO = b"""#!lua name=two
redis.register_function('h', function(keys, args) return redis.call('set', keys[1], args[1]) end)
"""
LIBRARIES = st.sampled_from(
    [
        b"#!lua name=one\nredis.register_function('f', function(keys, args) return {#keys, keys[1], args[1]} end)",
        _TWO,
        _OTHER_TWO,
        b"#!lua name=three\nredis.register_function('f', function(keys, args) error('boo') end)",
        b"#!lua name=four\nredis.register_function('a-b', function() end)",
        b"#!lua name=four\nlocal x = redis.call",
        b"#!lua name=four\nfoo = 1",
        b"#!lua name=four\nreturn 1",
        b"#!lua name=4-\nreturn 1",
        b"#!lua\nreturn 1",
        b"return 1",
        b"#!lua name=four\nreturn 1 +",
    ]
)
FUNCTIONS = st.sampled_from([b"f", b"g", b"h", b"nope"])
_SHAS = st.sampled_from(
    [b"e0e1f9fabfc9d4800c877a703b823ac0578ff8db", b"E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", b"x"]
)
_COUNTS = st.one_of(st.just(b"1"), st.just(b"1"), st.just(b"1"), INTEGERS)


def commands() -> st.SearchStrategy[Command]:
    """Any command of the family."""
    script = _scripts().map(lambda text: text.encode("latin-1"))
    return spoiled(
        st.one_of(
            words(b"EVAL", script, b"1", KEYS, VALUES),
            words(b"EVAL", script, b"1", KEYS, VALUES),
            words(b"EVAL", script, b"1", KEYS, VALUES),
            words(b"EVAL", script, b"2", KEYS, KEYS, some(VALUES)),
            words(b"EVAL", script, b"0"),
            words(b"EVAL_RO", script, b"1", KEYS, VALUES),
            words(b"EVAL", b"return {KEYS, ARGV}", SMALL, some(VALUES)),
            words(b"EVAL", b"return 1", _COUNTS, KEYS),
            words(st.sampled_from([b"EVALSHA", b"EVALSHA_RO"]), _SHAS, b"0"),
            words(b"SCRIPT", b"LOAD", st.sampled_from([b"return 1", b"return 1 +", b"#!lua x=1\nreturn 1"])),
            words(b"SCRIPT", b"EXISTS", some(_SHAS)),
            words(b"SCRIPT", b"FLUSH", some(st.sampled_from([b"SYNC", b"ASYNC", b"x"]), 0, 2)),
            words(b"SCRIPT", st.sampled_from([b"KILL", b"nope"])),
            words(b"SCRIPT", b"DEBUG", st.sampled_from([b"NO", b"x"])),
            words(b"FUNCTION", b"LOAD", LIBRARIES),
            words(b"FUNCTION", b"LOAD", st.sampled_from([b"REPLACE", b"REPLACE", b"x"]), LIBRARIES),
            words(b"FUNCTION", b"DELETE", st.sampled_from([b"one", b"two", b"three", b"nope"])),
            words(b"FUNCTION", b"FLUSH", some(st.sampled_from([b"SYNC", b"ASYNC", b"x"]), 0, 2)),
            words(
                b"FUNCTION",
                b"LIST",
                b"LIBRARYNAME",
                st.sampled_from([b"one", b"two", b"three"]),
                some(st.just(b"WITHCODE"), 0, 2),
            ),
            words(b"FUNCTION", st.sampled_from([b"STATS", b"KILL", b"nope"])),
            words(st.sampled_from([b"FCALL", b"FCALL", b"FCALL_RO"]), FUNCTIONS, _COUNTS, KEYS, VALUES),
        )
    )
