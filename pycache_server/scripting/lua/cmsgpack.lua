-- cmsgpack: MessagePack as lua-cmsgpack 0.4 reads and writes it.

local host = ...
local bad_argument, expected = host.bad_argument, host.expected
local string, true_table = host.lua.string, host.true_table
local type, error, select, next, tostring, tonumber, rawget = type, error, select, next, tostring, tonumber, rawget
local unpack, floor = unpack, host.lua.math.floor
local char, sub, byte, format, concat = string.char, string.sub, string.byte, string.format, host.lua.table.concat
local DEEPEST = 16
local TOO_LARGE = 9223372036854775808

local cmsgpack = {
    _NAME = 'cmsgpack', _VERSION = 'lua-cmsgpack 0.4.0',
    _COPYRIGHT = 'Copyright (C) 2012, Salvatore Sanfilippo', _DESCRIPTION = 'MessagePack C implementation for Lua',
}

-- Writing

local function big16(value)
    return char(floor(value / 256), value % 256)
end

local function big32(value)
    return char(floor(value / 16777216), floor(value / 65536) % 256, floor(value / 256) % 256, value % 256)
end

local function number(value)
    if value ~= floor(value) or value >= TOO_LARGE or value < -TOO_LARGE then
        if host.is_float(value) then return '\202' .. host.pack_float(value, '>') end
        return '\203' .. host.pack_double(value, '>')
    end
    if value >= 0 then
        if value < 128 then return char(value) end
        if value < 256 then return char(204, value) end
        if value < 65536 then return '\205' .. big16(value) end
        if value < 4294967296 then return '\206' .. big32(value) end
        return '\207' .. host.pack_integer(value, 8, '>')
    end
    if value >= -32 then return char(256 + value) end
    if value >= -128 then return char(208, 256 + value) end
    if value >= -32768 then return '\209' .. big16(65536 + value) end
    if value >= -2147483648 then return '\210' .. big32(4294967296 + value) end
    return '\211' .. host.pack_integer(value, 8, '>')
end

local function header(size, small, fixed, short, long)
    if size < small then return char(fixed + size) end
    if size < 65536 then return char(short) .. big16(size) end
    return char(long) .. big32(size)
end

local function text(value)
    local size = #value
    if size >= 32 and size < 256 then return char(217, size) .. value end
    return header(size, 32, 160, 218, 219) .. value
end

local function array_length(value)
    local most, count = 0, 0
    for key in next, value do
        if type(key) ~= 'number' or key <= 0 or floor(key) ~= key then return nil end
        if key > most then most = key end
        count = count + 1
    end
    return most == count and count
end

local function append(value, out, size, depth)
    local kind = type(value)
    if kind == 'string' then
        out[size + 1] = text(value)
    elseif kind == 'number' then
        out[size + 1] = number(value)
    elseif kind == 'boolean' then
        out[size + 1] = value and '\195' or '\194'
    elseif kind == 'table' and depth < DEEPEST then
        value = true_table[value] or value
        local length = array_length(value)
        local place, count = size + 1, 0
        size = place
        if length then
            out[place] = header(length, 16, 144, 220, 221)
            for index = 1, length do size = append(rawget(value, index), out, size, depth + 1) end
            return size
        end
        for key, each in next, value do
            size = append(key, out, size, depth + 1)
            size = append(each, out, size, depth + 1)
            count = count + 1
        end
        out[place] = header(count, 16, 128, 222, 223)
        return size
    else
        out[size + 1] = '\192'
    end
    return size + 1
end

function cmsgpack.pack(...)
    local count = select('#', ...)
    if count == 0 then bad_argument(0, 'pack', 'MessagePack pack needs input.') end
    local out, size = {}, 0
    for index = 1, count do size = append((select(index, ...)), out, size, 0) end
    return concat(out, '', 1, size)
end

-- Reading: each function gets where it reads, and returns a value and the place behind it.

local MISSING, BAD = {}, {}

local function need(data, at, size)
    if at + size - 1 > #data then error(MISSING, 0) end
end

local function unsigned(data, at, size)
    need(data, at, size)
    local value = 0
    for place = at, at + size - 1 do value = value * 256 + byte(data, place) end
    return value
end

local function signed(data, at, size)
    need(data, at, size)
    return host.unpack_integer(sub(data, at, at + size - 1), '>', true)
end

local function string_of(data, at, size)
    need(data, at, size)
    return sub(data, at, at + size - 1), at + size
end

local read

local function array_of(data, at, count)
    local result = {}
    for index = 1, count do
        result[index], at = read(data, at)
    end
    return result, at
end

local function map_of(data, at, count)
    local result = {}
    for _ = 1, count do
        local key, value
        key, at = read(data, at)
        value, at = read(data, at)
        if key == nil then error('table index is nil', 0) end
        if key ~= key then error('table index is NaN', 0) end
        result[key] = value
    end
    return result, at
