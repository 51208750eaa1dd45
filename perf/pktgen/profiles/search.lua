-- SPDX-License-Identifier: BSD-3-Clause
-- search.lua - the highest rate at which nothing is lost, found by halving and then held for longer.
--
-- On a virtual machine a scheduler's pause looks like loss. The worker knows how long it was away; a trial that lost no
-- more than comes in that time counts as passed, and says so.
return require("profile").run {
    name = "search",
    about = "highest rate without loss, smallest frames",
    traffic = { protocol = "udp", size = 64, sources = 256, flows = 4096, fewer_do = true },
    load = { search = { loss_ppm = 0, resolution = 0.02, seconds = 3, confirm_seconds = 20 } },
    bars = {
        { figure = "lossfree_pps", at_least = 500000 },
        { figure = "lost", at_most = 0 },
        { figure = "accounting_difference", at_most = 0 },
    },
    quick = {
        load = { search = { resolution = 0.2, seconds = 1, confirm_seconds = 1 } },
        bars = { { figure = "lossfree_pps", at_least = 50000 }, { figure = "lost", at_most = 0 } },
    },
}
