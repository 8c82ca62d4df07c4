-- cjson: JSON as lua-cjson 2.1 reads and writes it. Written in Lua, so that a script's memory and time are its own.

local host = ...
local bad_argument, expected, null = host.bad_argument, host.expected, host.null
local string, math = host.lua.string, host.lua.math
local type, error, select, next, tostring, tonumber, rawget = type, error, select, next, tostring, tonumber, rawget
local find, sub, byte, gsub, format, char, concat = string.find, string.sub, string.byte, string.gsub, string.format,
    string.char, host.lua.table.concat
local floor, huge = math.floor, math.huge
local true_table = host.true_table

local function new()
    local cjson = {null = null, _NAME = 'cjson', _VERSION = '2.1.0'}
    local encode_depth, decode_depth = 1000, 1000
    local convert, ratio, safe = false, 2, 10
    local precision, number_format = 14, '%.14g'
    local encode_invalid, decode_invalid, keep_buffer = false, true, true

    -- Writing

    local ESCAPES = {
        ['"'] = '\\"', ['\\'] = '\\\\', ['/'] = '\\/', ['\b'] = '\\b', ['\t'] = '\\t', ['\n'] = '\\n', ['\f'] = '\\f',
        ['\r'] = '\\r', ['\127'] = '\\u007f',
    }
    for code = 0, 31 do
        ESCAPES[char(code)] = ESCAPES[char(code)] or format('\\u%04x', code)
    end
    ESCAPES['%z'] = nil

    local function quote(text)
        if find(text, '[%z\1-\31"\\/\127]') then text = gsub(text, '[%z\1-\31"\\/\127]', ESCAPES) end
        return '"' .. text .. '"'
    end

    local function refuse(value, why)
        error({serialise = 'Cannot serialise ' .. (type(value) == 'userdata' and 'userdata' or type(value)) .. ': ' .. why}, 0)
    end

    local function number(value)
        if value ~= value or value == huge or value == -huge then
            if encode_invalid == 'null' then return 'null' end
            if not encode_invalid then refuse(value, 'must not be NaN or Inf') end
            if value ~= value then return 'nan' end
            return value > 0 and 'inf' or '-inf'
        end
        return format(number_format, value)
    end

    -- The length of a table as an array; -1 where it is an object.
    local function array_length(value)
        local most, count = 0, 0
        for key in next, value do
            if type(key) == 'number' and key ~= 0 and floor(key) == key and key >= 1 then
                if key > most then most = key end
                count = count + 1
            else
                return -1
            end
        end
        if ratio > 0 and most > count * ratio and most > safe then
            if not convert then refuse(value, 'excessively sparse array') end
            return -1
        end
        return most
    end

    local append

    local function append_table(value, out, size, depth)
        local length = array_length(value)
        if length > 0 then
            out[size + 1] = '['
            size = size + 1
            for index = 1, length do
                if index > 1 then
                    size = size + 1
                    out[size] = ','
                end
                size = append(rawget(value, index), out, size, depth)
            end
            out[size + 1] = ']'
            return size + 1
        end
        local begin = '{'
        for key, each in next, value do
            local name
            if type(key) == 'number' then
                name = begin .. '"' .. number(key) .. '":'
            elseif type(key) == 'string' then
                name = begin .. quote(key) .. ':'
            else
                refuse(key, 'table key must be a number or string')
            end
            size = size + 1
            out[size] = name
            size = append(each, out, size, depth)
            begin = ','
        end
        out[size + 1] = begin == '{' and '{}' or '}'
        return size + 1
    end

    append = function(value, out, size, depth)
        local kind = type(value)
        if kind == 'string' then
            out[size + 1] = quote(value)
        elseif kind == 'number' then
            out[size + 1] = number(value)
        elseif kind == 'table' then
            if depth + 1 > encode_depth then
                error({serialise = 'Cannot serialise, excessive depth (' .. depth + 1 .. ')'}, 0)
            end
            return append_table(true_table[value] or value, out, size, depth + 1)
        elseif kind == 'boolean' then
            out[size + 1] = value and 'true' or 'false'
        elseif value == nil or value == null then
            out[size + 1] = 'null'
        else
            refuse(value, 'type not supported')
        end
        return size + 1
    end

    local pcall = pcall

    function cjson.encode(...)
        if select('#', ...) ~= 1 then bad_argument(1, 'encode', 'expected 1 argument') end
        local out = {}
        local ok, size = pcall(append, ..., out, 0, 0)
        if not ok then
            if type(size) == 'table' and size.serialise then error(size.serialise, 2) end
            error(size, 0)
        end
        return concat(out, '', 1, size)
    end

    -- Reading. ``text`` is looked at from ``at`` on; what is wrong is raised as a table and gets its line in ``decode``.

    local KINDS = {
        ['{'] = 'T_OBJ_BEGIN', ['}'] = 'T_OBJ_END', ['['] = 'T_ARR_BEGIN', [']'] = 'T_ARR_END', [':'] = 'T_COLON',
        [','] = 'T_COMMA',
    }
    local WORDS = {['true'] = 'T_BOOLEAN', ['false'] = 'T_BOOLEAN', ['null'] = 'T_NULL'}
    local PLAIN = {
        ['"'] = '"', ['\\'] = '\\', ['/'] = '/', b = '\b', t = '\t', n = '\n', f = '\f', r = '\r',
    }

    local function problem(wanted, found, at)
        error({parse = format('Expected %s but found %s at character %d', wanted, found, at)}, 0)
    end

    local function utf8(code)
        if code < 0x80 then return char(code) end
        if code < 0x800 then return char(0xC0 + floor(code / 64), 0x80 + code % 64) end
        if code < 0x10000 then
            return char(0xE0 + floor(code / 4096), 0x80 + floor(code / 64) % 64, 0x80 + code % 64)
        end
        return char(0xF0 + floor(code / 262144), 0x80 + floor(code / 4096) % 64, 0x80 + floor(code / 64) % 64,
            0x80 + code % 64)
    end

    local function hex4(text, at)
        local digits = sub(text, at, at + 3)
        return find(digits, '^%x%x%x%x$') and tonumber(digits, 16)
    end

    -- The string whose quote is at ``at``; the place behind it.
    local function string_at(text, at, wanted)
        local from = at + 1
        local stop = find(text, '["\\%z]', from)
        if stop and byte(text, stop) == 34 then return sub(text, from, stop - 1), stop + 1 end
        local pieces, count = {}, 0
        while true do
            if not stop then problem(wanted, 'unexpected end of string', #text + 1) end
            local what = byte(text, stop)
            if what == 0 then problem(wanted, 'unexpected end of string', stop) end
            pieces[count + 1] = sub(text, from, stop - 1)
            count = count + 1
            if what == 34 then return concat(pieces), stop + 1 end
            local escape = sub(text, stop + 1, stop + 1)
            local piece = PLAIN[escape]
            from = stop + 2
            if escape == 'u' then
                local code = hex4(text, stop + 2)
                from = stop + 6
                if code and code >= 0xD800 and code < 0xE000 then
                    local second = code < 0xDC00 and sub(text, stop + 6, stop + 7) == '\\u' and hex4(text, stop + 8)
                    if second and second >= 0xDC00 and second < 0xE000 then
                        code = 0x10000 + (code - 0xD800) * 1024 + second - 0xDC00
                        from = stop + 12
                    else
                        code = nil
                    end
                end
                if not code then problem(wanted, 'invalid unicode escape code', stop) end
                piece = utf8(code)
            elseif not piece then
                problem(wanted, 'invalid escape code', stop)
            end
            pieces[count + 1] = piece
            count = count + 1
            stop = find(text, '["\\%z]', from)
        end
    end

    -- What C's strtod would read at ``at``; the place behind it, nil where there is no number.
    local function number_at(text, at)
        local _, last, whole = find(text, '^[+-]?0[xX](%x+)', at)
        if last then
            local value = tonumber(whole, 16)
            if not value or #whole > 8 then
                value = 0
                for digit in string.gmatch(whole, '%x') do value = value * 16 + tonumber(digit, 16) end
            end
            return byte(text, at) == 45 and -value or value, last + 1
        end
        local lower = string.lower(sub(text, at, at + 9))
        local _, finish, sign, word = find(lower, '^([+-]?)(infinity)')
        if not finish then _, finish, sign, word = find(lower, '^([+-]?)(inf)') end
        if not finish then _, finish, sign, word = find(lower, '^([+-]?)(nan)') end
        if finish then
            local value = word == 'nan' and 0 / 0 or huge
            return sign == '-' and -value or value, at + finish
        end
        _, last = find(text, '^[+-]?%d+%.?%d*', at)
        if not last then _, last = find(text, '^[+-]?%.%d+', at) end
        if not last then return nil end
        local _, exponent = find(text, '^[eE][+-]?%d+', last + 1)
        last = exponent or last
        return tonumber(sub(text, at, last)), last + 1
    end

    local function is_invalid(text, at)
        local first = byte(text, at)
        if first == 45 or first == 43 then at = at + 1; first = byte(text, at) end
        if first == 48 then
            local second = byte(text, at + 1)
            if second == 120 or second == 88 then return true end
            return second ~= nil and second >= 48 and second <= 57
        end
        if first and first >= 49 and first <= 57 then return false end
        local word = string.lower(sub(text, at, at + 2))
        return word == 'inf' or word == 'nan'
    end

    -- The next token: what kind it is, its value, where it begins, and the place behind it.
    local function token(text, at, wanted)
        at = find(text, '[^ \t\n\r]', at) or #text + 1
        local first = sub(text, at, at)
        if first == '' or first == '\0' then return 'T_END', nil, at, at end
        local kind = KINDS[first]
        if kind then return kind, nil, at, at + 1 end
        if first == '"' then
            local value, behind = string_at(text, at, wanted)
            return 'T_STRING', value, at, behind
        end
        if find(first, '[%d+-]') then
            if not decode_invalid and is_invalid(text, at) then problem(wanted, 'invalid number', at) end
            local value, behind = number_at(text, at)
            if not value then problem(wanted, 'invalid number', at) end
            return 'T_NUMBER', value, at, behind
        end
        local word = find(text, '^true', at) and 'true' or find(text, '^false', at) and 'false'
            or find(text, '^null', at) and 'null'
        if word then return WORDS[word], word, at, at + #word end
        if decode_invalid and is_invalid(text, at) then
            local value, behind = number_at(text, at)
            if value then return 'T_NUMBER', value, at, behind end
        end
        problem(wanted, 'invalid token', at)
    end

    local value_of

    local function check_depth(depth, at)
        if depth > decode_depth then
            error({parse = format('Found too many nested data structures (%d) at character %d', depth, at)}, 0)
        end
    end

    local function array_at(text, at, depth)
        local result, count = {}, 0
        local kind, value, place, behind = token(text, at, 'value')
        if kind == 'T_ARR_END' then return result, behind end
        while true do
            value, behind = value_of(text, kind, value, place, behind, depth)
            count = count + 1
            result[count] = value
            kind, value, place, behind = token(text, behind, 'comma or array end')
            if kind == 'T_ARR_END' then return result, behind end
            if kind ~= 'T_COMMA' then problem('comma or array end', kind, place) end
            kind, value, place, behind = token(text, behind, 'value')
        end
    end

    local function object_at(text, at, depth)
        local result = {}
        local kind, name, place, behind = token(text, at, 'object key string')
        if kind == 'T_OBJ_END' then return result, behind end
        while true do
            if kind ~= 'T_STRING' then problem('object key string', kind, place) end
            local value
            kind, value, place, behind = token(text, behind, 'colon')
            if kind ~= 'T_COLON' then problem('colon', kind, place) end
            kind, value, place, behind = token(text, behind, 'value')
            value, behind = value_of(text, kind, value, place, behind, depth)
            result[name] = value
            kind, name, place, behind = token(text, behind, 'comma or object end')
            if kind == 'T_OBJ_END' then return result, behind end
            if kind ~= 'T_COMMA' then problem('comma or object end', kind, place) end
            kind, name, place, behind = token(text, behind, 'object key string')
        end
    end

    value_of = function(text, kind, value, place, behind, depth)
        if kind == 'T_STRING' or kind == 'T_NUMBER' then return value, behind end
        if kind == 'T_BOOLEAN' then return value == 'true', behind end
        if kind == 'T_NULL' then return null, behind end
        if kind == 'T_OBJ_BEGIN' then
            check_depth(depth + 1, place)
            return object_at(text, behind, depth + 1)
        end
        if kind == 'T_ARR_BEGIN' then
            check_depth(depth + 1, place)
            return array_at(text, behind, depth + 1)
        end
        problem('value', kind, place)
    end

    local function document(text)
        if #text > 1 and (byte(text, 1) == 0 or byte(text, 2) == 0) and byte(text, 1) ~= byte(text, 2) then
            error({parse = 'JSON parser does not support UTF-16 or UTF-32'}, 0)
        end
        local kind, value, place, behind = token(text, 1, 'value')
        value, behind = value_of(text, kind, value, place, behind, 0)
        kind, _, place = token(text, behind, 'the end')
        if kind ~= 'T_END' then problem('the end', kind, place) end
        return value
    end

    function cjson.decode(...)
        if select('#', ...) ~= 1 then bad_argument(1, 'decode', 'expected 1 argument') end
        local text = ...
        if type(text) == 'number' then text = tostring(text) end
        if type(text) ~= 'string' then expected(1, 'decode', 'string', 1, text) end
        local ok, value = pcall(document, text)
        if ok then return value end
        if type(value) == 'table' and value.parse then error(value.parse, 2) end
        error(value, 0)
    end

    -- Settings, which stay as a script leaves them

    local function integer(name, number, count, value, low, high)
        local found = tonumber(value)
        if not found then expected(number, name, 'number', count, value, 1) end
        found = found >= 0 and floor(found) or -floor(-found)
        if found < low or found > high then
            bad_argument(number, name, format('expected integer between %d and %d', low, high), 1)
        end
        return found
    end

    local function too_many(name, count, most)
        if count > most then bad_argument(most + 1, name, 'found too many arguments', 1) end
    end

    local MOST = 2147483647

    function cjson.encode_max_depth(...)
        local count, value = select('#', ...), (...)
        too_many('encode_max_depth', count, 1)
        if value ~= nil then encode_depth = integer('encode_max_depth', 1, count, value, 1, MOST) end
        return encode_depth
    end

    function cjson.decode_max_depth(...)
        local count, value = select('#', ...), (...)
        too_many('decode_max_depth', count, 1)
        if value ~= nil then decode_depth = integer('decode_max_depth', 1, count, value, 1, MOST) end
        return decode_depth
    end

    function cjson.encode_number_precision(...)
        local count, value = select('#', ...), (...)
        too_many('encode_number_precision', count, 1)
        if value ~= nil then
            precision = integer('encode_number_precision', 1, count, value, 1, 14)
            number_format = '%.' .. precision .. 'g'
        end
        return precision
    end

    -- A switch: true or false, or 'on' or 'off', or where ``more`` is given that.
    local function switch(name, value, old, more)
        if value == nil then return old end
        if type(value) == 'boolean' then return value end
        if value == 'off' then return false end
        if value == 'on' then return true end
        if more and value == more then return more end
        if type(value) ~= 'string' and type(value) ~= 'number' then expected(1, name, 'string', 1, value, 1) end
        bad_argument(1, name, "invalid option '" .. tostring(value):match('^[^%z]*') .. "'", 1)
    end

    function cjson.encode_sparse_array(...)
        local count = select('#', ...)
        too_many('encode_sparse_array', count, 3)
        local first, second, third = ...
        convert = switch('encode_sparse_array', first, convert)
        if second ~= nil then ratio = integer('encode_sparse_array', 2, count, second, 0, MOST) end
        if third ~= nil then safe = integer('encode_sparse_array', 3, count, third, 0, MOST) end
        return convert, ratio, safe
    end

    function cjson.encode_invalid_numbers(...)
        too_many('encode_invalid_numbers', select('#', ...), 1)
        encode_invalid = switch('encode_invalid_numbers', (...), encode_invalid, 'null')
        return encode_invalid
    end

    function cjson.decode_invalid_numbers(...)
        too_many('decode_invalid_numbers', select('#', ...), 1)
        decode_invalid = switch('decode_invalid_numbers', (...), decode_invalid)
        return decode_invalid
    end

    function cjson.encode_keep_buffer(...)
        too_many('encode_keep_buffer', select('#', ...), 1)
        keep_buffer = switch('encode_keep_buffer', (...), keep_buffer)
        return keep_buffer
    end

    cjson.new = new
    return cjson
end

host.libraries = {cjson = new()}
