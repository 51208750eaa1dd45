-- SPDX-License-Identifier: BSD-3-Clause
-- engine.lua - runs a profile on a back end and writes what happens as JSON lines.
--
-- A back end is a table:
--   name, version       who makes the packets
--   out                 where lines go (a file handle)
--   open(plan)          ports up
--   cannot(case)        why it can't do this case honestly, or nil
--   prepare(case)       headers, sizes, ranges; nothing is sent yet
--   offer(rate, secs)   send at so many packets a second (nil: as many as go), return the figures
--   close()             nothing is sent any more
-- Lines: {"event": "profile" | "offer" | "trial" | "result" | "skipped" | "error" | "end", …}. Bars are judged by
-- perf/pktgen/run, from these lines alone, so a run by hand can be judged as well.
local json = require("json")
local plan = require("plan")

local engine = {}

local function flag(name)
    return os.getenv(name) == "1"
end

local function emit(backend, line)
    backend.out:write(json.encode(line), "\n")
    backend.out:flush()
end

-- How much was lost of what was sent, in millionths, without what the worker's own absence explains.
local function loss_ppm(figures)
    local lost = math.max(0, figures.lost - (figures.excusable or 0))
    return figures.sent > 0 and lost * 1e6 / figures.sent or 1e6
end

local function offer(backend, p, case, rate, seconds)
    emit(backend, { event = "offer", profile = p.name, case = case.name, traffic = case.traffic,
        rate_pps = rate or 0, seconds = seconds, during = p.during })
    local figures = backend.offer(rate, seconds)
    if figures.sent == 0 then
        error(string.format("%s: nothing was sent", case.name), 0)
    end
    figures.lost_ppm = figures.lost * 1e6 / figures.sent
    figures.delivered = figures.received / figures.sent
    return figures
end

local function result(backend, event, p, case, figures)
    figures.event, figures.profile, figures.case = event, p.name, case.name
    emit(backend, figures)
end

local function trial(backend, p, case, rate, seconds)
    local figures = offer(backend, p, case, rate, seconds)
    figures.rate_pps = rate
    result(backend, "trial", p, case, figures)
    return loss_ppm(figures) <= case.load.search.loss_ppm, figures
end

-- Held for longer at the rate found; each time that something is lost, less: by 3 %, 6 %, 12 % … of it.
local function confirm(backend, p, case, rate)
    for n = 0, 5 do
        local ok, figures = trial(backend, p, case, rate, case.load.search.confirm_seconds)
        if ok then
            return figures
        end
        rate = math.floor(rate * (1 - 0.03 * 2 ^ n))
    end
    error(string.format("%s: loses at every rate that was tried, the last was near %d packets a second", case.name,
        rate), 0)
end

-- The highest rate without loss (RFC 2544, 26.1, halving the interval).
local function search(backend, p, case)
    local how = case.load.search
    local high = how.ceiling_pps
    if not high then
        high = math.floor(offer(backend, p, case, nil, how.seconds).received_pps * 1.1)
    end
    local low, trials = 0, 0
    -- the one look at the most may have fallen into a bad second
    while trials < 4 do
        local ok, figures = trial(backend, p, case, high, how.seconds)
        trials = trials + 1
        if not ok or figures.offered_pps < 0.9 * high then
            break
        end
        low, high = high, high * 2
    end
    while high - low > how.resolution * high and trials < 40 do
        local rate = math.floor((low + high) / 2)
        if trial(backend, p, case, rate, how.seconds) then
            low = rate
        else
            high = rate
        end
        trials = trials + 1
    end
    local figures = confirm(backend, p, case, math.max(1, low))
    figures.lossfree_pps, figures.trials = figures.offered_pps, trials
    result(backend, "result", p, case, figures)
end

local function run_once(backend, p, case)
    backend.prepare(case)
    local rate = case.load.rate_pps ~= "most" and case.load.rate_pps or nil
    return offer(backend, p, case, rate, case.load.seconds)
end

-- Between two runs of the same traffic, so that a machine that changed its speed is not taken for a case that is slow:
-- of_control is the case's rate over theirs. When they are further apart than `steady` allows, again, up to `tries` times;
-- control_steady is how near they were (1: the same).
local function controlled(backend, p, case)
    local control = p.control
    local before = p.control_last or run_once(backend, p, control).received_pps
    local figures
    for try = 1, control.tries do
        figures = run_once(backend, p, case)
        local after = run_once(backend, p, control).received_pps
        figures.tries = try
        figures.control_pps = (before + after) / 2
        figures.control_steady = math.min(before, after) / math.max(before, after, 1)
        figures.of_control = figures.received_pps / math.max(figures.control_pps, 1)
        before, p.control_last = after, after
        if figures.control_steady >= control.steady then
            break
        end
    end
    return figures
end

local function measure(backend, p, case, round)
    if case.load.search then
        backend.prepare(case)
        return search(backend, p, case)
    end
    local figures = (p.control and controlled or run_once)(backend, p, case)
    figures.run = round
    result(backend, "result", p, case, figures)
end

local function rounds(p)
    local n = 1
    for _, case in ipairs(p.cases) do
        n = math.max(n, case.load.repeats)
    end
    return n
end

local function run(backend, p)
    backend.open(p)
    for _, case in ipairs(p.cases) do
        local why = backend.cannot(case)
        if why then
            emit(backend, { event = "skipped", profile = p.name, case = case.name, why = why })
            case.load.repeats = 0
        end
    end
    -- every case once, then again: cases are compared with each other, and a machine has faster and slower minutes
    for round = 1, rounds(p) do
        for _, case in ipairs(p.cases) do
            if round <= case.load.repeats then
                measure(backend, p, case, round)
            end
        end
    end
end

--- Return: true when every case ran. An error ends up as a line, and stops what is being sent, before this returns.
function engine.run(profile, backend)
    local made, p = pcall(plan.make, profile, flag("DWCP_PKTGEN_QUICK"))
    if not made then
        emit(backend, { event = "error", profile = tostring(profile.name), text = p })
        return false
    end
    emit(backend, { event = "profile", profile = p.name, about = p.about, backend = backend.name,
        version = backend.version(), bars = p.bars, cases = p.cases, during = p.during })
    if flag("DWCP_PKTGEN_DESCRIBE") then
        return true
    end
    local ok, err = pcall(run, backend, p)
    local closed, why = pcall(backend.close)
    if not ok or not closed then
        emit(backend, { event = "error", profile = p.name, text = tostring(not ok and err or why) })
        return false
    end
    emit(backend, { event = "end", profile = p.name })
    return true
end

return engine
