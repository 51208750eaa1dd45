/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * config.h - the one configuration file, as validated immutable structs. The dataplane, the agent and the CLI load the
 * same file through the same rows (lib/config/schema.c), so that `--check` in any of them means the same.
 * Everything a config points at lives in its arena and is freed whole with config_free().
 */
#pragma once

#include <stdio.h>

#include <dwcp/base.h>
#include <dwcp/util/fib.h>
#include <dwcp/util/host_class.h>

#define CONFIG_NAME_MAX	   32 /* bytes with the terminating 0: port names, route sources */
#define CONFIG_MAX_PORTS   64
#define CONFIG_MAX_WORKERS 64
#define CONFIG_MAX_PATHS   64 /* next hops of one route */

enum config_idle { CONFIG_IDLE_POLL, CONFIG_IDLE_ADAPTIVE };
enum config_huge { CONFIG_HUGE_AUTO, CONFIG_HUGE_ON, CONFIG_HUGE_OFF };
enum config_twin { CONFIG_TWIN_AUTO, CONFIG_TWIN_ON, CONFIG_TWIN_OFF };

#define CONFIG_IFNAME_MAX 16	     /* of the kernel, with the terminating 0 */
#define CONFIG_NO_PARENT  UINT16_MAX /* a port of its own, no VLAN of another */

/* The route types of rtnetlink(7) that a router forwards by. */
enum route_type { ROUTE_UNICAST, ROUTE_BLACKHOLE, ROUTE_UNREACHABLE, ROUTE_PROHIBIT, ROUTE_LOCAL };

struct config_addr {
	struct fib_addr addr; /* host order; IPv4 in the low 32 bits of .lo */
	u8 family;	      /* FIB_IP4, FIB_IP6; 0 = none */
	u8 prefix_len;
};

struct port_cfg {
	char name[CONFIG_NAME_MAX];
	char device
		[64]; /* af_xdp, af_packet, memif, tap, pcap, ring, null, vlan, or a PCI address */
	char args[256]; /* the driver's device arguments, as DPDK spells them */
	u16 rx_queues;	/* 0 = one a worker where the device can, else 1 */
	u16 rx_ring, tx_ring;
	u16 mtu; /* bytes of the IP packet */
	bool promiscuous;
	u32 speed_mbps;	 /* 0 = as the device says */
	u16 parent;	 /* device vlan: index of the port whose tagged frames these are */
	u16 vlan, svlan; /* device vlan: 802.1Q id, and the 802.1ad id outside of it or 0 */
	enum config_twin twin;
	char twin_name[CONFIG_IFNAME_MAX]; /* of the kernel's interface; empty = the port's name */
	const struct config_addr *addresses;
	u32 n_addresses;
	u32 line;
};

struct neighbour_cfg {
	u16 port_idx;
	u16 vlan, svlan; /* 802.1Q / 802.1ad ids, 0 = untagged */
	u8 mac[6];
	struct config_addr addr;
	u32 line;
};

struct path_cfg {
	struct config_addr gateway; /* family 0 = on link */
	u16 port_idx; /* UINT16_MAX: by the connected prefix that covers the gateway */
	u16 vlan, svlan;
	u32 weight;
};

struct route_cfg {
	struct fib_prefix prefix;
	enum route_type type;
	u8 protocol; /* of the kernel's routes, RTPROT_…; else 0 */
	const struct path_cfg *paths;
	u32 n_paths;
	u32 line;
};

struct route_file_cfg {
	char name[CONFIG_NAME_MAX];
	const char *path; /* absolute */
	u32 line;
};

#define MIRROR_MAX_TABLES 64

/* A routing table of the kernel, and the VRF that it serves. */
struct mirror_table_cfg {
	u32 table, vrf;
	u32 line;
};

struct dwcp_config {
	const char *path; /* of the file itself, absolute */
	u64 hash;	  /* XXH3-64 of the bytes of the file and its includes */
	u64 ports_hash;	  /* XXH3-64 of the port names in order, each with its 0 */

	struct {
		char name[64];
		const char *state_dir, *run_dir;
	} node;

	struct {
		u16 workers[CONFIG_MAX_WORKERS]; /* CPU ids; may repeat */
		u32 n_workers;
		s32 control_cpu; /* -1 = any */
		enum config_idle idle;
		char file_prefix[32];
		struct {
			enum config_huge huge_pages;
			u32 size_mb;
			u32 mbufs; /* 0 = by rings */
			u32 mbuf_bytes;
		} memory;
		struct {
			u32 memory_max_mb;
			bool lock;
			u32 store_interval_s; /* least time between two writes of the generation to disk */
		} tables;
		struct {
			u32 pps[HOST_CLASS_N]; /* that reach the kernel, of all workers together */
			u32 queue;	       /* frames a worker and queue */
			u32 stall_ms;
		} host;
		struct {
			u32 errors_pps, errors_burst; /* in all; pps 0 = none */
			u32 destination_pps, destination_burst;
			bool interface_info;
		} icmp;
		u32 sample_shift; /* one burst in 2^n is timed */
	} dataplane;

