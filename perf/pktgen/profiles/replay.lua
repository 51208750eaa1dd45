-- SPDX-License-Identifier: BSD-3-Clause
-- replay.lua - the frames of a capture file, over and over (--capture FILE; without one, a small one is made: IPv4 and
-- IPv6, UDP and TCP, sizes as they come). Only the destination MAC is changed, in a copy, to the router's.
--
-- A capture of yours may hold packets that no router forwards (expired hop limits, no route, link-local). They are lost
-- here and counted by the router under their reason: drop_* says how many, and the bar allows what was named.
return require("profile").run {
    name = "replay",
    about = "the frames of a capture file: the most, and without loss at 200,000 a second",
    traffic = { capture = true },
    load = { rate_pps = "most", seconds = 8 },
    cases = {
        { name = "most" },
        { name = "held", load = { rate_pps = 200000, seconds = 10 } },
    },
    bars = {
        { figure = "received_pps", case = "most", at_least = 500000 },
        { figure = "lost", case = "held", at_most = 0 },
        { figure = "accounting_difference", at_most = 0 },
    },
    quick = {
        load = { seconds = 1 },
        bars = {
            { figure = "received_pps", case = "most", at_least = 200000 },
            { figure = "lost", case = "held", at_most = 0 },
            { figure = "accounting_difference", at_most = 0 },
        },
    },
}
