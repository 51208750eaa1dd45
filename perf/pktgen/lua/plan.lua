-- SPDX-License-Identifier: BSD-3-Clause
-- plan.lua - a profile's table, checked, becomes a list of cases. Pure: no back end, no clock, no output.
--
-- What a profile may say (README.md has the words for it):
--   name, about   the file's name; one line for --list
--   traffic       protocol "udp" | "udp6" | "syn", size (with FCS), sources, flows; or mix; or capture = true.
--                 fewer_do: a generator that can't make as many sources and flows makes what it can, and says how many
--   sweep         { traffic's field = { values } }: one case for each
--   cases         or: { { name =, traffic =, load = }, … }, each over the profile's own traffic and load
--   load          rate_pps (a number, or "most"), seconds, repeats; or search = { loss_ppm, resolution, … }
--   control       { traffic =, seconds =, steady =, tries = }: measured before and after every case (figure of_control)
--   during        "swap": tables are swapped while it runs
--   bars          { { figure =, at_least = | at_most =, case =, over =, across = "least/most" }, … }
--   quick         what --quick replaces of sweep, load and bars
local plan = {}

local FIELDS = {
    profile = { name = "string", about = "string", traffic = "table", sweep = "table", cases = "table",
        load = "table", control = "table", during = "string", bars = "table", quick = "table" },
    traffic = { protocol = "string", size = "number", sources = "number", flows = "number", mix = "table",
        capture = "boolean", fewer_do = "boolean" },
    load = { rate_pps = "any", seconds = "number", repeats = "number", search = "table" },
    search = { loss_ppm = "number", resolution = "number", seconds = "number", confirm_seconds = "number",
        ceiling_pps = "number" },
    bar = { figure = "string", at_least = "number", at_most = "number", case = "string", over = "string",
        across = "string" },
    control = { traffic = "table", seconds = "number", steady = "number", tries = "number" },
    quick = { sweep = "table", load = "table", bars = "table" },
    case = { name = "string", traffic = "table", load = "table" },
}
local PROTOCOLS = { udp = true, udp6 = true, syn = true }
-- With FCS. IPv6 with UDP and the generator's stamp needs more than 64.
local SIZE_MIN, SIZE_MAX = { udp = 64, syn = 78, udp6 = 84 }, 1518

local function fail(...)
    error("profile: " .. string.format(...), 0)
end

local function check_fields(kind, t)
    for k, v in pairs(t) do
        local want = FIELDS[kind][k]
        if not want then
            fail("%s has no field %s", kind, tostring(k))
        end
        if want ~= "any" and type(v) ~= want then
            fail("%s.%s is a %s, not a %s", kind, k, want, type(v))
        end
    end
    return t
end

local function merge(a, b)
    local out = {}
    for _, t in ipairs({ a or {}, b or {} }) do
        for k, v in pairs(t) do
            out[k] = v
        end
    end
    return out
end

local function power_of_two(n)
    return math.type(n) == "integer" and n >= 1 and n & (n - 1) == 0
end

local function check_traffic(t)
    check_fields("traffic", t)
    t.protocol = t.protocol or "udp"
    t.sources = t.sources or 1
    t.flows = t.flows or t.sources
    if not PROTOCOLS[t.protocol] then
        fail("protocol %s: there are udp, udp6, syn", t.protocol)
    end
    if not power_of_two(t.sources) or not power_of_two(t.flows) or t.flows < t.sources then
        fail("sources and flows are powers of two, flows no fewer than sources")
    end
    if not t.mix and not t.capture then
        t.size = t.size or SIZE_MIN[t.protocol]
        if t.size < SIZE_MIN[t.protocol] or t.size > SIZE_MAX then
            fail("size %d: %s frames have %d to %d bytes with FCS", t.size, t.protocol, SIZE_MIN[t.protocol], SIZE_MAX)
        end
    end
    return t
end

local function check_load(load)
    check_fields("load", load)
    if load.search then
        check_fields("search", load.search)
        load.search = merge({ loss_ppm = 0, resolution = 0.02, seconds = 2, confirm_seconds = 10 }, load.search)
    elseif load.rate_pps ~= "most" and (type(load.rate_pps) ~= "number" or load.rate_pps <= 0) then
        fail('load.rate_pps is a number of packets a second, or "most"')
    end
    load.seconds = load.seconds or 5
    load.repeats = load.repeats or 1
    return load
end

-- As a case, of the load "most".
local function check_control(p)
    local c = merge({ seconds = 1, steady = 0.8, tries = 3 }, check_fields("control", p.control))
    return { name = "control", load = check_load({ rate_pps = "most", seconds = c.seconds }),
        traffic = check_traffic(merge(p.traffic, c.traffic)), steady = c.steady, tries = c.tries }
end

local function check_bars(bars, names)
    for _, bar in ipairs(bars) do
        check_fields("bar", bar)
        if not bar.figure or (bar.at_least == nil) == (bar.at_most == nil) then
            fail("a bar has a figure and either at_least or at_most")
        end
        for _, case in ipairs({ bar.case, bar.over }) do
            if not names[case] then
                fail("a bar speaks of case %s, which is none", case)
            end
        end
        if bar.across and bar.across ~= "least/most" then
            fail('across is "least/most"')
        end
    end
end

local function shown(field, value)
    return field ~= "size" and math.type(value) == "integer" and value >= 1024 and value & (value - 1) == 0
        and string.format("2^%d", math.tointeger(math.log(value, 2))) or tostring(value)
end

-- One field, its values in the order they are written.
local function cases_of_sweep(sweep)
    local field, values = next(sweep)
    if not field or next(sweep, field) then
        fail("a sweep goes over one field")
    end
    local cases = {}
    for i, value in ipairs(values) do
        cases[i] = { name = field .. " " .. shown(field, value), traffic = { [field] = value } }
    end
    return cases
end

--- The profile with `cases` filled in and every default written out. Raises a text on the first thing that is wrong.
function plan.make(profile, quick)
    check_fields("profile", profile)
    local p = merge(profile)
    if not p.name or not p.about or not p.load or not p.bars then
        fail("a profile has name, about, load and bars")
    end
    check_fields("quick", p.quick or {})
    if quick and p.quick then
        p.sweep = p.quick.sweep or p.sweep
        p.bars = p.quick.bars or p.bars
    end
    if p.during and p.during ~= "swap" then
        fail('during is "swap"')
    end
    local cases, names = p.cases or (p.sweep and cases_of_sweep(p.sweep)) or { { name = p.name } }, {}
    p.cases = {}
    for i, case in ipairs(cases) do
        check_fields("case", case)
        local load = merge(merge(p.load, case.load), quick and p.quick and p.quick.load)
        if load.search and quick and p.quick and p.quick.load then
            load.search = merge(p.load.search, p.quick.load.search)
        end
        p.cases[i] = { name = case.name, load = check_load(load),
            traffic = check_traffic(merge(p.traffic, case.traffic)) }
        names[case.name] = true
    end
    check_bars(p.bars, names)
    p.control = p.control and check_control(p)
    p.quick, p.sweep = nil, nil
    return p
end

return plan
