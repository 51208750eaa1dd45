-- SPDX-License-Identifier: BSD-3-Clause
-- pktgen_recorder.lua - NOT Pktgen: a recorder of calls to Pktgen's Lua API, so that the profiles' scripts can be
-- executed and checked where there is no Pktgen. It sends nothing and measures nothing.
--
-- It knows the functions that every tag from 22.04 to 24.07 has, with the number and the kind of their arguments, and
-- stops the script at anything else: an unknown function, a wrong count, a value that Pktgen would refuse or, worse,
-- silently take for something else. It keeps what a script reads back: counters that advance with rate × time (time
-- passes in sleep, delay and pause only), once a second as in Pktgen, and a router behind the port that takes so many
-- packets a second and loses the rest.
--
-- Environment: RECORDER_LOG (calls, one a line), RECORDER_CAPACITY_PPS (default 2,000,000), RECORDER_PORTS (2),
-- RECORDER_CAPTURE_MAX (the longest frame of the capture that it pretends to have, 1518), RECORDER_STARVED (what part
-- of the rate it has the time to send, 1).
local LINK_MBPS, SINGLE_DEFAULT, MBUFS_NOTE = 100000, 64, "recorder of Pktgen's Lua API; this is not Pktgen"
local WIRE = 20

local capacity_pps = tonumber(os.getenv("RECORDER_CAPACITY_PPS") or "2000000")
local starved = tonumber(os.getenv("RECORDER_STARVED") or "1")
local capture_max = tonumber(os.getenv("RECORDER_CAPTURE_MAX") or "1518")
local n_ports = tonumber(os.getenv("RECORDER_PORTS") or "2")
local log = io.open(os.getenv("RECORDER_LOG") or "/dev/null", "a")
log:write("# ", MBUFS_NOTE, "\n")
io.stderr:write(MBUFS_NOTE, "\n")

local quit = false

-- ---- arguments ----------------------------------------------------------------------------------------------------

local function words(list)
    local set = {}
    for w in list:gmatch("%S+") do
        set[w] = true
    end
    return function(v)
        return type(v) == "string" and set[v] or ("one of " .. list)
    end
end

local function is_integer(v)
    return math.tointeger(tonumber(v)) ~= nil or "an integer"
end

local function address(v)
    if type(v) ~= "string" then
        return "an address"
    end
    local host, bits = v:match("^([%x:.]+)/?(%d*)$")
    local a, b, c, d = (host or ""):match("^(%d+)%.(%d+)%.(%d+)%.(%d+)$")
    if a then
        local ok = math.max(tonumber(a), tonumber(b), tonumber(c), tonumber(d)) < 256
        return ok and (bits == "" or tonumber(bits) <= 32) or "an address"
    end
    local _, colons = (host or ""):gsub(":", "")
    return (colons >= 2 and colons <= 7) or "an address"
end

local KINDS = {
    P = function(v) -- a string: older tags take a number for a bit mask
        if type(v) ~= "string" or not v:match("^[%d,%-]+$") and v ~= "all" then
            return 'ports as a string, such as "0" or "0,1"'
        end
        for n in v:gmatch("%d+") do
            if tonumber(n) >= n_ports then
                return "ports that there are"
            end
        end
        return true
    end,
    I = is_integer,
    N = function(v) return type(v) == "number" or "a number" end,
    S = function(v) return type(v) == "string" or "a string" end,
    O = words("on off enable disable start stop"),
    M = function(v)
        return type(v) == "string" and v:match("^%x%x:%x%x:%x%x:%x%x:%x%x:%x%x$") and true or "a MAC address"
    end,
    A = address,
    R = words("start min max inc minimum maximum increment"),
    V = words("ipv4 ipv6 arp"),
    L = words("tcp udp icmp"),
    D = words("dst src"),
    T = words("port rate"),
    W = words("count size rate burst txburst rxburst cycles sport dport ttl seq_cnt seqCnt prime dump"),
    G = words("lua cmd"),
    Q = function(v) return type(v) == "table" or "a table" end,
    E = words("single pcap range seq latency main xstats stats rate qstats"),
}

