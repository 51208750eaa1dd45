-- SPDX-License-Identifier: BSD-3-Clause
-- throughput.lua - how many packets a second get through when more come than can, by frame size.
--
-- RFC 2544's sizes, FCS included. What does not fit is lost, so no bar speaks of loss; search.lua has the rate at which
-- nothing is. The bars are low enough for a virtual machine and its memif; a NIC should be held to more (--bar).
return require("profile").run {
    name = "throughput",
    about = "packets a second at the most that the generator can offer, 64 to 1518 bytes",
    traffic = { protocol = "udp", sources = 256, flows = 4096, fewer_do = true },
    sweep = { size = { 64, 128, 256, 512, 1024, 1280, 1518 } },
    load = { rate_pps = "most", seconds = 8 },
    bars = {
        { figure = "received_pps", at_least = 1000000 },
        { figure = "accounting_difference", at_most = 0 },
    },
    quick = {
        sweep = { size = { 64, 1518 } },
        load = { rate_pps = "most", seconds = 1 },
        bars = { { figure = "received_pps", at_least = 200000 }, { figure = "accounting_difference", at_most = 0 } },
    },
}
