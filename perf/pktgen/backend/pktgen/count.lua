-- SPDX-License-Identifier: BSD-3-Clause
-- count.lua - no load test: sends for some seconds so that perf/pktgen/run can count, in a capture of it, how many
-- different sources Pktgen really makes when it is asked for 2^14.
return require("profile").run {
    name = "count",
    about = "how many different sources come",
    traffic = { protocol = "udp", size = 64, sources = 1 << 14 },
    load = { rate_pps = 50000, seconds = 1 },
    bars = {},
}
