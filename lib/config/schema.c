/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.c - the keys of dwcp's configuration file, one row each. A new key is a row here and a field in
 * dwcp/util/config.h; a new group is a GROUP row and its members; a new list is a table and a LIST row. Then run
 * `meson test --suite config`: it says how to refresh configs/reference.conf.
 * The rows of a group stand together below its GROUP row; lists come after the lists that they refer to.
 */
#include <string.h>
#include <unistd.h>

#include "schema.h"

#define AT(s, f)      .offset = offsetof(struct s, f), .bytes = sizeof(((struct s *)0)->f)
#define COUNT(s, f)   .n_offset = offsetof(struct s, f)
#define ARRAY(s, f)   .offset = offsetof(struct s, f), .bytes = sizeof(*((struct s *)0)->f)
#define TABLE(rs, st) .rows = rs, .n_rows = DWCP_ARRAY_LEN(rs), .bytes = sizeof(struct st)
#define CFG(f)	      AT(config_form, cfg.f)

static const char *const idle_names[] = {"poll", "adaptive", NULL};
static const char *const huge_names[] = {"auto", "on", "off", NULL};
static const char *const twin_names[] = {"auto", "on", "off", NULL};
static const char *const route_names[] = {"unicast",  "blackhole", "unreachable",
					  "prohibit", "local",	   NULL};

/* ---- ports ---- */

static const struct schema_row port_rows[] = {
	{.path = "name",
	 .kind = SCHEMA_STRING,
	 AT(port_cfg, name),
	 .min = 1,
	 .flags = SCHEMA_REQUIRED | SCHEMA_UNIQUE,
	 .check = check_name,
	 .help = "What the other sections, the commands and the metrics call the port."},
	{.path = "device",
	 .kind = SCHEMA_STRING,
	 AT(port_cfg, device),
	 .min = 1,
	 .flags = SCHEMA_REQUIRED,
	 .check = check_device,
	 .help = "A PCI address (bound to vfio-pci), or one of af_xdp, af_packet, memif, tap, "
		 "pcap, "
		 "ring, null; or vlan: the tagged frames of another port."},
	{.path = "args",
	 .kind = SCHEMA_STRING,
	 AT(port_cfg, args),
	 .def_text = "",
	 .help = "Arguments of the device's driver, \"key=value,key=value\" as DPDK spells them; "
		 "af_xdp and af_packet need iface=NAME. af_xdp opens every queue pair of the "
		 "interface (fewer with queue_count=N, start_queue=N) and runs our XDP program on "
		 "it (another one with xdp_prog=FILE)."},
	{.path = "rx_queues",
	 .kind = SCHEMA_INT,
	 AT(port_cfg, rx_queues),
	 .max = 64,
	 .help = "Receive queues; 0 = one a worker where the device can, else 1."},
	{.path = "rx_ring",
	 .kind = SCHEMA_INT,
	 AT(port_cfg, rx_ring),
	 .min = 64,
	 .max = 32768,
	 .def = 1024,
	 .unit = "descriptors",
	 .check = check_power_of_two_2,
	 .help = "Size of each receive ring, a power of two."},
	{.path = "tx_ring",
	 .kind = SCHEMA_INT,
	 AT(port_cfg, tx_ring),
	 .min = 64,
	 .max = 32768,
	 .def = 1024,
	 .unit = "descriptors",
	 .check = check_power_of_two_2,
	 .help = "Size of each transmit ring, a power of two."},
	{.path = "mtu",
	 .kind = SCHEMA_INT,
	 AT(port_cfg, mtu),
	 .min = 68,
	 .max = 9600,
	 .def = 1500,
	 .unit = "bytes",
	 .help = "Largest IP packet; at least 1280 when the port has an IPv6 address."},
	{.path = "promiscuous",
	 .kind = SCHEMA_BOOL,
	 AT(port_cfg, promiscuous),
	 .help = "Take frames that are for other stations, too."},
	{.path = "speed_mbps",
	 .kind = SCHEMA_INT,
	 AT(port_cfg, speed_mbps),
	 .max = 1600000,
	 .unit = "Mbit/s",
	 .help = "Speed to reckon with; 0 = as the device says."},
	{.path = "parent",
	 .kind = SCHEMA_VALUE,
	 .type = &type_port,
	 AT(port_cfg, parent),
	 .help = "Device vlan: the port whose tagged frames these are; it stands before."},
	{.path = "vlan",
	 .kind = SCHEMA_INT,
	 AT(port_cfg, vlan),
	 .max = 4094,
	 .help = "Device vlan: 802.1Q id."},
	{.path = "svlan",
	 .kind = SCHEMA_INT,
	 AT(port_cfg, svlan),
	 .max = 4094,
	 .help = "Device vlan: 802.1ad id of the outer tag; 0 = none."},
	{.path = "twin",
	 .kind = SCHEMA_ENUM,
	 AT(port_cfg, twin),
	 .names = twin_names,
	 .help = "The kernel's end of the port, a TAP interface with its addresses: ARP, ICMP to "
		 "the router, BGP and BFD go through it. auto makes it where that is permitted, "
		 "on insists."},
	{.path = "twin_name",
	 .kind = SCHEMA_STRING,
	 AT(port_cfg, twin_name),
	 .def_text = "",
	 .check = check_name,
	 .help = "What the kernel calls it; empty = the port's name."},
	{.path = "addresses",
	 .kind = SCHEMA_VALUE,
	 .type = &type_port_addr,
	 ARRAY(port_cfg, addresses),
	 COUNT(port_cfg, n_addresses),
	 .n_max = 256,
	 .flags = SCHEMA_ARRAY | SCHEMA_LIVE,
	 .help = "The router's addresses on this port, each with the length of its network."},
};

