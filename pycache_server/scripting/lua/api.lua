-- The ``redis`` table, the globals of scripts and of functions, and the run of a script.
--
-- redis.call goes straight to ``host.invoke``, which never raises: it gives a value, or a value and what kind it is.

local host = ...
local lua, base, protect, make_globals = host.lua, host.base, host.protect, host.make_globals
local begin, done = host.begin, host.done
local type, error, select, next, tostring, tonumber = type, error, select, next, tostring, tonumber
local xpcall, rawget, rawset, unpack = xpcall, rawget, rawset, unpack
local concat, format, gsub, find, sub = lua.table.concat, lua.string.format, lua.string.gsub, lua.string.find, lua.string.sub
local getinfo = lua.debug.getinfo
local null = host.null
local STATUS, FAILED, REFUSED, NO_MEMORY = 1, 2, 3, 4

-- Without the newlines at both ends; a pattern for those at the end would take the square of their number.
local function trim(text)
    local first, last = 1, #text
    while first <= last and find(text, '^[\r\n]', first) do first = first + 1 end
    while last >= first and find(text, '^[\r\n]', last) do last = last - 1 end
    return sub(text, first, last)
end

local function fail(text)
    error({err = 'ERR ' .. text}, 0)
end

local function raise(value, kind)
    if kind == STATUS then return {ok = value} end
    if kind == FAILED then error({err = value, ignore_error_stats_update = true}, 0) end
    if kind == REFUSED then fail(value) end
    error('not enough memory', 0)
end

local function returned(value, kind)
    if kind == STATUS then return {ok = value} end
    if kind == FAILED then return {err = value, ignore_error_stats_update = true} end
    if kind == REFUSED then return {err = 'ERR ' .. value} end
    error('not enough memory', 0)
end

local redis = {
    call = host.caller(raise),
    pcall = host.caller(returned),
    LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
    REPL_NONE = 0, REPL_AOF = 1, REPL_SLAVE = 2, REPL_REPLICA = 2, REPL_ALL = 3,
    REDIS_VERSION = host.version, REDIS_VERSION_NUM = host.version_number,
}

function redis.error_reply(...)
    local text = ...
    if select('#', ...) ~= 1 or type(text) ~= 'string' then return {err = 'ERR wrong number or type of arguments'} end
    local stop = find(text, '%z')
    if stop then text = sub(text, 1, stop - 1) end
    if sub(text, 1, 1) == '-' then text = sub(text, 2) end
    local blank = find(text, ' ', 1, true)
    local code, message = 'ERR', text
    if blank then code, message = sub(text, 1, blank - 1), sub(text, blank + 1) end
    return {err = code .. ' ' .. trim(message)}
end

function redis.status_reply(...)
    local text = ...
    if select('#', ...) ~= 1 or type(text) ~= 'string' then return {err = 'ERR wrong number or type of arguments'} end
    return {ok = text}
end

