-- SPDX-License-Identifier: BSD-3-Clause
-- profile.lua (Pktgen) - a profile on Pktgen-DPDK, inside of it: pktgen … -f profiles/NAME.lua. Tags 22.04 to 24.07.
--
-- What Pktgen does that one would not expect, and what is done about it here:
--   * A size counts the FCS: 64 puts 60 bytes on the wire. So do the sizes of our profiles.
--   * A rate is a percentage of the link's speed, turned into packets by the size of the *single* packet, also in range
--     mode: the single packet gets the same size. A capture counts as if each frame had the largest one's size.
--   * Sending does not catch up: after a pause of its own it sends less than asked. It is told again then, and rates
--     are always what was counted.
--   * Counters are read once a second; the rate table reads 0 in its first second. Rates come from later seconds,
--     totals from two seconds after the stop.
--   * Range mode writes its packets once, at the start, into the mbufs it has, and then sends mbufs as the pool gives
--     them: over memif 24.07.1 sent one burst of 32 for ever, 23.03.0 all 16,384. perf/pktgen/run counts in a capture
--     what really comes; what would need more distinct sources is left out.
--   * TCP flags have no Lua call, and from 23.06 on those for sequences (seq, seqTable) take the sequence's number for
--     the port's: both are set by lines for Pktgen's own command reader.
--
-- Environment (perf/pktgen/run sets it; README.md says how to by hand): DWCP_PKTGEN_RESULTS, _MAC, _TX_PORT, _RX_PORT,
-- _DISTINCT, _CAPTURE, _CAPTURE_MAX, _QUIT.
local engine = require("engine")

local SOURCES, DESTINATIONS = { "10.64.0.1", 10 << 24 | 64 << 16 }, { "198.18.0.1", 198 << 24 | 18 << 16 }
local N_DESTINATIONS = 512 -- networks of 256 addresses: 198.18.0.0/15, which is for this (RFC 2544)
local SOURCES6, DESTINATIONS6 = "fd00:64::", "2001:2:0:"
local PORT_MIN, N_PORTS_MAX = 1024, 32768
local SEQUENCES_MAX = 16
local ON_WIRE = 20 -- preamble, start of frame, gap: bytes that each frame costs on top of its own and its FCS
local SETTLE_S, WARM_S, RATE_SECONDS_MIN = 2, 3, 2
local CLOSE, RAISE_MAX = 0.97, 4

local tx = os.getenv("DWCP_PKTGEN_TX_PORT") or "0"
local rx = os.getenv("DWCP_PKTGEN_RX_PORT") or "1"
local mac = os.getenv("DWCP_PKTGEN_MAC")
local distinct = tonumber(os.getenv("DWCP_PKTGEN_DISTINCT") or "32")
local capture_max = tonumber(os.getenv("DWCP_PKTGEN_CAPTURE_MAX") or "1518")
local both = tx == rx and tx or tx .. "," .. rx

local backend = { name = "pktgen" }
local link_bps, case_now

local function results_open()
    local path = os.getenv("DWCP_PKTGEN_RESULTS")
    if not path then
        return io.stdout
    end
    return assert(io.open(path, "a"))
end
backend.out = results_open()

function backend.version()
    return pktgen.info and (pktgen.info.Pktgen_Version .. ", " .. pktgen.info.DPDK_Version) or ""
end

-- ---- addresses ----------------------------------------------------------------------------------------------------

local function ip4(n)
    return string.format("%d.%d.%d.%d", n >> 24 & 255, n >> 16 & 255, n >> 8 & 255, n & 255)
end

local function ip6(prefix, n)
    return string.format("%s:%x:%x", prefix, n >> 16, n & 0xffff)
end

-- ---- what is sent -------------------------------------------------------------------------------------------------

local function commands(...)
    local path = os.tmpname()
    local f = assert(io.open(path, "w"))
    f:write(table.concat({ ... }, "\n"), "\n")
    f:close()
    pktgen.load(path)
    os.remove(path)
end

local function modes_off()
    pktgen.stop(both)
    pktgen.set(tx, "seqCnt", 0)
    pktgen.set_range(tx, "off")
    pktgen.pcap(tx, "off")
    pktgen.set(tx, "count", 0)
end

local function four(set, start, min, max, inc)
    set(tx, "start", start)
    set(tx, "min", min)
    set(tx, "max", max)
    set(tx, "inc", inc)
end

-- Sources count up by one; destinations by 256 and some, so that each packet goes to another network than the last.
local function range_addresses(t)
    if t.protocol == "udp6" then
        four(pktgen.range.src_ip, SOURCES6 .. ":1", SOURCES6 .. ":1", ip6("fd00:64:", t.sources), "::1")
        four(pktgen.range.dst_ip, DESTINATIONS6 .. ":1", DESTINATIONS6 .. ":1",
            DESTINATIONS6 .. "1ff:ffff", "::1:1")
        return
    end
    four(pktgen.range.src_ip, SOURCES[1], SOURCES[1], ip4(SOURCES[2] + t.sources), "0.0.0.1")
    four(pktgen.range.dst_ip, DESTINATIONS[1], DESTINATIONS[1], ip4(DESTINATIONS[2] + N_DESTINATIONS * 256 - 2),
        "0.0.1.1")
end