static const struct schema_table port_table = {
	TABLE(port_rows, port_cfg),
	.line_offset = offsetof(struct port_cfg, line),
	.check = check_port,
};

/* ---- neighbours ---- */

static const struct schema_row neighbour_rows[] = {
	{.path = "port",
	 .kind = SCHEMA_VALUE,
	 .type = &type_port,
	 AT(neighbour_cfg, port_idx),
	 .flags = SCHEMA_REQUIRED,
	 .help = "The port that the neighbour is behind."},
	{.path = "address",
	 .kind = SCHEMA_VALUE,
	 .type = &type_host_addr,
	 AT(neighbour_cfg, addr),
	 .flags = SCHEMA_REQUIRED,
	 .help = "Its address."},
	{.path = "mac",
	 .kind = SCHEMA_VALUE,
	 .type = &type_mac,
	 AT(neighbour_cfg, mac),
	 .flags = SCHEMA_REQUIRED,
	 .help = "Its MAC address."},
	{.path = "vlan",
	 .kind = SCHEMA_INT,
	 AT(neighbour_cfg, vlan),
	 .max = 4094,
	 .help = "802.1Q tag of frames to it; 0 = untagged."},
	{.path = "svlan",
	 .kind = SCHEMA_INT,
	 AT(neighbour_cfg, svlan),
	 .max = 4094,
	 .help = "802.1ad outer tag; 0 = none."},
};

static const struct schema_table neighbour_table = {
	TABLE(neighbour_rows, neighbour_cfg),
	.line_offset = offsetof(struct neighbour_cfg, line),
	.check = check_neighbour,
};

/* ---- routes ---- */

#define PATH_ROWS(s, at)                                                                           \
	{.path = "gateway",                                                                        \
	 .kind = SCHEMA_VALUE,                                                                     \
	 .type = &type_host_addr,                                                                  \
	 AT(s, at gateway),                                                                        \
	 .help = "The next router; none = the prefix is on the link of the port."},                \
		{.path = "port",                                                                   \
		 .kind = SCHEMA_VALUE,                                                             \
		 .type = &type_port,                                                               \
		 AT(s, at port_idx),                                                               \
		 .help = "The port to send by; none = the one whose address has the gateway in "   \
			 "its "                                                                    \
			 "network."},                                                              \
		{.path = "vlan",                                                                   \
		 .kind = SCHEMA_INT,                                                               \
		 AT(s, at vlan),                                                                   \
		 .max = 4094,                                                                      \
		 .help = "802.1Q tag; 0 = untagged."},                                             \
	{                                                                                          \
		.path = "svlan", .kind = SCHEMA_INT, AT(s, at svlan), .max = 4094,                 \
		.help = "802.1ad outer tag; 0 = none."                                             \
	}

static const struct schema_row path_rows[] = {
	PATH_ROWS(path_cfg, ),
	{.path = "weight",
	 .kind = SCHEMA_INT,
	 AT(path_cfg, weight),
	 .min = 1,
	 .max = 256,
	 .def = 1,
	 .help = "Share of the flows, relative to the other paths."},
};

