-- SPDX-License-Identifier: BSD-3-Clause
-- syn-flood.lua - TCP SYNs from a million sources, against UDP of the same size from the same number.
--
-- A router that keeps no state for transit must not care: it delivers the same share of as many as the generator can
-- send, and loses nothing at a rate that it can take. (Not the same rate: making a SYN takes the generator longer.)
local SOURCES = 1 << 20

return require("profile").run {
    name = "syn-flood",
    about = "TCP SYNs from a million sources, compared with UDP",
    traffic = { size = 78, sources = SOURCES, fewer_do = true },
    load = { rate_pps = "most", seconds = 3, repeats = 3 },
    cases = {
        { name = "udp", traffic = { protocol = "udp" } },
        { name = "syn", traffic = { protocol = "syn" } },
        { name = "syn, held", traffic = { protocol = "syn" }, load = { rate_pps = 200000, seconds = 10, repeats = 1 } },
    },
    bars = {
        { figure = "delivered", case = "syn", over = "udp", at_least = 0.9 },
        { figure = "lost", case = "syn, held", at_most = 0 },
        { figure = "accounting_difference", at_most = 0 },
    },
    quick = {
        load = { seconds = 1, repeats = 1 },
        bars = {
            { figure = "lost", case = "syn, held", at_most = 0 },
            { figure = "accounting_difference", at_most = 0 },
        },
    },
}
