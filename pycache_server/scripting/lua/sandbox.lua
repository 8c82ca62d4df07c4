-- What a script sees, and how it is run.
--
-- The globals of a script are not Lua's: they are tables of their own, with what is harmless in them, and everything
-- of Lua's that is not harmless is gone from this state when this file has run. Whatever a script shares with others
-- (the globals, the libraries, the metatable of strings) it sees through proxies: empty tables, whose metatables look
-- things up in the true ones and refuse to write. Lua's functions that go past metatables have doubles here that know
-- the proxies.
--
-- Functions of this file are named '=redis' for Lua, and an error is one of the script's line that has called them.

local host = ...          -- functions of the server: see engine.py
local lua = {}            -- Lua's own functions, while they can be reached
for name, value in pairs(_G) do lua[name] = value end
local debug, string, table, math, coroutine = lua.debug, lua.string, lua.table, lua.math, lua.coroutine
local type, error, select, next, tonumber, tostring = type, error, select, next, tonumber, tostring
local pcall, xpcall, setmetatable, rawget, rawset, unpack = pcall, xpcall, setmetatable, rawget, rawset, unpack
local loadstring, setfenv, getinfo, sethook = loadstring, setfenv, debug.getinfo, debug.sethook
local find, format, gsub, floor, concat = string.find, string.format, string.gsub, math.floor, table.concat
local getmetatable = getmetatable

-- Python gives values to this state outside of Lua's protection: an allocation that fails there ends the process. So
-- nothing of Python's is called while less than a margin is left.
local soft = host.soft -- kilobytes
local gcinfo = gcinfo

local function make_room()
    lua.collectgarbage('collect')
    if gcinfo() > soft then error('not enough memory', 0) end
end

function host.set_soft(size) soft = size end

local MANY = 4000

local function guarded(outer)
    return function(...)
        if gcinfo() > soft then make_room() end
        return outer(...)
    end
end

-- redis.call and redis.pcall: ``raise`` and ``returned`` get what is no plain value (api.lua). They are the functions that
-- scripts call most, so the guard stands in them: 0.1 us less than one more call of a function with any arguments.
-- Of many words Lua's stack has no room for a call beside those that the script has put on it: they go in a table.
function host.caller(special)
    local outer, with_many, select = host.invoke, host.invoke_many, select
    return function(...)
        if gcinfo() > soft then make_room() end
        local value, kind
        local count = select('#', ...)
        if count < MANY then value, kind = outer(...) else value, kind = with_many({...}, count) end
        if kind == nil then return value end
        return special(value, kind)
    end
end

for _, name in pairs {
    'log', 'sha1hex', 'setresp', 'set_repl', 'acl_check_cmd', 'register', 'encode_double', 'pack_float',
    'pack_double', 'unpack_float', 'unpack_double', 'is_float', 'pack_integer', 'unpack_integer', 'bits', 'keep_frames',
} do
    host[name] = guarded(host[name])
end

-- Proxies ---------------------------------------------------------------------------------------------------------------

local true_table = setmetatable({}, {__mode = 'k'})     -- proxy -> what it stands for
local shown_metatable = setmetatable({}, {__mode = 'k'}) -- proxy -> what getmetatable shows

local READONLY = 'Attempt to modify a readonly table'

local function refuse_write()
    error(READONLY, 2)
end

local function protect(content, shown)
    local proxy = setmetatable({}, {__index = content, __newindex = refuse_write, __metatable = false})
    true_table[proxy] = content
    shown_metatable[proxy] = shown
    return proxy
end

