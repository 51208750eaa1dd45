-- SPDX-License-Identifier: BSD-3-Clause
-- swap.lua - whole routing tables replaced under load, again and again: nothing may be lost.
--
-- The runner swaps: two route files in turn, read by the agent, every route's next hop another. On two machines it
-- calls --swap-command instead.
return require("profile").run {
    name = "swap",
    about = "routing tables swapped under load, nothing lost",
    traffic = { protocol = "udp", size = 64, sources = 256, flows = 4096, fewer_do = true },
    during = "swap",
    load = { rate_pps = 200000, seconds = 30 },
    bars = {
        { figure = "lost", at_most = 0 },
        { figure = "swaps", at_least = 4 },
        { figure = "accounting_difference", at_most = 0 },
    },
    quick = {
        load = { rate_pps = 100000, seconds = 3 },
        bars = { { figure = "lost", at_most = 0 }, { figure = "swaps", at_least = 2 } },
    },
}