end

read = function(data, at)
    local code = byte(data, at)
    if not code then error(MISSING, 0) end
    at = at + 1
    if code < 128 then return code, at end
    if code < 144 then return map_of(data, at, code - 128) end
    if code < 160 then return array_of(data, at, code - 144) end
    if code < 192 then return string_of(data, at, code - 160) end
    if code >= 224 then return code - 256, at end
    if code == 192 then return nil, at end
    if code == 194 then return false, at end
    if code == 195 then return true, at end
    if code >= 196 and code <= 198 then
        local size = 2 ^ (code - 196)
        return string_of(data, at + size, unsigned(data, at, size))
    end
    if code == 202 then
        need(data, at, 4)
        return host.unpack_float(sub(data, at, at + 3), '>'), at + 4
    end
    if code == 203 then
        need(data, at, 8)
        return host.unpack_double(sub(data, at, at + 7), '>'), at + 8
    end
    if code >= 204 and code <= 206 then
        local size = 2 ^ (code - 204)
        return unsigned(data, at, size), at + size
    end
    if code == 207 then
        need(data, at, 8)
        return host.unpack_integer(sub(data, at, at + 7), '>', false), at + 8
    end
    if code >= 208 and code <= 211 then
        local size = 2 ^ (code - 208)
        return signed(data, at, size), at + size
    end
    if code >= 217 and code <= 219 then
        local size = 2 ^ (code - 217)
        return string_of(data, at + size, unsigned(data, at, size))
    end
    if code == 220 or code == 221 then
        local size = code == 220 and 2 or 4
        return array_of(data, at + size, unsigned(data, at, size))
    end
    if code == 222 or code == 223 then
        local size = code == 222 and 2 or 4
        return map_of(data, at + size, unsigned(data, at, size))
    end
    error(BAD, 0)
end

local pcall = pcall
local INT_MAX = 2147483647

local function integer(name, position, count, value, default)
    if value == nil and default then return default end
    local found = tonumber(value)
    if not found then expected(position, name, 'number', count, value, 1) end
    return found >= 0 and floor(found) or -floor(-found)
end

-- Values of ``data`` from ``offset`` on, in a list, how many they are, and the place behind them.
local function read_many(data, offset, limit)
    local values, count, at = {}, 0, offset + 1
    while at <= #data and count < limit do
        count = count + 1
        values[count], at = read(data, at)
    end
    return values, count, at - 1
end

-- An error at a level as of ``error``, from where this was called.
local function fail(problem, level)
    if problem == MISSING then error('Missing bytes in input.', level + 1) end
    if problem == BAD then error('Bad data format in input.', level + 1) end
    error(problem, 0)
end

local function data_of(name, ...)
    local data = ...
    if type(data) == 'number' then return tostring(data) end
    return data
end

function cmsgpack.unpack(...)
    local data = data_of('unpack', ...)
    if type(data) ~= 'string' then expected(1, 'unpack', 'string', select('#', ...), data) end
    local ok, values, count = pcall(read_many, data, 0, INT_MAX)
    if not ok then fail(values, 2) end
    return unpack(values, 1, count)
end

local function limited(data, limit, offset)
    if offset < 0 or limit < 0 then
        error(format('Invalid request to unpack with offset of %d and limit of %d.', offset, #data), 3)
    end
    if offset > #data then
        error(format('Start offset %d greater than input length %d.', offset, #data), 3)
    end
    local all = limit == 0 and offset == 0 -- as without either; from anywhere else no value is none
    local ok, values, count, behind = pcall(read_many, data, offset, all and INT_MAX or limit)
    if not ok then fail(values, 3) end
    if all then return values, count end
    return values, count, behind == #data and -1 or behind
end

function cmsgpack.unpack_one(...)
    local data = data_of('unpack_one', ...)
    local offset = integer('unpack_one', 2, select('#', ...), select(2, ...), 0)
    if type(data) ~= 'string' then expected(1, 'unpack_one', 'string', select('#', ...), data) end
    local values, count, behind = limited(data, 1, offset)
    return behind, unpack(values, 1, count)
end

function cmsgpack.unpack_limit(...)
    local data = data_of('unpack_limit', ...)
    local limit = integer('unpack_limit', 2, select('#', ...), (select(2, ...)))
    local offset = integer('unpack_limit', 3, select('#', ...), (select(3, ...)), 0)
    if type(data) ~= 'string' then expected(1, 'unpack_limit', 'string', select('#', ...), data) end
    local values, count, behind = limited(data, limit, offset)
    if not behind then return unpack(values, 1, count) end
    return behind, unpack(values, 1, count)
end

host.libraries.cmsgpack = cmsgpack
