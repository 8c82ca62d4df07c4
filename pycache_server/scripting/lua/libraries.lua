-- bit and struct: numbers as bits, and as bytes. What is done to the bits themselves is done by the server (leaves.py).

local host = ...
local bad_argument, expected = host.bad_argument, host.expected
local string, math = host.lua.string, host.lua.math
local type, error, select, tostring, tonumber, unpack = type, error, select, tostring, tonumber, unpack
local byte, sub, rep, find, format, concat = string.byte, string.sub, string.rep, string.find, string.format,
    host.lua.table.concat
local floor = math.floor
local bits = host.bits

-- bit -------------------------------------------------------------------------------------------------------------------

local bit = {}

local function define(name, operation, least)
    bit[name] = function(...)
        local count = select('#', ...)
        local first, second = ...
        if count < 3 and type(first) == 'number' and (type(second) == 'number' or (count == 1 and least == 1)) then
            if count == 1 then return (bits(operation, first)) end
            return (bits(operation, first, second))
        end
        local numbers = {...}
        for place = 1, count > least and count or least do
            local value = tonumber(numbers[place])
            if not value then expected(place, name, 'number', count, numbers[place]) end
            numbers[place] = value
        end
        return (bits(operation, unpack(numbers)))
    end
end

define('tobit', 'bit', 1)
define('bnot', 'not', 1)
define('band', 'and', 1)
define('bor', 'or', 1)
define('bxor', 'xor', 1)
define('bswap', 'swap', 1)
define('lshift', 'left', 2)
define('rshift', 'right', 2)
define('arshift', 'arithmetic', 2)
define('rol', 'rotate left', 2)
define('ror', 'rotate right', 2)

function bit.tohex(...)
    local first, second = ...
    local count = select('#', ...)
    local value = tonumber(first)
    if not value then expected(1, 'tohex', 'number', count, first) end
    local digits = 8
    if count > 1 then
        digits = tonumber(second)
        if not digits then expected(2, 'tohex', 'number', count, second) end
        digits = bits('bit', digits)
    end
    value = bits('bit', value) % 4294967296
    local text = digits < 0 and format('%08X', value) or format('%08x', value)
    if digits < 0 then digits = -digits end
    if digits > 8 then digits = 8 end
    return sub(text, 9 - digits)
end

-- struct ----------------------------------------------------------------------------------------------------------------

local struct = {}
local INT_MAX, LARGEST, ALIGNMENT = 2147483647, 32, 8
local SIZES = {b = 1, B = 1, h = 2, H = 2, l = 8, L = 8, T = 8, f = 4, d = 8, x = 1}
local INTEGERS = {b = true, B = true, h = true, H = true, l = true, L = true, T = true, i = true, I = true}
local SIGNED = {b = true, h = true, l = true, i = true}

-- The number in a format at ``at``, or a default; the place behind it.
local function number_at(text, at, default)
    local from, last = find(text, '^%d+', at)
    if not from then return default, at end
    local value = tonumber(sub(text, from, last))
    if value > INT_MAX then error('integral size overflow', 4) end
    return value, last + 1
end

local function size_of(option, text, at)
    local size = SIZES[option]
    if size then return size, at end
    if option == 'c' then return number_at(text, at, 1) end
    if option == 'i' or option == 'I' then
        size, at = number_at(text, at, 4)
        if size > LARGEST then
            error(format('integral size %d is larger than limit of %d', size, LARGEST), 3)
        end
        return size, at
    end
    return 0, at
end

local function padding(position, alignment, option, size)
    if size == 0 or option == 'c' then return 0 end
    if size > alignment then size = alignment end
    -- (size - (position & (size - 1))) & (size - 1), and size may be no power of 2
    return (bits('and', size - bits('and', position, size - 1), size - 1))
end

-- What is no value: byte order, alignment, blanks. Returns the place behind it, order and alignment.
local function control(name, option, text, at, order, alignment)
    if option == '>' or option == '<' then return at, option, alignment end
    if option == ' ' then return at, order, alignment end
    if option == '!' then
        local value
        value, at = number_at(text, at, ALIGNMENT)
        if value == 0 or bits('and', value, value - 1) ~= 0 then
            error(format('alignment %d is not a power of 2', value), 3)
        end
        return at, order, value
    end
    error(format("bad argument #1 to '%s' (invalid format option '%s')", name, option), 3)
end

-- C ends a format at a NUL.
local function format_of(name, count, value)
    if type(value) == 'number' then value = tostring(value) end
    if type(value) ~= 'string' then return nil end
    local stop = find(value, '%z')
    return stop and sub(value, 1, stop - 1) or value
end

local function integer_bytes(value, size, order)
    if size > 8 then
        local zeros = rep('\0', size - 8)
        local data = host.pack_integer(value, 8, order)
        return order == '<' and data .. zeros or zeros .. data
    end
    return host.pack_integer(value, size, order)
end

