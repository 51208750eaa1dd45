/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * commands.c - the one table: dispatch, usage, completion and dwcp-cli(1) are made of it. Rows of a noun stand together.
 */
#include "cli.h"

/* clang-format off */
const struct cli_option cli_globals[] = {
	{"run-dir", "DIR", "directory of the sockets (default: $DWCP_RUN_DIR, else /run/dwcp)"},
	{"socket", "PATH", "ask this socket and no other"},
	{"config", "FILE", "take the sockets' directory from this configuration (node.run_dir)"},
	{"json", NULL, "print JSON; errors too, on stderr"},
	{"no-color", NULL, "no colour, also on a terminal"},
	{"help", NULL, "usage of what stands before it"},
	{"version", NULL, "same as the command version"},
	{"man", "[cli|conf]", "print the source of a manual page: dwcp-cli(1) or dwcp.conf(5)"},
	{}
};

static const struct cli_option options_status[] = {
	{"check", NULL, "exit 1 unless all is well (for monitoring)"},
	{}
};
static const struct cli_option options_lookup[] = {
	{"vrf", "N", "routing table (default 0)"},
	{}
};
static const struct cli_option options_list[] = {
	{"family", "4|6", "only this family"},
	{"limit", "N", "how many at most (default 100)"},
	{"all", NULL, "every route"},
	{"source", "S", "only routes of this source: local, connected, static, api, kernel, or that of a route file"},
	{"protocol", "P", "only routes that the kernel has from this daemon: bird, zebra, static, kernel, ..., or its number"},
	{"after", "PREFIX", "start behind this prefix: what an earlier listing called next"},
	{"vrf", "N", "the routing table of --after (default 0)"},
	{}
};
static const struct cli_option options_change[] = {
	{"revision", "N", "refuse unless the intent revision is N (default: the one read just before)"},
	{}
};
static const struct cli_option options_del[] = {
	{"vrf", "N", "routing table (default 0)"},
	{"revision", "N", "refuse unless the intent revision is N (default: the one read just before)"},
	{}
};
static const struct cli_option options_neighbours[] = {
	{"port", "PORT", "only those of this port"},
	{"state", "resolved|unresolved|failed|configured", "only these"},
	{"address", "ADDRESS", "only this one; with a prefix those inside"},
	{}
};
static const struct cli_option options_history[] = {
	{"limit", "N", "how many at most (default 20)"},
	{}
};
static const struct cli_option options_build[] = {
	{"config", "FILE", "configuration: ports, neighbours, routes, route files"},
	{"routes", "FILE", "a further route file; may be given more than once"},
	{"output", "FILE", "the generation to write"},
	{"generation", "N", "its number (default 1)"},
	{}
};
static const struct cli_option options_tables_check[] = {
	{"ports", "N", "refuse next hops on ports above the first N (default: the ports of --config, which must be the same by name, else any)"},
	{}
};
static const struct cli_option options_watch[] = {
	{"watch", "[SECONDS]", "again every SECONDS (default 1), with rates, until interrupted"},
	{"count", "N", "stop watching after N rounds"},
	{}
};
static const struct cli_option options_drops[] = {
	{"all", NULL, "also reasons that never occurred"},
	{"watch", "[SECONDS]", "again every SECONDS (default 1), with rates, until interrupted"},
	{"count", "N", "stop watching after N rounds"},
	{}
};
static const struct cli_option options_show[] = {
	{"effective", NULL, "with all defaults filled in"},
	{"reference", NULL, "every key with unit, range, default and meaning"},
	{}
};
static const struct cli_option options_events[] = {
	{"limit", "N", "how many at most (default 50)"},
	{"bytes", NULL, "also the first bytes of sampled packets"},
	{}
};