	struct {
		u32 coalesce_ms; /* changes that arrive within this are published together */
		u32 chunk_kb;	 /* segment size of published tables */
		s32 socket_gid; /* group that may use the API socket, -1 = root and our own uid only */
	} agent;

	struct {
		bool enabled;
		u32 reconcile_s; /* between two comparisons with the kernel; 0 = never */
		u32 rcvbuf_kb;	 /* of the netlink socket */
		const struct mirror_table_cfg *tables;
		u32 n_tables; /* 0 = main for VRF 0 */
	} mirror;

	const struct port_cfg *ports;
	u32 n_ports;
	const struct neighbour_cfg *neighbours;
	u32 n_neighbours;
	const struct route_cfg *routes;
	u32 n_routes;
	const struct route_file_cfg *route_files;
	u32 n_route_files;
};

/* All errors of one load, each "file:line: key: what was expected". */
struct config_errors {
	char **text; /* [n] heap strings */
	u32 n, cap;
};

/**
 * config_load() - parse and check a file.
 * @path: borrowed. @ret_cfg: owned by the caller on success. @errors: appended; all schema errors at once, a syntax
 * error alone. Nothing is printed.
 * Thread: any. Return: 0, -EINVAL (see errors), -ENOENT/-EACCES/… (one error says so), -ENOMEM.
 */
int config_load(const char *path, struct dwcp_config **ret_cfg, struct config_errors *errors);
/** config_parse() - the same from memory; relative paths resolve against @dir, NULL = they and includes are errors. */
int config_parse(const char *text, size_t len, const char *name, const char *dir,
		 struct dwcp_config **ret_cfg, struct config_errors *errors);
void config_free(struct dwcp_config *cfg);
void config_errors_fini(struct config_errors *e);
void config_errors_add(struct config_errors *e, const char *fmt, ...) dwcp_printf(2, 3);

/** config_print() - the effective configuration with defaults filled in, in the file's own syntax. */
int config_print(const struct dwcp_config *cfg, FILE *out);
/** config_reference() - every key with unit, range, default and help, as a commented file (configs/reference.conf). */
int config_reference(FILE *out);

enum config_change { CONFIG_KEPT, CONFIG_APPLIED, CONFIG_NEEDS_RESTART };

struct config_diff_row {
	const char *section; /* "ports", "dataplane.memory", "routes", … */
	enum config_change change;
};

/** config_diff() - what a reload from @from to @to means, a row a section. @ret_rows: [cap]. Return: rows. */
u32 config_diff(const struct dwcp_config *from, const struct dwcp_config *to,
		struct config_diff_row *ret_rows, u32 cap);

int config_port_idx(const struct dwcp_config *cfg, const char *name); /* or -ENOENT */
/** config_twin_name() - what the kernel calls the port's twin. */
const char *config_twin_name(const struct port_cfg *p);

/* ---- route files: one route a line, in the syntax of ip-route(8) ---------------------------------------- */

struct route_list {
	struct route_cfg *routes; /* [n], IPv4 first, then IPv6; each in the file's order */
	u64 n, cap;
	void *paths; /* owned: what routes[i].paths point into; routes with the same paths may share them */
};

/**
 * route_file_load() - read a route file whole, or nothing of it.
 * Lines: `PREFIX via ADDR [dev PORT] [vlan N] [svlan N] [weight N]`, `PREFIX dev PORT`, `default via …`,
 * `PREFIX nexthop via ADDR [dev PORT] [weight N] nexthop via …`, `blackhole|unreachable|prohibit PREFIX`,
 * optional `vrf N` before the first nexthop; `#` starts a comment.
 * @errors: each bad line with its number and what was expected; the first 20, then a count.
 * @cfg: its ports; NULL = none, then every route with a path is refused. @ret_list: overwritten on success only;
 * owned by the caller: route_list_fini(). A prefix twice in a vrf is an error; so is a gateway without `dev` that no
 * port's address has in its network. `default` is of its gateway's family, IPv4 where it has none.
 * Return: 0, -EINVAL, -errno of reading, -ENOMEM. Cost: ~40 ns a line when each family is in address order, ~110 shuffled.
 */
int route_file_load(const char *path, const struct dwcp_config *cfg, struct route_list *ret_list,
		    struct config_errors *errors);
int route_file_parse(const char *text, size_t len, const char *name, const struct dwcp_config *cfg,
		     struct route_list *ret_list, struct config_errors *errors);
void route_list_fini(struct route_list *l);

/* ---- text forms ------------------------------------------------------------------------------------------ */

#define ADDR_TEXT_MAX 64
int addr_parse(const char *text, struct fib_addr *ret_addr, u8 *ret_family);
/** prefix_parse() - vrf = 0; an address alone is a host route; bits past the length → -EINVAL. */
int prefix_parse(const char *text, struct fib_prefix *ret_prefix);
int mac_parse(const char *text, u8 ret_mac[6]);
const char *addr_format(u8 family, const struct fib_addr *a, char *buf, size_t len);
const char *prefix_format(const struct fib_prefix *p, char *buf, size_t len);
const char *mac_format(const u8 mac[6], char *buf, size_t len);
const char *route_type_name(enum route_type t);