function redis.log(...)
    local count = select('#', ...)
    if count < 2 then fail('redis.log() requires two arguments or more.') end
    local level = tonumber((...))
    if not level then fail('First argument must be a number (log level).') end
    if level <= -1 or level >= 4 then fail('Invalid debug level.') end
    local words = {}
    for index = 2, count do
        local word = select(index, ...)
        if type(word) == 'string' or type(word) == 'number' then words[#words + 1] = tostring(word) end
    end
    host.log(level, concat(words, ' '))
end

function redis.sha1hex(...)
    local text = ...
    if select('#', ...) ~= 1 then fail('wrong number of arguments') end
    if type(text) == 'number' then text = tostring(text) end
    return host.sha1hex(type(text) == 'string' and text or '')
end

function redis.setresp(...)
    if select('#', ...) ~= 1 then fail('redis.setresp() requires one argument.') end
    local version = tonumber((...))
    if version then version = version - version % 1 end  -- what lies behind the point does not count
    if version ~= 2 and version ~= 3 then fail('RESP version must be 2 or 3.') end
    host.setresp(version)
end

function redis.set_repl(...)
    if select('#', ...) ~= 1 then fail('redis.set_repl() requires two arguments.') end
    local flags = tonumber((...)) or 0
    if flags < 0 or flags >= 4 then
        fail('Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
    end
    host.set_repl(flags)
end

function redis.acl_check_cmd(...)
    local allowed, problem = host.acl_check_cmd(...)
    if problem then fail(problem) end
    return allowed
end

local shared = {}
for name, value in next, redis do shared[name] = value end

function redis.breakpoint() return false end
function redis.debug() end
function redis.replicate_commands() return true end

-- Globals -------------------------------------------------------------------------------------------------------------

-- What an error becomes that nobody catches: a table that tells the line. Of what is above the script's own function
-- (one of Lua's, one of ours) nothing is told.
local function handle(problem)
    local level = 2
    local info = getinfo(level, 'nSl')
    while info and (info.what == 'C' or info.what == 'tail' or info.source == '=redis') do
        level = level + 1
        info = getinfo(level, 'nSl')
    end
    if type(problem) ~= 'table' then problem = {err = 'ERR ' .. tostring(problem)} end
    if info and not host.true_table[problem] then
        rawset(problem, 'source', info.source)
        rawset(problem, 'line', info.currentline)
    end
    return problem
end

local libraries = {}
for _, name in next, {'string', 'table', 'math', 'coroutine', 'os'} do libraries[name] = protect(base[name]) end
for name, library in next, host.libraries do libraries[name] = protect(library) end
host.true_table[host.string_metatable].__index = libraries.string
lua.getmetatable('').__index = base.string

local function globals_with(api)
    local content = {}
    for name, value in next, base do content[name] = value end
    for name, value in next, libraries do content[name] = value end
    content.redis = protect(api)
    local globals = make_globals(content)
    content._G = globals
    host.add_loaders(content, globals)
    return content, globals
end

local script_content, script_globals = globals_with(redis)
script_content.__redis__err__handler = handle
local _, function_globals = globals_with(shared)

-- Replies -------------------------------------------------------------------------------------------------------------

local LIMIT = 9223372036854775808
local DEEPEST = 7990

local function integer(value)
    if value ~= value or value >= LIMIT or value < -LIMIT then return ':-9223372036854775808\r\n' end
    if value > -1 and value < 1 then return ':0\r\n' end
    return format(':%.0f\r\n', value >= 0 and lua.math.floor(value) or lua.math.ceil(value))
end

local function line(text)
    return (gsub(text, '[\r\n]', ' '))
end

-- A text as C takes it, which ends at a NUL.
local function c_text(text)
    local stop = find(text, '%z')
    return stop and sub(text, 1, stop - 1) or text
end

-- Append a value in RESP to ``out``; how many pieces there are then. ``wide``: the script speaks RESP3, so that there
-- are booleans; ``resp`` is what the client speaks.
local encode

local function encode_table(value, out, size, resp, wide, depth)
    if depth > DEEPEST then
        out[size + 1] = '-ERR reached lua stack limit\r\n'
        return size + 1
    end
    local field = rawget(value, 'err')
    if type(field) == 'string' then
        out[size + 1] = '-' .. line(trim(c_text(field))) .. '\r\n'
        return size + 1
    end
    field = rawget(value, 'ok')
    if type(field) == 'string' then
        out[size + 1] = '+' .. line(c_text(field)) .. '\r\n'
        return size + 1
    end
    field = rawget(value, 'double')
    if type(field) == 'number' then
        out[size + 1] = host.encode_double(field, resp)
        return size + 1
    end
    field = rawget(value, 'map')
    if type(field) == 'table' then
        field = host.true_table[field] or field
        local place, count = size + 1, 0
        size = place
        for key, each in next, field do
            size = encode(key, out, size, resp, wide, depth + 1)
            size = encode(each, out, size, resp, wide, depth + 1)
            count = count + 1
        end
        out[place] = resp == 3 and '%' .. count .. '\r\n' or '*' .. 2 * count .. '\r\n'
        return size
    end
    field = rawget(value, 'set')
    if type(field) == 'table' then
        field = host.true_table[field] or field
        local place, count = size + 1, 0
        size = place
        for key in next, field do
            size = encode(key, out, size, resp, wide, depth + 1)
            count = count + 1
        end
        out[place] = (resp == 3 and '~' or '*') .. count .. '\r\n'
        return size
    end
    field = rawget(value, 'big_number')
    if type(field) == 'string' then
        field = line(field)
        out[size + 1] = resp == 3 and '(' .. field .. '\r\n' or '$' .. #field .. '\r\n' .. field .. '\r\n'
        return size + 1
    end
    field = rawget(value, 'verbatim_string')
    if type(field) == 'table' then
        local kind, text = rawget(field, 'format'), rawget(field, 'string')
        if type(kind) == 'string' and type(text) == 'string' then
            kind = sub(kind .. '   ', 1, 3)
            out[size + 1] = resp == 3 and '=' .. #text + 4 .. '\r\n' .. kind .. ':' .. text .. '\r\n'
                or '$' .. #text .. '\r\n' .. text .. '\r\n'
            return size + 1
        end
    end
    local place, count = size + 1, 0
    size = place
    while true do
        local each = rawget(value, count + 1)
        if each == nil then break end
        count = count + 1
        if type(each) == 'string' then
            size = size + 1
            out[size] = '$' .. #each .. '\r\n' .. each .. '\r\n'
        else
            size = encode(each, out, size, resp, wide, depth + 1)
        end
    end
    out[place] = '*' .. count .. '\r\n'
    return size
end

encode = function(value, out, size, resp, wide, depth)
    local kind = type(value)
    if kind == 'table' then return encode_table(host.true_table[value] or value, out, size, resp, wide, depth) end
    local text
    if kind == 'string' then
        text = '$' .. #value .. '\r\n' .. value .. '\r\n'
    elseif kind == 'number' then
        text = integer(value)
    elseif kind == 'boolean' and wide then
        text = resp == 3 and (value and '#t\r\n' or '#f\r\n') or (value and ':1\r\n' or ':0\r\n')
    elseif value == true then
        text = ':1\r\n'
    else
        text = resp == 3 and '_\r\n' or '$-1\r\n'
    end
    out[size + 1] = text
    return size + 1
end

-- Running -------------------------------------------------------------------------------------------------------------

local ENCODED, ERROR = 1, 2

-- What a script has returned, for the server: a string or a number as it is, else a reply in RESP; or an error with
-- where it was raised.
local function finish(ok, value)
    done()
    local kind = type(value)
    if ok then
        if kind == 'string' or kind == 'number' then return value end
        if value == nil then return nil end
        local resp, wide = host.versions()
        if kind == 'table' then
            local problem = rawget(value, 'err')
            if type(problem) == 'string' then
                return problem, ERROR, rawget(value, 'ignore_error_stats_update') and true or false
            end
        end
        local out = {}
        return concat(out, '', 1, encode(value, out, 0, resp, wide, 0)), ENCODED
    end
    if kind ~= 'table' then return 'ERR ' .. tostring(value), ERROR, false, true end
    value = host.true_table[value] or value
    local text, source, at = rawget(value, 'err'), rawget(value, 'source'), rawget(value, 'line')
    if type(text) == 'number' then text = tostring(text) end
    if type(text) ~= 'string' then text = 'ERR unknown error' end
    if type(source) ~= 'string' or type(at) ~= 'number' then source, at = nil, nil end
    return text, ERROR, rawget(value, 'ignore_error_stats_update') and true or false, true, source or '', at or 0
end

-- Call a script. Without keys and with one they are given one by one, else as two tables.
function host.run0(chunk, ...)
    begin()
    script_content.KEYS, script_content.ARGV = {}, {...}
    return finish(xpcall(chunk, handle))
end

function host.run1(chunk, key, ...)
    begin()
    script_content.KEYS, script_content.ARGV = {key}, {...}
    return finish(xpcall(chunk, handle))
end

function host.run(chunk, keys, arguments)
    begin()
    script_content.KEYS, script_content.ARGV = keys, arguments
    return finish(xpcall(chunk, handle))
end

local pending, pending_keys, pending_arguments

local function run_pending()
    return pending(pending_keys, pending_arguments)
end

function host.run_function(chunk, keys, arguments)
    begin()
    pending, pending_keys, pending_arguments = chunk, keys, arguments
    return finish(xpcall(run_pending, handle))
end

function host.run_function0(chunk, ...)
    begin()
    pending, pending_keys, pending_arguments = chunk, {}, {...}
    return finish(xpcall(run_pending, handle))
end

function host.run_function1(chunk, key, ...)
    begin()
    pending, pending_keys, pending_arguments = chunk, {key}, {...}
    return finish(xpcall(run_pending, handle))
end

-- Libraries of functions ----------------------------------------------------------------------------------------------

local registration = {
    log = redis.log, REDIS_VERSION = redis.REDIS_VERSION, REDIS_VERSION_NUM = redis.REDIS_VERSION_NUM,
    LOG_DEBUG = 0, LOG_VERBOSE = 1, LOG_NOTICE = 2, LOG_WARNING = 3,
}
lua.setmetatable(registration, {__index = host.missing_global})

local function is_text(value)
    return type(value) == 'string' or type(value) == 'number'
end

local FIELDS = {function_name = true, description = true, callback = true, flags = true}

local function register_named(given)
    local name, description, callback, flags = nil, nil, nil, {}
    for key, value in next, host.true_table[given] or given do
        if not FIELDS[key] then fail('unknown argument given to redis.register_function') end
        if key == 'function_name' then
            if not is_text(value) then
                fail('function_name argument given to redis.register_function must be a string')
            end
            name = tostring(value)
        elseif key == 'description' then
            if not is_text(value) then fail('description argument given to redis.register_function must be a string') end
            description = tostring(value)
        elseif key == 'callback' then
            if type(value) ~= 'function' then
                fail('callback argument given to redis.register_function must be a function')
            end
            callback = value
        else
            if type(value) ~= 'table' then
                fail('flags argument to redis.register_function must be a table representing function flags')
            end
            for index = 1, #value do
                local flag = rawget(value, index)
                if not is_text(flag) then fail('unknown flag given') end
                flags[index] = tostring(flag)
            end
        end
    end
    if not name then fail('redis.register_function must get a function name argument') end
    if not callback then fail('redis.register_function must get a callback argument') end
    local problem = host.register(name, callback, description or false, unpack(flags))
    if problem then fail(problem) end
end

function registration.register_function(...)
    local count = select('#', ...)
    local first, second = ...
    if count < 1 or count > 2 then fail('wrong number of arguments to redis.register_function') end
    if count == 1 then
        if type(first) ~= 'table' then
            fail('calling redis.register_function with a single argument is only applicable to Lua table '
                .. '(representing named arguments).')
        end
        return register_named(first)
    end
    if not is_text(first) then fail('first argument to redis.register_function must be a string') end
    if type(second) ~= 'function' then fail('second argument to redis.register_function must be a function') end
    local problem = host.register(tostring(first), second, false)
    if problem then fail(problem) end
end

local loading_globals = make_globals({redis = protect(registration)})

-- Load a library: its code sees nothing but ``redis``, in which there is register_function; the functions that it makes
-- see the globals of functions later. Code and functions share their globals as Lua has it, so these change.
function host.load_library(chunk)
    begin()
    local meta = {
        __index = host.true_table[loading_globals],
        __newindex = host.refuse_write,
        __metatable = false,
    }
    local globals = lua.setmetatable({}, meta)
    lua.setfenv(chunk, globals)
    local ok, value = xpcall(chunk, handle)
    meta.__index = host.true_table[function_globals]
    host.true_table[globals] = meta.__index
    if ok then return nil end
    return (finish(false, value))
end

function host.compile_script(code, name)
    return host.compile(code, name, script_globals)
end

function host.compile_library(code, name)
    return host.compile(code, name, function_globals)
end

-- The end of everything else: what is not harmless can be reached no more ------------------------------------------------

for name in next, lua do
    if name ~= '_G' then lua._G[name] = nil end
end
lua._G._G = nil
local registered = lua.debug.getregistry()
if type(registered._LOADED) == 'table' then
    for name in next, registered._LOADED do registered._LOADED[name] = nil end
end
