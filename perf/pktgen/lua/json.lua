-- SPDX-License-Identifier: BSD-3-Clause
-- json.lua - one value as one line of JSON. Keys sorted, so that the same result is the same line.
local json = {}

local ESCAPES = { ['"'] = '\\"', ["\\"] = "\\\\", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t" }

local function text(s)
    return '"' .. s:gsub('[%c"\\]', function(c)
        return ESCAPES[c] or string.format("\\u%04x", c:byte())
    end) .. '"'
end

local function number(x)
    if x ~= x or x == math.huge or x == -math.huge then
        return "null"
    end
    return math.type(x) == "integer" and string.format("%d", x) or string.format("%.6g", x)
end

local function members(t)
    local keys, out = {}, {}
    for k in pairs(t) do
        keys[#keys + 1] = k
    end
    table.sort(keys)
    for i, k in ipairs(keys) do
        out[i] = text(k) .. ": " .. json.encode(t[k])
    end
    return "{" .. table.concat(out, ", ") .. "}"
end

--- A table with t[1] is an array; with string keys, an object; an empty one, an array.
function json.encode(v)
    local kind = type(v)
    if kind == "table" then
        if next(v) ~= nil and v[1] == nil then
            return members(v)
        end
        local out = {}
        for i, x in ipairs(v) do
            out[i] = json.encode(x)
        end
        return "[" .. table.concat(out, ", ") .. "]"
    elseif kind == "number" then
        return number(v)
    elseif kind == "string" then
        return text(v)
    end
    return kind == "boolean" and tostring(v) or "null"
end

return json