const struct cli_command cli_commands[] = {
	{"status", NULL, "", 0, 0, options_status, true, "is the router well, and if not, why",
	 "The first line is the verdict. Rates are measured over a quarter of a second. Asks the agent and the dataplane, "
	 "each on its own socket, and says which of them did not answer.", status_run},
	{"ports", NULL, "", 0, 0, NULL, true, "ports with link, address and counters", NULL, ports_run},
	{"routes", "lookup", "ADDRESS", 1, 1, options_lookup, true, "which route a packet to ADDRESS takes",
	 "Longest match, as the table in use answers it. The dataplane, asked in the agent's place, knows neither prefix "
	 "nor gateway: it shows slot, type, port and MAC. Exits with 1 when there is no route.", routes_lookup_run},
	{"routes", "list", "", 0, 0, options_list, false, "best routes in address order", NULL, routes_list_run},
	{"routes", "mirror", "", 0, 0, NULL, false, "how well the kernel's routes are followed",
	 "Routes by table and family, comparisons with the kernel and what they found, messages that were lost, routes "
	 "that are not mirrored with the reason.", routes_mirror_run},
	{"routes", "count", "", 0, 0, NULL, false, "number of routes by family and source", NULL, routes_count_run},
	{"routes", "add", "ROUTE...", 1, 1024, options_change, false, "add or replace a route of the operator",
	 "ROUTE is written as for ip-route(8). PREFIX via GATEWAY [dev PORT] [vlan N] [svlan N] [weight N], or PREFIX dev "
	 "PORT. Several next hops: each begins with the word nexthop. The words blackhole, unreachable or prohibit before "
	 "PREFIX: no next hop. The words vrf N behind PREFIX: another routing table. Refused when somebody changed the "
	 "intent meanwhile.", routes_add_run},
	{"routes", "del", "PREFIX", 1, 1, options_del, false, "delete a route that an operator added", NULL,
	 routes_del_run},
	{"neighbours", NULL, "", 0, 0, options_neighbours, false, "link-layer addresses: known, asked for, failed, and what uses them",
	 "Gateways of routes and hosts on the links, as the kernel resolves them on the ports' twins, and those of the "
	 "configuration. USE says how many routes and groups send to a gateway. A host is asked for when a packet wants it; "
	 "one that doesn't answer is shown as failed, with the packets that were dropped for it, and forgotten after a "
	 "while.", neighbours_run},
	{"tables", "show", "", 0, 0, NULL, true, "the generation in use, its sections and memory", NULL, tables_show_run},
	{"tables", "history", "", 0, 0, options_history, true, "adopted and refused generations, newest first",
	 "With the time each step took: building, sending, validating, and waiting for the workers.",
	 tables_history_run},
	{"tables", "build", "", 0, 0, options_build, false, "write a generation file, without an agent",
	 "The dataplane starts from such a file when no agent speaks to it. All errors of the input are reported with file "
	 "and line, and then nothing is written.", tables_build_run},
	{"tables", "check", "FILE", 1, 1, options_tables_check, false, "check a generation file as the dataplane would", NULL,
	 tables_check_run},
	{"stats", NULL, "", 0, 0, options_watch, true, "workers: load, latency, sleeps; and the accounting of packets",
	 NULL, stats_run},
	{"drops", NULL, "", 0, 0, options_drops, true, "dropped packets by reason", NULL, drops_run},
	{"exceptions", NULL, "", 0, 0, options_watch, true, "packets for the router itself: what comes, at what rate, what was policed",
	 "By class, each with a rate of its own (dataplane.host of the configuration), so that a flood of one leaves the "
	 "others alone; the twins, the ports' interfaces in the kernel, which they go to; and the ICMP errors of the router, "
	 "sent, over the limit (dataplane.icmp), or not sent and why. Rates are measured over a quarter of a second, or "
	 "between two rounds.", exceptions_run},
	{"config", "check", "[FILE]", 0, 1, NULL, false, "check a configuration and its route files, offline",
	 "Without FILE: the one given by --config, else /etc/dwcp/dwcp.conf.", config_check_run},
	{"config", "show", "[FILE]", 0, 1, options_show, false, "the configuration in use, or FILE's", NULL,
	 config_show_run},
	{"config", "reload", "", 0, 0, options_change, false, "read the configuration again",
	 "Says of each section whether it was kept, applied, or needs a restart. With an error in the file everything stays "
	 "as it was.", config_reload_run},
	{"events", NULL, "", 0, 0, options_events, false, "what happened, newest first", NULL, events_run},
	{"version", NULL, "", 0, 0, NULL, false, "versions of this program, the agent and the dataplane",
	 "Exits with 4 when one that answers has another version than this program.", version_run},
	{"completion", NULL, "bash", 1, 1, NULL, false, "print a completion script for the shell",
	 "To use it: source <(dwcp-cli completion bash)", completion_run},
};
/* clang-format on */

const u32 cli_n_commands = DWCP_ARRAY_LEN(cli_commands);
