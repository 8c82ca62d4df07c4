-- string.find, match, gmatch and gsub without patterns that hold the server.
--
-- Lua's own matcher is C, which nothing interrupts, and it tries every way in which a pattern may match: three ``.-`` on
-- a long text take minutes, thirty ``a?`` on a short one, too. So what might take long is matched by a double of it
-- that is written in Lua: about fifty times slower, but a script in it can be killed as in any other place. Whether it
-- might is reckoned from the length of the text and the repetitions in the pattern.

local host = ...
local base, bad_argument, expected = host.base, host.bad_argument, host.expected
local string, table = host.lua.string, host.lua.table
local type, error, select, tostring, tonumber, pcall, unpack = type, error, select, tostring, tonumber, pcall, unpack
local find, match, gsub, byte, sub, lower = string.find, string.match, string.gsub, string.byte, string.sub, string.lower
local concat = table.concat

local TOO_MANY_STEPS = 1e10
local LONGEST = 5000 -- bytes of a pattern: C's matcher calls itself for each repetition
local MOST_CAPTURES = 32
local POSITION, OPEN = -2, -1

-- The double. A match has the subject ``s``, the pattern ``p``, and captures: where each begins, and its length.

local CLASSES = {}
for letter in string.gmatch('acdlpsuwxz', '.') do
    local members, others = {}, {}
    for code = 0, 255 do
        local inside = find(string.char(code), '%' .. letter) ~= nil
        members[code], others[code] = inside, not inside
    end
    CLASSES[byte(letter)], CLASSES[byte(string.upper(letter))] = members, others
end

local function malformed(what)
    error('malformed pattern (' .. what .. ')', 0)
end

-- The place behind the single-character item at ``at``.
local function item_end(p, at)
    local code = byte(p, at)
    at = at + 1
    if code == 37 then
        if at > #p then malformed("ends with '%'") end
        return at + 1
    end
    if code == 91 then
        if byte(p, at) == 94 then at = at + 1 end
        repeat
            if at > #p then malformed("missing ']'") end
            local inner = byte(p, at)
            at = at + 1
            if inner == 37 and at <= #p then at = at + 1 end
        until byte(p, at) == 93
        return at + 1
    end
    return at
end

local function in_class(code, class)
    local members = CLASSES[class]
    if members then return members[code] end
    return code == class
end

local function in_set(code, p, at, last)
    local wanted = true
    at = at + 1
    if byte(p, at) == 94 then
        wanted = false
        at = at + 1
    end
    while at < last do
        local first = byte(p, at)
        if first == 37 then
            at = at + 1
            if in_class(code, byte(p, at)) then return wanted end
            at = at + 1
        elseif byte(p, at + 1) == 45 and at + 2 < last then
            if first <= code and code <= byte(p, at + 2) then return wanted end
            at = at + 3
        else
            if first == code then return wanted end
            at = at + 1
        end
    end
    return not wanted
end

local function fits(code, p, at, behind)
    local kind = byte(p, at)
    if kind == 46 then return true end
    if kind == 37 then return in_class(code, byte(p, at + 1)) end
    if kind == 91 then return in_set(code, p, at, behind - 1) end
    return kind == code
end

local try

local function open(m, s, si, p, pi, what)
    if m.count >= MOST_CAPTURES then error('too many captures', 0) end
    m.count = m.count + 1
    m[m.count] = {si, what}
    local found = try(m, s, si, p, pi)
    if not found then m.count = m.count - 1 end
    return found
end

local function close(m, s, si, p, pi)
    for level = m.count, 1, -1 do
        if m[level][2] == OPEN then
            m[level][2] = si - m[level][1]
            local found = try(m, s, si, p, pi)
            if not found then m[level][2] = OPEN end
            return found
        end
    end
    error('invalid pattern capture', 0)
end

local function balanced(s, si, p, pi)
    local first, last = byte(p, pi), byte(p, pi + 1)
    if not first or not last then error('unbalanced pattern', 0) end
    if byte(s, si) ~= first then return nil end
    local depth = 1
    for place = si + 1, #s do
        local code = byte(s, place)
        if code == last then
            depth = depth - 1
            if depth == 0 then return place + 1 end
        elseif code == first then
            depth = depth + 1
        end
    end
    return nil
end