local function range_prepare(t)
    local n_ports = math.min(math.max(1, t.flows // t.sources), N_PORTS_MAX)
    local proto = t.protocol == "syn" and "tcp" or "udp"

    pktgen.set(tx, "size", t.size)
    pktgen.range.set_type(tx, t.protocol == "udp6" and "ipv6" or "ipv4")
    pktgen.range.ip_proto(tx, proto)
    four(pktgen.range.dst_mac, mac, mac, mac, "00:00:00:00:00:00")
    range_addresses(t)
    four(pktgen.range.src_port, PORT_MIN, PORT_MIN, PORT_MIN + n_ports - 1, n_ports > 1 and 1 or 0)
    four(pktgen.range.dst_port, 80, 80, 80, 0)
    four(pktgen.range.pkt_size, t.size, t.size, t.size, 0)
    if t.protocol == "syn" then
        commands("range " .. tx .. " tcp flag clr all", "range " .. tx .. " tcp flag set syn")
    end
    pktgen.set_range(tx, "on")
end

-- Each share is so many packets of a sequence that goes round.
local function mix_prepare(t)
    local lines = {}
    for _, m in ipairs(t.mix) do
        for _ = 1, m.share do
            local n = #lines
            lines[n + 1] = string.format("seq %d %s %s 02:00:00:00:00:01 %s %s/32 %d 80 ipv4 udp 1 %d", n, tx, mac,
                ip4(DESTINATIONS[2] + n * 256 + 1), ip4(SOURCES[2] + n + 1), PORT_MIN + n, m.size)
        end
    end
    commands(table.unpack(lines))
    pktgen.set(tx, "seqCnt", #lines)
    t.sources, t.flows = #lines, #lines
end

-- Mean bytes of a frame as Pktgen's rate counts them.
local function bytes_for_rate(t)
    if t.capture then
        return capture_max
    elseif not t.mix then
        return t.size
    end
    local sum, n = 0, 0
    for _, m in ipairs(t.mix) do
        sum, n = sum + m.size * m.share, n + m.share
    end
    return sum // n
end

local function rate_percent(rate)
    if not rate then
        return 100
    end
    local percent = rate * (bytes_for_rate(case_now.traffic) + ON_WIRE) * 8 * 100 / link_bps
    return math.min(100, math.max(0.0001, percent))
end

-- ---- what a back end is -------------------------------------------------------------------------------------------

function backend.open(_)
    if not mac then
        error("DWCP_PKTGEN_MAC: the router's MAC address on the port that is sent to", 0)
    end
    pktgen.screen("off")
    for _ = 1, 20 do
        local state = pktgen.linkState(both)
        local a, b = state[tonumber(tx)], state[tonumber(rx)]
        local mbps = a:match("UP%-(%d+)")
        if mbps and b:match("UP") then
            link_bps = tonumber(mbps) * 1e6
            break
        end
        pktgen.delay(500)
    end
    if not link_bps or link_bps == 0 then
        error("ports " .. both .. ": no link", 0)
    end
end

function backend.cannot(case)
    local t = case.traffic
    if math.max(t.sources, t.flows) > distinct and not t.fewer_do then
        return string.format("Pktgen sends %d different packets here, no more", distinct)
    elseif t.capture and not os.getenv("DWCP_PKTGEN_CAPTURE") then
        return "Pktgen was not given a capture (-s PORT:FILE)"
    end
    local n = 0
    for _, m in ipairs(t.mix or {}) do
        n = n + m.share
    end
    return n > SEQUENCES_MAX and "Pktgen has sequences of 16 packets at most" or nil
end

function backend.prepare(case)
    local t = case.traffic
    case_now = case
    t.sources, t.flows = math.min(t.sources, distinct), math.min(t.flows, distinct)
    modes_off()
    if t.capture then
        pktgen.pcap(tx, "on")
    elseif t.mix then
        mix_prepare(t)
    else
        range_prepare(t)
    end
end

local function median(samples)
    table.sort(samples)
    return samples[(#samples + 1) // 2] or 0
end

local function rates_now()
    local rate = pktgen.portStats(both, "rate")
    return rate[tonumber(tx)].opackets, rate[tonumber(rx)].ipackets
end

-- Some seconds until a rate is one of a whole second. Where Pktgen's threads share a CPU it sends less than it was
-- told: told again then, once, in proportion.
local function warm(rate)
    pktgen.sleep(WARM_S)
    local sent = rates_now()
    if rate and sent > 0 and sent < rate * CLOSE then
        pktgen.set(tx, "rate", rate_percent(rate * math.min(RAISE_MAX, rate / sent)))
        pktgen.sleep(WARM_S)
    end
end

local function sample(seconds)
    local sent, received = {}, {}
    for i = 1, seconds do
        pktgen.sleep(1)
        sent[i], received[i] = rates_now()
    end
    return median(sent), median(received)
end

function backend.offer(rate, seconds)
    pktgen.clear(both)
    pktgen.set(tx, "rate", rate_percent(rate))
    pktgen.start(tx)
    warm(rate)
    local offered_pps, received_pps = sample(math.max(seconds, RATE_SECONDS_MIN))
    pktgen.stop(tx)
    pktgen.sleep(SETTLE_S)
    local stats = pktgen.portStats(both, "port")
    local out, back = stats[tonumber(tx)], stats[tonumber(rx)]
    return { sent = out.opackets, received = back.ipackets, lost = math.max(0, out.opackets - back.ipackets),
        foreign = math.max(0, back.ipackets - out.opackets), offered_pps = offered_pps, received_pps = received_pps,
        sink_missed = back.imissed + back.ierrors + back.rx_nombuf, sources = case_now.traffic.sources }
end

function backend.close()
    modes_off()
end

return {
    run = function(profile)
        local ok = engine.run(profile, backend)
        backend.out:close()
        if os.getenv("DWCP_PKTGEN_QUIT") == "1" then
            pktgen.quit()
        end
        return ok
    end,
}
