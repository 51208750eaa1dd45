-- SPDX-License-Identifier: BSD-3-Clause
-- profile.lua (fallback) - a profile on the project's own generator, which perf/pktgen/run has at hand: each request is
-- a line on stdout, each answer a line "name=number name=number …" on stdin.
local engine = require("engine")

local fallback = { name = "traffic_gen", out = io.stdout }

local case_now

function fallback.version()
    return os.getenv("DWCP_PKTGEN_VERSION") or ""
end

function fallback.open(_) end

function fallback.close() end

function fallback.cannot(case)
    if case.traffic.capture and not os.getenv("DWCP_PKTGEN_CAPTURE") then
        return "no capture was given"
    end
    return nil
end

function fallback.prepare(case)
    case_now = case
end

-- The engine has written the request. Return: the answer.
function fallback.offer(_, _)
    local line = io.read("l")
    if not line then
        error(case_now.name .. ": the runner has gone", 0)
    end
    local figures, why = {}, line:match("^error (.*)")
    if why then
        error(case_now.name .. ": " .. why, 0)
    end
    for name, value in line:gmatch("([%w_]+)=(%-?[%d.]+)") do
        figures[name] = math.tointeger(tonumber(value)) or tonumber(value)
    end
    for _, name in ipairs({ "sent", "received", "lost", "offered_pps", "received_pps" }) do
        if not figures[name] then
            error(case_now.name .. ": the answer lacks " .. name, 0)
        end
    end
    return figures
end

return {
    run = function(profile)
        if not engine.run(profile, fallback) then
            os.exit(1)
        end
    end,
}