local function missing_global(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
end

-- Globals: a name that is not there is an error. Of ``names`` a script that reads over them sees all.
local function make_globals(content)
    local shown = protect({__index = missing_global})
    setmetatable(content, {__index = missing_global})
    local proxy = setmetatable({}, {__index = content, __newindex = refuse_write, __metatable = false})
    true_table[proxy] = content
    shown_metatable[proxy] = shown
    return proxy
end

-- Complain about an argument as a function of Lua's library does, on the line that has called the function that calls
-- this; ``deeper`` tells how many more functions are in between.
local function complain(number, name, what, deeper)
    local level = 4 + (deeper or 0)
    if getinfo(level - 1, 'n').namewhat == 'method' then
        number = number - 1
        if number == 0 then error(format("calling '%s' on bad self (%s)", name, what), level) end
    end
    error(format("bad argument #%d to '%s' (%s)", number, name, what), level)
end

local function bad_argument(number, name, what, deeper)
    complain(number, name, what, deeper)
end

local function expected(number, name, wanted, count, value, deeper)
    local got = count < number and 'no value' or type(value)
    complain(number, name, format('%s expected, got %s', wanted, got), deeper)
end

local base = {}
for _, name in pairs {
    'assert', 'tostring', 'error', 'rawequal', 'select', 'tonumber', 'type', 'unpack', 'ipairs', 'gcinfo',
    '_VERSION',
} do
    base[name] = lua[name]
end

local null = newproxy(true)
do
    local meta = getmetatable(null)
    meta.__tostring = function() return 'userdata: (nil)' end
    meta.__metatable = false
end
host.null = null

local string_metatable = protect({})

function base.getmetatable(...)
    if select('#', ...) == 0 then bad_argument(1, 'getmetatable', 'value expected') end
    local value = ...
    if true_table[value] then return shown_metatable[value] end
    if type(value) == 'string' then return string_metatable end
    if value == null or value == nil then return nil end
    return (getmetatable(value))
end
true_table[null] = nil

function base.setmetatable(...)
    local target, meta = ...
    if type(target) ~= 'table' then expected(1, 'setmetatable', 'table', select('#', ...), target) end
    if select('#', ...) < 2 or (meta ~= nil and type(meta) ~= 'table') then
        bad_argument(2, 'setmetatable', 'nil or table expected')
    end
    if true_table[target] then error(READONLY, 0) end
    local old = getmetatable(target)
    if type(old) == 'table' and rawget(old, '__metatable') ~= nil then error('cannot change a protected metatable', 2) end
    if old ~= nil and type(old) ~= 'table' then error('cannot change a protected metatable', 2) end
    return setmetatable(target, meta)
end

local function sandbox_next(...)
    local target, key = ...
    if type(target) ~= 'table' then expected(1, 'next', 'table', select('#', ...), target) end
    return next(true_table[target] or target, key)
end
base.next = sandbox_next

function base.pairs(...)
    local target = ...
    if type(target) ~= 'table' then expected(1, 'pairs', 'table', select('#', ...), target) end
    if true_table[target] then return sandbox_next, target, nil end
    return next, target, nil
end

function base.rawget(...)
    local target, key = ...
    if type(target) ~= 'table' then expected(1, 'rawget', 'table', select('#', ...), target) end
    if select('#', ...) < 2 then bad_argument(2, 'rawget', 'value expected') end
    return rawget(true_table[target] or target, key)
end

function base.rawset(...)
    local target, key, value = ...
    local count = select('#', ...)
    if type(target) ~= 'table' then expected(1, 'rawset', 'table', count, target) end
    if count < 2 then bad_argument(2, 'rawset', 'value expected') end
    if count < 3 then bad_argument(3, 'rawset', 'value expected') end
    if true_table[target] then error(READONLY, 0) end
    if key == nil then error('table index is nil', 0) end
    if key ~= key then error('table index is NaN', 0) end
    return rawset(target, key, value)
end

-- An error of redis.call reaches a script's pcall as its text.
local function catch(ok, ...)
    if not ok then
        local problem = ...
        if type(problem) == 'table' then
            local text = problem.err
            if type(text) == 'string' or type(text) == 'number' then return false, text end
        end
        return false, problem
    end
    return true, ...
end

function base.pcall(...)
    if select('#', ...) == 0 then return false, 'attempt to call a boolean value' end -- so says Redis's own
    return catch(pcall(...))
end

-- The handler is called when the function is over: where the hook raises an error, Lua's own xpcall would call it with no
-- hook to interrupt it.
local function handled(handler, ok, ...)
    if ok then return true, ... end
    local fine, value = pcall(handler, ...)
    if not fine then value = 'error in error handling' end
    return false, value
end

function base.xpcall(...)
    if select('#', ...) < 2 then bad_argument(2, 'xpcall', 'value expected') end
    local call, handler = ...
    return handled(handler, pcall(call))
end

local KEEPS_NO_STATE = {collect = true, count = true, step = true}
local OTHER_OPTIONS = {stop = true, restart = true, setpause = true, setstepmul = true}

function base.collectgarbage(option, argument)
    if option == nil then option = 'collect' end
    if KEEPS_NO_STATE[option] then return lua.collectgarbage(option, tonumber(argument) or 0) end
    if type(option) == 'number' then option = tostring(option) end
    if type(option) ~= 'string' then expected(1, 'collectgarbage', 'string', 1, option) end
    if OTHER_OPTIONS[option] then return 0 end -- what they set would outlive the script
    bad_argument(1, 'collectgarbage', "invalid option '" .. tostring(option):match('^[^%z]*') .. "'")
end

-- Loading code --------------------------------------------------------------------------------------------------------

-- Text only: what begins with the mark of bytecode is given to the compiler behind a blank, which makes it text. The
-- compiler's bytecode is changed by the server (bytecode.py), so that functions of this file that a script returns the
-- values of are called like Lua's own.
local byte, dump, find_text = string.byte, string.dump, string.find

local function compile(code, name, globals)
    if byte(code, 1) == 27 then code = ' ' .. code end
    local chunk, problem = loadstring(code, name)
    if not chunk then return nil, problem end
    if find_text(code, 'return', 1, true) then
        local changed = host.keep_frames(dump(chunk))
        chunk = loadstring(changed, name)
    end
    setfenv(chunk, globals)
    return chunk
end
host.compile = compile

local function add_loaders(content, globals)
    function content.loadstring(...)
        local code, name = ...
        if type(code) == 'number' then code = tostring(code) end
        if type(code) ~= 'string' then expected(1, 'loadstring', 'string', select('#', ...), code) end
        return compile(code, name ~= nil and tostring(name) or code, globals)
    end

    function content.load(...)
        local reader, name = ...
        if type(reader) ~= 'function' then expected(1, 'load', 'function', select('#', ...), reader) end
        local pieces = {}
        while true do
            local piece = reader()
            if piece == nil or piece == '' then break end
            if type(piece) ~= 'string' then return nil, 'reader function must return a string' end
            pieces[#pieces + 1] = piece
            if byte(piece, 1) == 27 and #pieces == 1 then break end -- bytecode: what follows is not looked at
        end
        return compile(concat(pieces), name ~= nil and tostring(name) or '=(load)', globals)
    end
end

-- The hook: every so many instructions, whether the script may go on --------------------------------------------------

local INSTRUCTIONS = 100000
local killed, running = false, false
local REASONS = {'ERR Script killed by user with SCRIPT KILL...', 'ERR FUNCTION LOAD timeout'}

local function is_ours(level)
    local info = getinfo(level, 'S')
    return not info or info.source == '=redis' or info.what == 'C'
end

local hook

local function watch(thread)
    if killed then
        sethook(thread, hook, 'l')
    else
        sethook(thread, hook, '', INSTRUCTIONS)
    end
end

hook = function(event)
    if not running then return end -- a reply is being written
    if not killed then
        killed = REASONS[host.tick()]
        if not killed then return end
        -- from now on it hits every line, so that no pcall of the script's goes on for long
        sethook(hook, 'l')
    elseif event == 'line' and is_ours(3) then
        return
    end
    error({err = killed}, 0)
end

-- A script begins, or has ended.
local function begin()
    if killed then
        sethook(hook, '', INSTRUCTIONS)
        killed = false
    end
    running = true
end

local function done()
    running = false
end
sethook(hook, '', INSTRUCTIONS)

base.coroutine = {
    running = coroutine.running, resume = coroutine.resume, status = coroutine.status, yield = coroutine.yield,
}

function base.coroutine.create(...)
    local body = ...
    if type(body) ~= 'function' then bad_argument(1, 'create', 'Lua function expected') end
    local thread = coroutine.create(body)
    watch(thread) -- a hook belongs to its thread
    return thread
end

local function unwrap(ok, ...)
    if ok then return ... end
    local problem = ...
    if type(problem) == 'string' then error(problem, 3) end
    error(problem, 0)
end

function base.coroutine.wrap(...)
    local body = ...
    if type(body) ~= 'function' then bad_argument(1, 'wrap', 'Lua function expected') end
    local thread = coroutine.create(body)
    watch(thread)
    return function(...)
        return unwrap(coroutine.resume(thread, ...))
    end
end

-- Libraries -----------------------------------------------------------------------------------------------------------

local function copy(names, from)
    local to = {}
    for name in names:gmatch('%S+') do to[name] = from[name] end
    return to
end

base.string = copy('byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper', string)
base.table = copy('concat foreach foreachi getn insert maxn remove setn sort', table)
base.math = copy([[abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod modf
    pi pow rad sin sinh sqrt tan tanh]], math)
base.os = {clock = lua.os.clock}

-- Nothing interrupts a function of C: it must end by itself.
function base.string.rep(...)
    local text, count = ...
    if type(text) == 'number' then text = tostring(text) end
    if type(text) ~= 'string' then expected(1, 'rep', 'string', select('#', ...), text) end
    local times = tonumber(count)
    if not times then expected(2, 'rep', 'number', select('#', ...), count) end
    if text == '' then return '' end
    return string.rep(text, times)
end

function base.string.dump(...)
    local body = ...
    if type(body) ~= 'function' then expected(1, 'dump', 'function', select('#', ...), body) end
    local source = getinfo(body, 'S').source
    if source == '=[C]' or source == '=redis' then error('unable to dump given function', 2) end
    return string.dump(body)
end

function base.table.insert(...)
    local target = ...
    if true_table[target] then error(READONLY, 0) end
    local count = select('#', ...)
    if type(target) ~= 'table' then expected(1, 'insert', 'table', count, target) end
    if count == 2 then
        table.insert(target, (select(2, ...)))
        return
    end
    if count ~= 3 then error("wrong number of arguments to 'insert'", 2) end
    local position, value = select(2, ...)
    local at = tonumber(position)
    if not at then expected(2, 'insert', 'number', count, position) end
    local size = #target
    if at > size + 1e6 or at < size - 1e8 then bad_argument(2, 'insert', 'position out of bounds') end
    table.insert(target, at, value)
end

function base.table.foreach(...)
    local target, call = ...
    if type(target) ~= 'table' then expected(1, 'foreach', 'table', select('#', ...), target) end
    if type(call) ~= 'function' then expected(2, 'foreach', 'function', select('#', ...), call) end
    for key, value in next, true_table[target] or target do
        local result = call(key, value)
        if result ~= nil then return result end
    end
end

-- Random numbers as Redis makes them, the same after every start: drand48, in halves that a double holds.
local low, high = 0xCD330E, 0x1234AB
local MOST = 2147483647

local function seed(value)
    local whole = floor(value) % 4294967296
    low, high = (whole % 256) * 65536 + 0x330E, floor(whole / 256)
end

local function draw()
    -- (0x5DEECE66D * x + 0xB) mod 2^48, x = high * 2^24 + low
    local product = low * 0xE66D + 0xB
    local carry = floor(product / 16777216)
    local rest = product % 16777216
    local second = low * 0x5DEEC -- times 2^16
    local shifted = (second % 256) * 65536 + rest
    carry = carry + floor(second / 256) + floor(shifted / 16777216)
    low, high = shifted % 16777216, (carry + high * 0xE66D + ((high * 0x5DEEC) % 256) * 65536) % 16777216
    return floor((high * 16777216 + low) / 131072) % 2147483648
end

function base.math.random(...)
    local count = select('#', ...)
    local value = (draw() % MOST) / MOST
    if count == 0 then return value end
    local first, last = ...
    local from, to = tonumber(first), tonumber(last)
    if not from then expected(1, 'random', 'number', count, first) end
    if count == 1 then
        from, to = 1, floor(from)
        if to < 1 then bad_argument(1, 'random', 'interval is empty') end
    elseif count == 2 then
        if not to then expected(2, 'random', 'number', count, last) end
        from, to = floor(from), floor(to)
        if from > to then bad_argument(2, 'random', 'interval is empty') end
    else
        error('wrong number of arguments', 2)
    end
    return floor(value * (to - from + 1)) + from
end

function base.math.randomseed(...)
    local value = tonumber((...))
    if not value then expected(1, 'randomseed', 'number', select('#', ...), (...)) end
    seed(value)
end

-- The way out -----------------------------------------------------------------------------------------------------------

host.lua, host.base, host.protect, host.make_globals, host.add_loaders = lua, base, protect, make_globals, add_loaders
host.refuse_write, host.bad_argument, host.expected, host.begin, host.done =
    refuse_write, bad_argument, expected, begin, done
host.string_metatable, host.true_table, host.missing_global = string_metatable, true_table, missing_global