static const struct schema_table path_table = {
	TABLE(path_rows, path_cfg),
	.line_offset = SCHEMA_NOTHING,
};

static const struct schema_row route_rows[] = {
	{.path = "prefix",
	 .kind = SCHEMA_VALUE,
	 .type = &type_prefix,
	 AT(route_form, prefix),
	 .flags = SCHEMA_REQUIRED,
	 .help = "Destinations; each prefix once a vrf."},
	{.path = "vrf",
	 .kind = SCHEMA_INT,
	 AT(route_form, prefix.vrf),
	 .max = 65535,
	 .help = "Routing table."},
	{.path = "type",
	 .kind = SCHEMA_ENUM,
	 AT(route_form, type),
	 .names = route_names,
	 .help = "unicast forwards; blackhole drops, unreachable and prohibit drop and tell the "
		 "sender; local is for the router itself."},
	PATH_ROWS(route_form, single.),
	{.path = "paths",
	 .kind = SCHEMA_LIST,
	 ARRAY(route_form, paths),
	 .table = &path_table,
	 COUNT(route_form, n_paths),
	 .n_min = 1,
	 .n_max = CONFIG_MAX_PATHS,
	 .help = "Several paths instead of the one above; flows are spread by weight."},
};

static const struct schema_table route_table = {
	TABLE(route_rows, route_form),
	.line_offset = offsetof(struct route_form, line),
	.check = check_route,
};

/* ---- route files ---- */

static const struct schema_row route_file_rows[] = {
	{.path = "name",
	 .kind = SCHEMA_STRING,
	 AT(route_file_cfg, name),
	 .min = 1,
	 .flags = SCHEMA_REQUIRED | SCHEMA_UNIQUE,
	 .check = check_name,
	 .help = "What the commands call the routes of this file."},
	{.path = "path",
	 .kind = SCHEMA_VALUE,
	 .type = &type_path,
	 AT(route_file_cfg, path),
	 .flags = SCHEMA_REQUIRED,
	 .help = "The file, one route a line in the syntax of ip-route(8); relative to the "
		 "configuration."},
};

static const struct schema_table route_file_table = {
	TABLE(route_file_rows, route_file_cfg),
	.line_offset = offsetof(struct route_file_cfg, line),
};

/* ---- mirror ---- */

static const struct schema_row mirror_table_rows[] = {
	{.path = "table",
	 .kind = SCHEMA_INT,
	 AT(mirror_table_cfg, table),
	 .min = 1,
	 .max = UINT32_MAX,
	 .flags = SCHEMA_REQUIRED,
	 .help = "Number of the kernel's table: 254 is main, that of a VRF device its own."},
	{.path = "vrf",
	 .kind = SCHEMA_INT,
	 AT(mirror_table_cfg, vrf),
	 .max = 65535,
	 .help = "Routing table of ours that it serves."},
};

static const struct schema_table mirror_table_table = {
	TABLE(mirror_table_rows, mirror_table_cfg),
	.line_offset = offsetof(struct mirror_table_cfg, line),
	.check = check_mirror_table,
};

/* ---- the root ---- */

static void node_name_fill(void *field, void *count)
{
	char host[256] = "", *name = field, one[2] = "";
	size_t i;

	if (gethostname(host, sizeof(host) - 1) || !*host)
		memcpy(host, "localhost", sizeof("localhost"));
	for (i = 0; host[i] && i < sizeof(((struct dwcp_config *)0)->node.name) - 1; i++) {
		one[0] = host[i];
		name[i] = check_name(one) ? '-' : host[i];
	}
	name[i] = 0;
}

/* The first CPU is the busiest with interrupts: leave it to the kernel where there is another. */
static void workers_fill(void *field, void *count)
{
	*(u16 *)field = sysconf(_SC_NPROCESSORS_ONLN) > 1;
	*(u32 *)count = 1;
}

