-- SPDX-License-Identifier: BSD-3-Clause
-- udp-flood.lua - UDP as an amplification attack sends it: a few thousand reflectors, large and small datagrams.
return require("profile").run {
    name = "udp-flood",
    about = "UDP from 4,096 reflectors, small and large datagrams",
    traffic = { protocol = "udp", sources = 1 << 12, flows = 1 << 14, fewer_do = true },
    load = { rate_pps = "most", seconds = 8 },
    cases = {
        { name = "small", traffic = { size = 64 } },
        { name = "large", traffic = { size = 1400 } },
        { name = "large, held", traffic = { size = 1400 }, load = { rate_pps = 200000 } },
    },
    bars = {
        { figure = "received_pps", case = "small", at_least = 1000000 },
        { figure = "received_pps", case = "large", at_least = 500000 },
        { figure = "lost", case = "large, held", at_most = 0 },
        { figure = "accounting_difference", at_most = 0 },
    },
    quick = {
        load = { seconds = 1 },
        bars = {
            { figure = "lost", case = "large, held", at_most = 0 },
            { figure = "accounting_difference", at_most = 0 },
        },
    },
}