-- Whether the pattern from ``pi`` on matches the subject from ``si`` on: the place behind it, or nil.
try = function(m, s, si, p, pi)
    while true do
        if pi > #p then return si end
        local kind, after = byte(p, pi), byte(p, pi + 1)
        if kind == 40 then
            if after == 41 then return open(m, s, si, p, pi + 2, POSITION) end
            return open(m, s, si, p, pi + 1, OPEN)
        end
        if kind == 41 then return close(m, s, si, p, pi + 1) end
        if kind == 36 and pi == #p then return si == #s + 1 and si or nil end
        if kind == 37 and after == 98 then
            si = balanced(s, si, p, pi + 2)
            if not si then return nil end
            pi = pi + 4
        elseif kind == 37 and after == 102 then
            pi = pi + 2
            if byte(p, pi) ~= 91 then error("missing '[' after '%f' in pattern", 0) end
            local behind = item_end(p, pi)
            local before = si > 1 and byte(s, si - 1) or 0
            if in_set(before, p, pi, behind - 1) or not in_set(byte(s, si) or 0, p, pi, behind - 1) then return nil end
            pi = behind
        elseif kind == 37 and after and after >= 48 and after <= 57 then
            local capture = m[after - 48]
            if after == 48 or after - 48 > m.count or capture[2] == OPEN then error('invalid capture index', 0) end
            local text = sub(s, capture[1], capture[1] + capture[2] - 1)
            if sub(s, si, si + #text - 1) ~= text then return nil end
            si, pi = si + #text, pi + 2
        else
            local behind = item_end(p, pi)
            local repetition = byte(p, behind)
            if repetition == 63 then
                if si <= #s and fits(byte(s, si), p, pi, behind) then
                    local found = try(m, s, si + 1, p, behind + 1)
                    if found then return found end
                end
                pi = behind + 1
            elseif repetition == 42 or repetition == 43 then
                local count = 0
                while si + count <= #s and fits(byte(s, si + count), p, pi, behind) do count = count + 1 end
                for taken = count, repetition == 43 and 1 or 0, -1 do
                    local found = try(m, s, si + taken, p, behind + 1)
                    if found then return found end
                end
                return nil
            elseif repetition == 45 then
                while true do
                    local found = try(m, s, si, p, behind + 1)
                    if found then return found end
                    if si > #s or not fits(byte(s, si), p, pi, behind) then return nil end
                    si = si + 1
                end
            else
                if si > #s or not fits(byte(s, si), p, pi, behind) then return nil end
                si, pi = si + 1, behind
            end
        end
    end
end

local function capture_of(m, index, s, from, behind)
    if index > m.count then
        if index ~= 1 then error('invalid capture index', 0) end
        return sub(s, from, behind - 1)
    end
    local begin, length = m[index][1], m[index][2]
    if length == POSITION then return begin end
    if length == OPEN then error('unfinished capture', 0) end
    return sub(s, begin, begin + length - 1)
end

local function captures_of(m, s, from, behind, whole)
    local values = {}
    local count = (m.count == 0 and whole) and 1 or m.count
    for index = 1, count do values[index] = capture_of(m, index, s, from, behind) end
    return values, count
end

-- The first match at or behind ``from``: the captures' table, where it begins, and the place behind it.
local function search(s, p, from)
    local anchored = byte(p, 1) == 94
    local first = anchored and 2 or 1
    for begin = from, anchored and from or #s + 1 do
        local m = {count = 0}
        local behind = try(m, s, begin, p, first)
        if behind then return m, begin, behind end
    end
    return nil
end

local function start_of(s, init)
    if init < 0 then init = init + #s + 1 end
    if init > #s then return #s + 1 end
    return init < 1 and 1 or init
end

local function slow_find(s, p, init)
    local m, begin, behind = search(s, p, start_of(s, init or 1))
    if not m then return nil end
    local values, count = captures_of(m, s, begin, behind, false)
    return begin, behind - 1, unpack(values, 1, count)
end

local function slow_match(s, p, init)
    local m, begin, behind = search(s, p, start_of(s, init or 1))
    if not m then return nil end
    local values, count = captures_of(m, s, begin, behind, true)
    return unpack(values, 1, count)
end

local settle

local function slow_gmatch(s, p)
    local from = 1
    local function next_match()
        for begin = from, #s + 1 do
            local m = {count = 0}
            local behind = try(m, s, begin, p, 1)
            if behind then
                from = behind == begin and behind + 1 or behind
                local values, count = captures_of(m, s, begin, behind, true)
                return unpack(values, 1, count)
            end
        end
        from = #s + 2
        return nil
    end
    return function() return settle('gmatch', pcall(next_match)) end
end

local function expand(text, m, s, from, behind)
    return (gsub(text, '%%(.?)', function(letter)
        if letter == '0' then return sub(s, from, behind - 1) end
        if find(letter, '%d') then return tostring(capture_of(m, tonumber(letter), s, from, behind)) end
        return letter
    end))
end

local function slow_gsub(s, p, by, limit)
    local anchored = byte(p, 1) == 94
    local out, count, at = {}, 0, 1
    while count < limit do
        local m = {count = 0}
        local behind = try(m, s, at, p, anchored and 2 or 1)
        if behind then
            count = count + 1
            local whole = sub(s, at, behind - 1)
            local value
            if type(by) == 'function' then
                local values, size = captures_of(m, s, at, behind, true)
                value = by(unpack(values, 1, size))
            elseif type(by) == 'table' then
                value = by[capture_of(m, 1, s, at, behind)]
            else
                value = expand(by, m, s, at, behind)
            end
            if not value then
                value = whole
            elseif type(value) ~= 'string' and type(value) ~= 'number' then
                error('invalid replacement value (a ' .. type(value) .. ')', 0)
            end
            out[#out + 1] = value
        end
        if behind and behind > at then
            at = behind
        elseif at <= #s then
            out[#out + 1] = sub(s, at, at)
            at = at + 1
        else
            break
        end
        if anchored then break end
    end
    out[#out + 1] = sub(s, at)
    return concat(out), count
end

-- Which matcher -----------------------------------------------------------------------------------------------------------

local repetitions, known = {}, 0 -- patterns -> how often they repeat without end, and how often they may leave out

local function might_take_long(s, p)
    local found = repetitions[p]
    if not found then
        if known >= 500 then repetitions, known = {}, 0 end
        local _, endless = gsub(p, '[*+-]', '')
        local _, optional = gsub(p, '%?', '')
        found = {endless, optional}
        repetitions[p], known = found, known + 1
    end
    -- a match is tried from each place of the subject, too
    return (#s + 1) ^ (found[1] + 1) * 2 ^ found[2] > TOO_MANY_STEPS
end

local OURS = {'^malformed pattern', '^unbalanced pattern', '^invalid pattern capture', '^invalid capture index', '^too many captures',
    '^unfinished capture', "^missing '%[' after", '^invalid replacement value', '^string slice too long'}

-- The results of a call; an error of Lua's library gets the line that has called.
settle = function(name, ok, ...)
    if ok then return ... end
    local problem = ...
    if type(problem) == 'string' then
        local number, what = match(problem, "^bad argument #(%d+) to '%?' %((.*)%)$")
        if number then bad_argument(tonumber(number), name, what, 1) end
        for index = 1, #OURS do
            if find(problem, OURS[index]) then error(problem, 3) end
        end
    end
    error(problem, 0)
end

local function define(name, fast, slow)
    base.string[name] = function(...)
        local s, p = ...
        if type(s) == 'string' and type(p) == 'string' then
            local size = #p
            if size > LONGEST then
                if not (name == 'find' and select(4, ...)) then error('pattern too complex', 2) end
            elseif #s * size > 64 and might_take_long(s, p) and not (name == 'find' and select(4, ...)) then
                if name == 'gsub' then
                    local by, limit = select(3, ...)
                    local kind = type(by)
                    if kind == 'number' or kind == 'string' or kind == 'function' or kind == 'table' then
                        if kind == 'number' then by = tostring(by) end
                        return settle(name, pcall(slow, s, p, by, tonumber(limit) or #s + 1))
                    end
                else
                    return settle(name, pcall(slow, s, p, tonumber((select(3, ...)))))
                end
            end
        end
        return settle(name, pcall(fast, ...))
    end
end

define('find', find, slow_find)
define('match', match, slow_match)
define('gmatch', string.gmatch, slow_gmatch)
define('gsub', gsub, slow_gsub)
base.string.gfind = base.string.gmatch