static const struct schema_row root_rows[] = {
	{.path = "node", .kind = SCHEMA_GROUP, .help = "This router."},
	{.path = "node.name",
	 .kind = SCHEMA_STRING,
	 CFG(node.name),
	 .min = 1,
	 .check = check_name,
	 .fill = node_name_fill,
	 .fill_text = "the host's name",
	 .example = "\"r1\"",
	 .help = "Its name in metrics, logs and towards other nodes."},
	{.path = "node.state_dir",
	 .kind = SCHEMA_VALUE,
	 .type = &type_path,
	 CFG(node.state_dir),
	 .def_text = "/var/lib/dwcp",
	 .help = "What outlives a reboot: the last tables."},
	{.path = "node.run_dir",
	 .kind = SCHEMA_VALUE,
	 .type = &type_path,
	 CFG(node.run_dir),
	 .def_text = "/run/dwcp",
	 .help = "Sockets."},

	{.path = "dataplane", .kind = SCHEMA_GROUP, .help = "The engine that forwards."},
	{.path = "dataplane.workers",
	 .kind = SCHEMA_INT,
	 ARRAY(config_form, cfg.dataplane.workers),
	 COUNT(config_form, cfg.dataplane.n_workers),
	 .flags = SCHEMA_ARRAY | SCHEMA_INLINE,
	 .max = 1023,
	 .n_min = 1,
	 .n_max = CONFIG_MAX_WORKERS,
	 .fill = workers_fill,
	 .fill_text = "[1], on one CPU [0]",
	 .example = "[1]",
	 .help = "A worker on each of these CPUs; a CPU may stand twice."},
	{.path = "dataplane.control_cpu",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.control_cpu),
	 .min = -1,
	 .max = 1023,
	 .def = -1,
	 .help = "CPU of the engine's control thread; -1 = any."},
	{.path = "dataplane.idle",
	 .kind = SCHEMA_ENUM,
	 CFG(dataplane.idle),
	 .names = idle_names,
	 .def = CONFIG_IDLE_ADAPTIVE,
	 .help = "poll never sleeps; adaptive sleeps on empty polls, for as long as the rings "
		 "can hold."},
	{.path = "dataplane.file_prefix",
	 .kind = SCHEMA_STRING,
	 CFG(dataplane.file_prefix),
	 .min = 1,
	 .def_text = "dwcp",
	 .check = check_name,
	 .help = "DPDK's --file-prefix: keeps several engines on a host apart."},
	{.path = "dataplane.sample_shift",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.sample_shift),
	 .max = 20,
	 .def = 6,
	 .help = "One burst in 2^n is timed."},

	{.path = "dataplane.memory", .kind = SCHEMA_GROUP, .help = "Packet memory."},
	{.path = "dataplane.memory.huge_pages",
	 .kind = SCHEMA_ENUM,
	 CFG(dataplane.memory.huge_pages),
	 .names = huge_names,
	 .help = "auto takes huge pages when the kernel has them, on insists. Unless it is off, "
		 "tables are on 2 MB pages, too, as long as some are free."},
	{.path = "dataplane.memory.size_mb",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.memory.size_mb),
	 .min = 64,
	 .max = 1048576,
	 .def = 512,
	 .unit = "MiB",
	 .help = "Memory for DPDK."},
	{.path = "dataplane.memory.mbufs",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.memory.mbufs),
	 .max = 1 << 26,
	 .help = "Packet buffers; 0 = reckoned from rings and workers."},
	{.path = "dataplane.memory.mbuf_bytes",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.memory.mbuf_bytes),
	 .min = 2176,
	 .max = 65535,
	 .def = 2176,
	 .unit = "bytes",
	 .help = "Data room of a buffer with its 128 bytes of headroom. A larger packet takes "
		 "several buffers."},

	{.path = "dataplane.tables",
	 .kind = SCHEMA_GROUP,
	 .help = "Tables that the agent publishes."},
	{.path = "dataplane.tables.memory_max_mb",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.tables.memory_max_mb),
	 .min = 16,
	 .max = 1048576,
	 .def = 1024,
	 .unit = "MiB",
	 .help = "Most that all generations together may hold; a larger one is refused."},
	{.path = "dataplane.tables.lock",
	 .kind = SCHEMA_BOOL,
	 CFG(dataplane.tables.lock),
	 .def = true,
	 .help = "Lock tables into memory, so that no lookup waits for a page."},
	{.path = "dataplane.tables.store_interval_s",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.tables.store_interval_s),
	 .min = 1,
	 .max = 86400,
	 .def = 30,
	 .unit = "s",
	 .help = "Least time between two writes of the tables to state_dir."},

	{.path = "dataplane.host",
	 .kind = SCHEMA_GROUP,
	 .help = "Packets for the router itself, on their way to the kernel. Of each kind the "
		 "rate of all workers together; a single sender has at most a quarter of it. Peers "
		 "that the router has BGP, BFD or OSPF sessions with, hellos, and answers of "
		 "neighbours have as much again, whatever the others send."},
	{.path = "dataplane.host.queue",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.host.queue),
	 .min = 64,
	 .max = 16384,
	 .def = 512,
	 .unit = "packets",
	 .help = "Room of each worker's two queues to the kernel: routing protocols and "
		 "neighbours, and the rest."},
	{.path = "dataplane.host.stall_ms",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.host.stall_ms),
	 .min = 20,
	 .max = 10000,
	 .def = 200,
	 .unit = "ms",
	 .help = "A worker that stands still for so long takes the twins down."},