local function integer_of(data, order, signed)
    if #data > 8 then data = order == '<' and sub(data, 1, 8) or sub(data, -8) end
    if data == '' then return 0 end
    return (host.unpack_integer(data, order, signed))
end

function struct.pack(...)
    local count = select('#', ...)
    local arguments = {...}
    local text = format_of('pack', count, arguments[1])
    if not text then expected(1, 'pack', 'string', count, arguments[1]) end
    local out, argument, total, at, order, alignment = {}, 2, 0, 1, '<', 1
    while at <= #text do
        local option = sub(text, at, at)
        local size
        size, at = size_of(option, text, at + 1)
        local fill = padding(total, alignment, option, size)
        if fill > 0 then out[#out + 1] = rep('\0', fill) end
        total = total + fill
        if INTEGERS[option] or option == 'f' or option == 'd' then
            local value = tonumber(arguments[argument])
            if not value then expected(argument, 'pack', 'number', argument, arguments[argument]) end
            argument = argument + 1
            if option == 'f' then
                out[#out + 1] = host.pack_float(value, order)
            elseif option == 'd' then
                out[#out + 1] = host.pack_double(value, order)
            else
                out[#out + 1] = integer_bytes(value, size, order)
            end
        elseif option == 'x' then
            out[#out + 1] = '\0'
        elseif option == 'c' or option == 's' then
            local value = arguments[argument]
            if type(value) == 'number' then value = tostring(value) end
            if type(value) ~= 'string' then expected(argument, 'pack', 'string', argument, value) end
            argument = argument + 1
            if size == 0 then size = #value end
            if #value < size then bad_argument(argument, 'pack', 'string too short') end
            out[#out + 1] = sub(value, 1, size)
            if option == 's' then
                out[#out + 1] = '\0'
                size = size + 1
            end
        else
            at, order, alignment = control('pack', option, text, at, order, alignment)
        end
        total = total + size
    end
    return concat(out)
end

function struct.unpack(...)
    local count = select('#', ...)
    local given, data, from = ...
    local text = format_of('unpack', count, given)
    if not text then expected(1, 'unpack', 'string', count, given) end
    if type(data) == 'number' then data = tostring(data) end
    if type(data) ~= 'string' then expected(2, 'unpack', 'string', count, data) end
    local position = 0
    if from ~= nil then
        position = tonumber(from)
        if not position then expected(3, 'unpack', 'number', count, from) end
        position = position >= 0 and floor(position) or -floor(-position)
        if position == 0 then bad_argument(3, 'unpack', 'offset must be 1 or greater') end
        position = position - 1
    end
    local values, found, at, order, alignment, length = {}, 0, 1, '<', 1, #data
    while at <= #text do
        local option = sub(text, at, at)
        local size
        size, at = size_of(option, text, at + 1)
        position = position + padding(position, alignment, option, size)
        if size > length or position < 0 or position > length - size then
            bad_argument(2, 'unpack', 'data string too short')
        end
        if INTEGERS[option] then
            found = found + 1
            values[found] = integer_of(sub(data, position + 1, position + size), order, SIGNED[option] or false)
        elseif option == 'f' then
            found = found + 1
            values[found] = host.unpack_float(sub(data, position + 1, position + 4), order)
        elseif option == 'd' then
            found = found + 1
            values[found] = host.unpack_double(sub(data, position + 1, position + 8), order)
        elseif option == 'c' then
            if size == 0 then
                size = found > 0 and tonumber(values[found])
                if not size then error("format 'c0' needs a previous size", 2) end
                size = size >= 0 and floor(size) or length + 1
                values[found] = nil
                found = found - 1
                if size > length or position > length - size then bad_argument(2, 'unpack', 'data string too short') end
            end
            found = found + 1
            values[found] = sub(data, position + 1, position + size)
        elseif option == 's' then
            local stop = find(data, '%z', position + 1)
            if not stop then error('unfinished string in data', 2) end
            found = found + 1
            values[found] = sub(data, position + 1, stop - 1)
            size = stop - position
        elseif option ~= 'x' then
            at, order, alignment = control('unpack', option, text, at, order, alignment)
        end
        position = position + size
    end
    values[found + 1] = position + 1
    return unpack(values, 1, found + 1)
end

function struct.size(...)
    local count = select('#', ...)
    local text = format_of('size', count, (...))
    if not text then expected(1, 'size', 'string', count, (...)) end
    local position, at, order, alignment = 0, 1, '<', 1
    while at <= #text do
        local option = sub(text, at, at)
        local size
        size, at = size_of(option, text, at + 1)
        position = position + padding(position, alignment, option, size)
        if option == 's' then bad_argument(1, 'size', "option 's' has no fixed size") end
        if option == 'c' and size == 0 then bad_argument(1, 'size', "option 'c0' has no fixed size") end
        if not find(option, '%w') then
            at, order, alignment = control('size', option, text, at, order, alignment)
        end
        position = position + size
    end
    return position
end

host.libraries.bit, host.libraries.struct = bit, struct
