-- SPDX-License-Identifier: BSD-3-Clause
-- imix.lua - sizes as they are on the Internet, simply: 7 frames of 64 bytes, 4 of 594, 1 of 1518.
return require("profile").run {
    name = "imix",
    about = "mixed sizes (7 × 64, 4 × 594, 1 × 1518): the most, and without loss at 200,000 a second",
    traffic = {
        protocol = "udp",
        mix = { { size = 64, share = 7 }, { size = 594, share = 4 }, { size = 1518, share = 1 } },
        sources = 256,
        flows = 4096,
        fewer_do = true,
    },
    load = { rate_pps = "most", seconds = 8 },
    cases = {
        { name = "most" },
        { name = "held", load = { rate_pps = 200000, seconds = 10 } },
    },
    bars = {
        { figure = "received_pps", case = "most", at_least = 800000 },
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