#define X(name, text, queue, rate, what)                                                           \
	{.path = "dataplane.host." text "_pps",                                                    \
	 .kind = SCHEMA_INT,                                                                       \
	 CFG(dataplane.host.pps[HOST_CLASS_##name]),                                               \
	 .max = 10000000,                                                                          \
	 .def = rate,                                                                              \
	 .unit = "packets/s",                                                                      \
	 .help = "Most of: " what "."},
	HOST_CLASSES(X)
#undef X

		{.path = "dataplane.icmp",
		 .kind = SCHEMA_GROUP,
		 .help = "ICMP errors about packets that can't go on. Packets too big have a "
			 "budget of "
			 "the same size of their own."},
	{.path = "dataplane.icmp.errors_pps",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.icmp.errors_pps),
	 .max = 1000000,
	 .def = 1000,
	 .unit = "packets/s",
	 .help = "Most that the node sends, shared among its workers; 0 = none at all."},
	{.path = "dataplane.icmp.errors_burst",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.icmp.errors_burst),
	 .min = 1,
	 .max = 1000000,
	 .def = 200,
	 .unit = "packets",
	 .help = "Of them at once, after a pause."},
	{.path = "dataplane.icmp.destination_pps",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.icmp.destination_pps),
	 .min = 1,
	 .max = 1000000,
	 .def = 100,
	 .unit = "packets/s",
	 .help = "Most that one receiver is sent (an IPv6 receiver is its /64)."},
	{.path = "dataplane.icmp.destination_burst",
	 .kind = SCHEMA_INT,
	 CFG(dataplane.icmp.destination_burst),
	 .min = 1,
	 .max = 1000000,
	 .def = 20,
	 .unit = "packets",
	 .help = "Of them at once: a traceroute sends its probes together."},
	{.path = "dataplane.icmp.interface_info",
	 .kind = SCHEMA_BOOL,
	 CFG(dataplane.icmp.interface_info),
	 .help = "Tell name and MTU of the port that the packet came in by (RFC 5837; traceroute "
		 "-e)."},

	{.path = "agent", .kind = SCHEMA_GROUP, .help = "The agent that computes the tables."},
	{.path = "agent.coalesce_ms",
	 .kind = SCHEMA_INT,
	 CFG(agent.coalesce_ms),
	 .max = 1000,
	 .def = 5,
	 .unit = "ms",
	 .flags = SCHEMA_LIVE,
	 .help = "Least time between two publishes: the first change goes at once, those "
		 "behind it together."},
	{.path = "agent.chunk_kb",
	 .kind = SCHEMA_INT,
	 CFG(agent.chunk_kb),
	 .min = 4,
	 .max = 2048,
	 .def = 256,
	 .unit = "KiB",
	 .check = check_power_of_two_4,
	 .help = "Size of the pieces that tables are published in, a power of two: one changed "
		 "route sends two or three of them."},
	{.path = "agent.socket_gid",
	 .kind = SCHEMA_INT,
	 CFG(agent.socket_gid),
	 .min = -1,
	 .max = INT32_MAX,
	 .def = -1,
	 .help = "Group whose members may use the API socket; -1 = root and the agent's user "
		 "only."},

	{.path = "mirror",
	 .kind = SCHEMA_GROUP,
	 .help = "The kernel's routes, as BIRD, FRR or ip-route(8) set them, become ours while "
		 "there are twins."},
	{.path = "mirror.enabled",
	 .kind = SCHEMA_BOOL,
	 CFG(mirror.enabled),
	 .def = true,
	 .flags = SCHEMA_LIVE,
	 .help = "Follow them."},
	{.path = "mirror.reconcile_s",
	 .kind = SCHEMA_INT,
	 CFG(mirror.reconcile_s),
	 .max = 86400,
	 .def = 60,
	 .unit = "s",
	 .flags = SCHEMA_LIVE,
	 .help = "Time between two comparisons with all that the kernel has; 0 = none."},
	{.path = "mirror.rcvbuf_kb",
	 .kind = SCHEMA_INT,
	 CFG(mirror.rcvbuf_kb),
	 .min = 4,
	 .max = 1048576,
	 .def = 65536,
	 .unit = "KiB",
	 .help = "Room for messages of the kernel that wait. When it is too little, everything is "
		 "read again."},
	{.path = "mirror.tables",
	 .kind = SCHEMA_LIST,
	 .table = &mirror_table_table,
	 CFG(mirror.tables),
	 COUNT(config_form, cfg.mirror.n_tables),
	 .n_max = MIRROR_MAX_TABLES,
	 .flags = SCHEMA_LIVE,
	 .help = "Which tables; none = main for vrf 0. The local table serves vrf 0 unless it "
		 "stands here. Of several for one vrf the earlier wins.",
	 .example = "tables = (\n"
		    "\t{ table = 254; vrf = 0; },\n"
		    "\t{ table = 1001; vrf = 1; }\n"
		    ");"},

	{.path = "ports",
	 .kind = SCHEMA_LIST,
	 .table = &port_table,
	 CFG(ports),
	 COUNT(config_form, cfg.n_ports),
	 .n_max = CONFIG_MAX_PORTS,
	 .help = "The router's ports.",
	 .example = "ports = (\n"
		    "\t{\n"
		    "\t\tname = \"p0\";\n"
		    "\t\tdevice = \"0000:03:00.0\";\n"
		    "\t\taddresses = [\"10.0.0.1/24\", \"2001:db8::1/64\"];\n"
		    "\t}, {\n"
		    "\t\tname = \"p1\";\n"
		    "\t\tdevice = \"af_packet\";\n"
		    "\t\targs = \"iface=eth1\";\n"
		    "\t\tmtu = 9000;\n"
		    "\t\taddresses = [\"192.0.2.1/31\"];\n"
		    "\t}, {\n"
		    "\t\tname = \"p1.7\";\n"
		    "\t\tdevice = \"vlan\";\n"
		    "\t\tparent = \"p1\";\n"
		    "\t\tvlan = 7;\n"
		    "\t\taddresses = [\"198.51.100.1/24\"];\n"
		    "\t}\n"
		    ");"},
	{.path = "neighbours",
	 .kind = SCHEMA_LIST,
	 .table = &neighbour_table,
	 CFG(neighbours),
	 COUNT(config_form, cfg.n_neighbours),
	 .n_max = 4096,
	 .flags = SCHEMA_LIVE,
	 .help = "Neighbours that are known without ARP or neighbour discovery.",
	 .example = "neighbours = (\n"
		    "\t{ port = \"p0\"; address = \"10.0.0.2\"; mac = \"02:00:5e:10:00:01\"; }\n"
		    ");"},
	{.path = "routes",
	 .kind = SCHEMA_LIST,
	 .table = &route_table,
	 ARRAY(config_form, routes),
	 COUNT(config_form, n_routes),
	 .n_max = 100000,
	 .flags = SCHEMA_LIVE,
	 .help = "Static routes. Many of them belong into a route file.",
	 .example = "routes = (\n"
		    "\t{ prefix = \"0.0.0.0/0\"; gateway = \"10.0.0.2\"; },\n"
		    "\t{ prefix = \"198.51.100.0/24\"; port = \"p1\"; },\n"
		    "\t{ prefix = \"203.0.113.0/24\"; type = \"blackhole\"; },\n"
		    "\t{\n"
		    "\t\tprefix = \"2001:db8:1::/48\";\n"
		    "\t\tpaths = (\n"
		    "\t\t\t{ gateway = \"2001:db8::2\"; weight = 3; },\n"
		    "\t\t\t{ gateway = \"fe80::2\"; port = \"p1\"; vlan = 7; }\n"
		    "\t\t);\n"
		    "\t}\n"
		    ");"},
	{.path = "route_files",
	 .kind = SCHEMA_LIST,
	 .table = &route_file_table,
	 CFG(route_files),
	 COUNT(config_form, cfg.n_route_files),
	 .n_max = 256,
	 .flags = SCHEMA_LIVE,
	 .help = "Files of routes.",
	 .example = "route_files = (\n"
		    "\t{ name = \"transit\"; path = \"/etc/dwcp/transit.routes\"; }\n"
		    ");"},
};

const struct schema_table config_schema = {
	TABLE(root_rows, config_form),
	.line_offset = SCHEMA_NOTHING,
};
