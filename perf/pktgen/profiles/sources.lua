-- SPDX-License-Identifier: BSD-3-Clause
-- sources.lua - does the rate hold when more and more different sources send? 2^10 to 2^22 of them, one flow each.
--
-- What a router keeps for each source falls out of its caches somewhere on the way. Pktgen sends the packets that it
-- wrote at the start, which are as few as they were counted: cases beyond that are left out. The project's own
-- generator makes all of them. Each case lies between two runs with 1,024 sources and is compared with these: a virtual
-- machine may be half as fast a minute later.
return require("profile").run {
    name = "sources",
    about = "the rate from 2^10 to 2^22 different sources",
    traffic = { protocol = "udp", size = 64 },
    sweep = { sources = { 1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22 } },
    load = { rate_pps = "most", seconds = 2, repeats = 3 },
    control = { traffic = { sources = 1 << 10 }, seconds = 1 },
    bars = {
        { figure = "received_pps", at_least = 1000000 },
        { figure = "of_control", across = "least/most", at_least = 0.6 },
        { figure = "accounting_difference", at_most = 0 },
    },
    quick = {
        sweep = { sources = { 1 << 10, 1 << 14, 1 << 22 } },
        load = { rate_pps = "most", seconds = 1, repeats = 1 },
        bars = { { figure = "received_pps", at_least = 200000 }, { figure = "accounting_difference", at_most = 0 } },
    },
}