local function check(name, spec, ...)
    local n, least = select("#", ...), #spec:gsub("%?.*", "")
    local kinds = spec:gsub("%?", "")
    if n < least or n > #kinds then
        error(string.format("pktgen.%s takes %d arguments, not %d", name, #kinds, n), 3)
    end
    for i = 1, n do
        local want = KINDS[kinds:sub(i, i)]((select(i, ...)))
        if want ~= true then
            error(string.format("pktgen.%s: argument %d is %s, not %s", name, i, tostring((select(i, ...))), want), 3)
        end
    end
end

local function shown(v)
    if type(v) ~= "table" then
        return tostring(v)
    end
    local keys = {}
    for k in pairs(v) do
        keys[#keys + 1] = k .. "=" .. tostring(v[k])
    end
    table.sort(keys)
    return "{" .. table.concat(keys, ",") .. "}"
end

-- ---- what it keeps ------------------------------------------------------------------------------------------------

local function zero()
    return { ipackets = 0, opackets = 0, ibytes = 0, obytes = 0, ierrors = 0, oerrors = 0, rx_nombuf = 0, imissed = 0 }
end

local port = {}
for i = 0, n_ports - 1 do
    port[i] = { size = SINGLE_DEFAULT, rate = 100, sending = false, range = false, seq = 0, seq_size = {}, now = zero(),
        total = zero(), rate_table = zero(), mac = false, pcap = false }
end
local clock_ms = 0

local function each(ports, f)
    if ports == "all" then
        ports = "0-" .. n_ports - 1
    end
    for a, b in (ports .. ","):gmatch("(%d+)%-?(%d*),") do
        for i = tonumber(a), tonumber(b ~= "" and b or a) do
            f(port[i], i)
        end
    end
end

-- Packets a second as Pktgen turns a percentage into them: by the single packet's size, the sequence's mean, or the
-- longest frame of a capture.
local function pps(p)
    local bytes = p.pcap and capture_max or p.size
    if p.seq > 0 then
        bytes = 0
        for i = 0, p.seq - 1 do
            bytes = bytes + (p.seq_size[i] or SINGLE_DEFAULT)
        end
        bytes = bytes // p.seq
    end
    return LINK_MBPS * 1e6 / ((bytes + WIRE) * 8) * p.rate / 100
end

local function second()
    for _, p in pairs(port) do
        local seen = p.seen or zero()
        for k in pairs(p.now) do
            p.rate_table[k] = p.now[k] - seen[k]
            p.total[k] = p.now[k]
        end
        p.seen = {}
        for k, v in pairs(p.now) do
            p.seen[k] = v
        end
    end
end

local function pass(ms)
    for _ = 1, ms do
        for i, p in pairs(port) do
            if p.sending then
                local sent = pps(p) / 1000 * starved
                local back = port[(i + 1) % n_ports]
                p.now.opackets = p.now.opackets + sent
                back.now.ipackets = back.now.ipackets + math.min(sent, capacity_pps / 1000)
            end
        end
        clock_ms = clock_ms + 1
        if clock_ms % 1000 == 0 then
            second()
        end
    end
end

local function whole(t)
    local out = {}
    for k, v in pairs(t) do
        out[k] = math.floor(v + 0.5)
    end
    return out
end

local function by_port(ports, f)
    local out, n = {}, 0
    each(ports, function(p, i)
        out[i] = f(p, i)
        n = n + 1
    end)
    out.n = n
    return out
end

-- ---- what calls do ------------------------------------------------------------------------------------------------

local SET = {
    size = function(p, v)
        if v < 64 or v > 1518 then
            error("size " .. v .. ": Pktgen would silently make it 64 or 1518", 0)
        end
        p.size = v
    end,
    rate = function(p, v)
        if v <= 0 or v > 100 then
            error("rate " .. v .. " %: Pktgen would silently make it 0.01 or 100", 0)
        end
        p.rate = v
    end,
    seqCnt = function(p, v)
        if v < 0 or v > 16 then
            error("a sequence has 16 packets at most", 0)
        end
        p.seq = v
        p.range = p.range and v == 0
    end,
}

local FLAG_LINE = "^range [%d,]+ tcp flag (%l+) (%l+)$"
local SEQ_LINE = "^seq (%d+) (%S+) (%S+) (%S+) (%S+) (%S+) (%d+) (%d+) ipv4 (%l+) %d+ (%d+)$"
local FLAGS = words("urg ack psh rst syn fin all")

-- Of Pktgen's own commands these two: TCP flags in range mode, and a packet of a sequence.
local function command(line)
    local verb, name = line:match(FLAG_LINE)
    if verb and (verb == "set" or verb == "clr") and FLAGS(name) == true then
        return
    end
    local n, ports, dst, src, to, from, sport, dport, proto, size = line:match(SEQ_LINE)
    local ok = n and tonumber(n) < 16 and KINDS.P(ports) == true and KINDS.M(dst) == true and KINDS.M(src) == true
        and address(to) == true and address(from) == true and from:find("/") and tonumber(sport) < 65536
        and tonumber(dport) < 65536 and KINDS.L(proto) == true and tonumber(size) >= 64 and tonumber(size) <= 1518
    if not ok then
        error("command file: the recorder does not know: " .. line, 0)
    end
    each(ports, function(p) p.seq_size[tonumber(n)] = tonumber(size) end)
end

local function takes_number_for_ports()
    error("from 23.06 to 24.07 this takes the sequence's number for the ports; use the command seq", 0)
end

local EFFECTS = {
    seq = takes_number_for_ports,
    seqTable = takes_number_for_ports,
    set = function(ports, what, value)
        each(ports, function(p)
            if SET[what] then
                SET[what](p, value)
            end
        end)
    end,
    start = function(ports) each(ports, function(p) p.sending = true end) end,
    stop = function(ports) each(ports, function(p) p.sending = false end) end,
    clear = function(ports) each(ports, function(p)
        p.now, p.total, p.rate_table, p.seen = zero(), zero(), zero(), zero()
    end) end,
    sleep = function(s) pass(s * 1000) end,
    delay = function(ms) pass(ms) end,
    pause = function(_, ms) pass(ms) end,
    set_range = function(ports, state)
        each(ports, function(p)
            if state == "on" and p.sending then
                error("range can't be enabled while packets are sent: Pktgen would only warn", 0)
            end
            p.range = state == "on"
        end)
    end,
    pcap = function(ports, state) each(ports, function(p) p.pcap = state == "on" end) end,
    load = function(path)
        local f = assert(io.open(path))
        for line in f:lines() do
            command(line)
            log:write("  ", line, "\n")
        end
        f:close()
    end,
    linkState = function(ports)
        return by_port(ports, function() return string.format("<UP-%d-FD>", LINK_MBPS) end)
    end,
    isSending = function(ports) return by_port(ports, function(p) return p.sending and "y" or "n" end) end,
    portCount = function() return n_ports end,
    portStats = function(ports, what)
        return by_port(ports, function(p) return whole(what == "rate" and p.rate_table or p.total) end)
    end,
    quit = function()
        for i, p in pairs(port) do
            if p.sending then
                error("quit while port " .. i .. " sends", 0)
            end
        end
        quit = true
    end,
}

-- ---- the API ------------------------------------------------------------------------------------------------------
-- One letter an argument (KINDS); after a ? they may be missing.

local RANGE = {
    dst_mac = "PRM", src_mac = "PRM", set_type = "PV", src_ip = "PRA", dst_ip = "PRA", ip_proto = "PL",
    src_port = "PRI", dst_port = "PRI", ttl = "PRI", hop_limits = "PRI", vlan_id = "PRI", mpls_entry = "PS",
    qinqids = "PII", gre_key = "PI", pkt_size = "PRI", cos = "PRI", tos = "PRI", traffic_class = "PRI",
}
local API = {
    quit = "", set = "PWN", start = "P", stop = "P", set_mac = "PDM", set_ipaddr = "PDA", mac_from_arp = "O",
    set_proto = "PL", set_type = "PV", ping4 = "P", ping6 = "P", pcap = "PO", icmp_echo = "PO", send_arp = "PS",
    seqTable = "IPQ", screen = "O", prime = "P", delay = "I", pause = "SI", sleep = "I", load = "S", save = "S",
    clear = "P", clr = "", cls = "", update = "", reset = "P", port_restart = "P", portCount = "", totalPorts = "",
    vlan = "PO", vlanid = "PI", cos = "PII", tos = "PI", vxlan = "PO", vxlan_id = "PIII", mpls = "PO", qinq = "PO",
    gre = "PO", gre_eth = "PO", set_range = "PO", ports_per_page = "I", page = "E", port = "I", process = "PO",
    capture = "PO", bonding = "PO", blink = "PO", help = "", isSending = "P", linkState = "P", portSizes = "P",
    pktStats = "P", portStats = "PT", portInfo = "P", run = "GSS", continue = "S", input = "S", pattern = "PS",
    userPattern = "PS", latency = "PS?I", jitter = "PI", gtpu_teid = "PRI", rnd = "PIIS", rnd_list = "?P",
    latsampler_params = "PSIIS", latsampler = "PO", seq = "IPMMAAIIVLII?I",
}

local function call(name, spec)
    return function(...)
        check(name, spec, ...)
        if quit then
            error("pktgen." .. name .. " after quit", 2)
        end
        local text = {}
        for i = 1, select("#", ...) do
            text[i] = shown((select(i, ...)))
        end
        log:write("pktgen.", name, " ", table.concat(text, " "), "\n")
        log:flush()
        if EFFECTS[name] then
            return EFFECTS[name](...)
        end
    end
end

local function functions(prefix, specs)
    local out = {}
    for name, spec in pairs(specs) do
        out[name] = call(prefix .. name, spec)
    end
    return setmetatable(out, { __index = function(_, name)
        error("Pktgen has no function " .. prefix .. tostring(name), 2)
    end })
end

pktgen = functions("", API) -- a global, as in Pktgen
rawset(pktgen, "range", functions("range.", RANGE))
rawset(pktgen, "info", { Pktgen_Version = "recorder, not Pktgen", DPDK_Version = "no DPDK" })

return pktgen
