/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * layout.c - every size, offset and number that another process or a stored file relies on, one a line.
 *
 *	layout            print them
 *	layout GOLDEN     compare with the file; exit 1 with what differs
 *
 * A difference means: readers built before this change misread what is written after it. Bump the version of what changed,
 * keep reading the version before where upgrades need it, and only then write the file anew.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/abi/fib.h>
#include <dwcp/abi/link.h>
#include <dwcp/abi/ring.h>
#include <dwcp/abi/stats.h>
#include <dwcp/abi/tables.h>
#include <dwcp/abi/xdp.h>

#define S(type) fprintf(out, "struct %s: %zu bytes\n", #type, sizeof(struct type));
#define F(type, f)                                                                                 \
	fprintf(out, "struct %s: %s at %zu, %zu bytes\n", #type, #f, offsetof(struct type, f),     \
		sizeof(((struct type *)0)->f));
/* A flexible array: where it begins, and its element. */
#define A(type, f)                                                                                 \
	fprintf(out, "struct %s: %s[] at %zu, %zu bytes each\n", #type, #f,                        \
		offsetof(struct type, f), sizeof(((struct type *)0)->f[0]));
#define N(name) fprintf(out, "%s = %llu\n", #name, (unsigned long long)(name));

/* clang-format off */
static void fib_layout(FILE *out)
{
	N(DWCP_FIB_VERSION)
	N(DWCP_FIB_NODE)
	N(DWCP_FIB_STRIDE)
	N(DWCP_FIB_LEAVES)
	N(DWCP_FIB_INDEX)
	N(DWCP_FIB_DIRECT_BITS_MAX)
	S(dwcp_fib_root)
	F(dwcp_fib_root, vrf) F(dwcp_fib_root, family) F(dwcp_fib_root, direct_bits) F(dwcp_fib_root, reserved0)
	F(dwcp_fib_root, direct_base) F(dwcp_fib_root, reserved1)
	N(dwcp_fib_n_runs(0xf000000100000001))
}

static void manifest_layout(FILE *out)
{
	N(DWCP_MANIFEST_MAGIC)
	N(DWCP_MANIFEST_VERSION)
	N(DWCP_SEGMENT_MAX_BYTES)
	N(DWCP_SEGMENT_ALIGN)
	N(DWCP_MANIFEST_MAX_BYTES)
	N(DWCP_MANIFEST_MAX_SEGMENTS)
	N(DWCP_SECTION_NONE)
	N(DWCP_SECTION_FIB_ROOT)
	N(DWCP_SECTION_FIB_DIRECT)
	N(DWCP_SECTION_FIB_NODE)
	N(DWCP_SECTION_FIB_LEAF)
	N(DWCP_SECTION_NEXTHOP)
	N(DWCP_SECTION_NEXTHOP_BUCKET)
	N(DWCP_SECTION_NEXTHOP_ID)
	N(DWCP_SECTION_SOURCE_ROOT)
	N(DWCP_SECTION_SOURCE_DIRECT)
	N(DWCP_SECTION_SOURCE_NODE)
	N(DWCP_SECTION_SOURCE_LEAF)
	N(DWCP_SECTION_SOURCE_ATTR)
	N(DWCP_SECTION_BLOCK)
	N(DWCP_SECTION_VIP)
	N(DWCP_SECTION_WEIGHTSET)
	N(DWCP_SECTION_WEIGHTSET_REGION)
	N(DWCP_SECTION_WEIGHTROW)
	N(DWCP_SECTION_ENDPOINT)
	N(DWCP_SECTION_POLICY)
	N(DWCP_SECTION_POLICY_SET)
	N(DWCP_SECTION_CLASS)
	N(DWCP_SECTION_LIMITS)
	N(DWCP_SECTION_PORT_ADDR)
	N(DWCP_SECTION_N)
	S(dwcp_segment_desc)
	F(dwcp_segment_desc, id) F(dwcp_segment_desc, bytes) F(dwcp_segment_desc, section) F(dwcp_segment_desc, flags)
	S(dwcp_section_desc)
	F(dwcp_section_desc, section) F(dwcp_section_desc, version) F(dwcp_section_desc, element_bytes)
	F(dwcp_section_desc, n_elements) F(dwcp_section_desc, first_segment) F(dwcp_section_desc, n_segments)
	F(dwcp_section_desc, chunk_bytes) F(dwcp_section_desc, reserved)
	S(dwcp_manifest)
	F(dwcp_manifest, magic) F(dwcp_manifest, version) F(dwcp_manifest, bytes) F(dwcp_manifest, hash)
	F(dwcp_manifest, generation) F(dwcp_manifest, intent_revision) F(dwcp_manifest, observation_revision)
	F(dwcp_manifest, created_unix_ns) F(dwcp_manifest, n_sections) F(dwcp_manifest, n_segments)
	F(dwcp_manifest, ports_hash) F(dwcp_manifest, reserved)
}

static void nexthop_layout(FILE *out)
{
	N(DWCP_NEXTHOP_VERSION)
	N(DWCP_NEXTHOP_NONE)
	N(DWCP_NEXTHOP_FORWARD)
	N(DWCP_NEXTHOP_GROUP)
	N(DWCP_NEXTHOP_BLACKHOLE)
	N(DWCP_NEXTHOP_UNREACHABLE)
	N(DWCP_NEXTHOP_PROHIBIT)
	N(DWCP_NEXTHOP_LOCAL)
	N(DWCP_NEXTHOP_UNRESOLVED)
	N(DWCP_NEXTHOP_N_TYPES)
	N(DWCP_ID_MAX_PROBES)
	N(dwcp_id_home(0x12345678, 1 << 20))
	S(dwcp_nexthop)
	F(dwcp_nexthop, type) F(dwcp_nexthop, n_tags) F(dwcp_nexthop, port) F(dwcp_nexthop, forward)
	F(dwcp_nexthop, forward.dst_mac) F(dwcp_nexthop, forward.src_mac) F(dwcp_nexthop, forward.vlan)
	F(dwcp_nexthop, group) F(dwcp_nexthop, group.first_bucket) F(dwcp_nexthop, group.n_buckets)
	F(dwcp_nexthop, group.reserved) F(dwcp_nexthop, id) F(dwcp_nexthop, mtu) F(dwcp_nexthop, flags)
	N(DWCP_NEXTHOP_FAILED)
	S(dwcp_id_entry)
	F(dwcp_id_entry, id) F(dwcp_id_entry, slot)
}

static void hash_layout(FILE *out)
{
	static const u8 ip4[16] = {[10] = 0xff, 0xff, 192, 0, 2, 1};
	static const u8 ip6[16] = {0x20, 0x01, 0x0d, 0xb8, [15] = 1};
	static const u64 salt[2] = {0x0123456789abcdef, 0xfedcba9876543210};

	N(DWCP_HASH_MAX_PROBES)
	N(DWCP_HASH_LOG2_MAX)
	N(dwcp_hash_fold(1ull << 63, 6))
	N(dwcp_addr_hash(ip4, salt))
	N(dwcp_addr_hash(ip6, salt))
	N(dwcp_vip_hash(ip4, 6, 443, salt))
	N(dwcp_hash_position(1023, 10, 1))
}

static void source_layout(FILE *out)
{
	N(DWCP_SOURCE_VERSION)
	N(DWCP_SOURCE_NONE)
	N(DWCP_SOURCE_ALLOW)
	N(DWCP_SOURCE_BLOCK)
	N(DWCP_SOURCE_NEVER_BLOCK)
	S(dwcp_source_attr)
	F(dwcp_source_attr, verdict) F(dwcp_source_attr, reason) F(dwcp_source_attr, country)
	F(dwcp_source_attr, region) F(dwcp_source_attr, limit_class) F(dwcp_source_attr, tenant)
	F(dwcp_source_attr, policy_set)
	N(DWCP_BLOCK_VERSION)
	S(dwcp_block_header)
	F(dwcp_block_header, salt) F(dwcp_block_header, log2_size) F(dwcp_block_header, n_used)
	F(dwcp_block_header, n_net64) F(dwcp_block_header, reserved)
	S(dwcp_block)
	F(dwcp_block, addr) F(dwcp_block, expires_unix_ns) F(dwcp_block, id) F(dwcp_block, reason)
	F(dwcp_block, proven) F(dwcp_block, prefix_len) F(dwcp_block, reserved)
}

static void steering_layout(FILE *out)
{
	N(DWCP_VIP_VERSION)
	N(DWCP_VIP_PROTECT_ONLY)
	N(DWCP_VIP_DIRECT_RETURN)
	N(DWCP_VIP_CHALLENGE)
	N(DWCP_VIP_MAX_RANGES)
	S(dwcp_vip_header)
	F(dwcp_vip_header, salt) F(dwcp_vip_header, exact_first) F(dwcp_vip_header, exact_log2)
	F(dwcp_vip_header, n_exact) F(dwcp_vip_header, range_first) F(dwcp_vip_header, n_ranges)
	F(dwcp_vip_header, reserved)
	S(dwcp_vip)
	F(dwcp_vip, addr) F(dwcp_vip, id) F(dwcp_vip, group) F(dwcp_vip, port_first)
	F(dwcp_vip, port_last) F(dwcp_vip, protocol) F(dwcp_vip, family) F(dwcp_vip, flags)
	F(dwcp_vip, weightset) F(dwcp_vip, limits) F(dwcp_vip, tenant) F(dwcp_vip, policy_set)
	F(dwcp_vip, rank) F(dwcp_vip, reserved)
	N(DWCP_WEIGHTSET_VERSION)
	S(dwcp_weightset)
	F(dwcp_weightset, id) F(dwcp_weightset, first_row) F(dwcp_weightset, n_rows)
	F(dwcp_weightset, region) F(dwcp_weightset, flags) F(dwcp_weightset, group)
	F(dwcp_weightset, reserved)
	S(dwcp_weightset_region)
	F(dwcp_weightset_region, group) F(dwcp_weightset_region, region)
	F(dwcp_weightset_region, reserved0) F(dwcp_weightset_region, weightset)
	F(dwcp_weightset_region, reserved1)
	N(dwcp_weightset_region_home(7, 3, 1 << 20))
	S(dwcp_weightrow)
	F(dwcp_weightrow, primary) F(dwcp_weightrow, secondary)
	N(DWCP_ENDPOINT_VERSION)
	N(DWCP_DELIVERY_ROUTED)
	N(DWCP_DELIVERY_L2)
	N(DWCP_DELIVERY_IPIP)
	N(DWCP_DELIVERY_GRE)
	N(DWCP_DELIVERY_GUE)
	N(DWCP_ENDPOINT_UP)
	N(DWCP_ENDPOINT_DRAINING)
	N(DWCP_ENDPOINT_DEAD)
	S(dwcp_endpoint)
	F(dwcp_endpoint, id) F(dwcp_endpoint, state) F(dwcp_endpoint, delivery)
	F(dwcp_endpoint, family) F(dwcp_endpoint, reserved0) F(dwcp_endpoint, addr)
	F(dwcp_endpoint, nexthop_id) F(dwcp_endpoint, port) F(dwcp_endpoint, reserved1)
}

static void policy_layout(FILE *out)
{
	N(DWCP_POLICY_VERSION)
	N(DWCP_POLICY_SET_ALL)
	N(DWCP_POLICY_DSCP_ANY)
	N(DWCP_POLICY_PRIORITIES)
	N(DWCP_POLICY_PASS)
	N(DWCP_POLICY_DROP)
	N(DWCP_POLICY_CLASS)
	S(dwcp_policy)
	F(dwcp_policy, src_addr) F(dwcp_policy, dst_addr) F(dwcp_policy, src_len)
	F(dwcp_policy, dst_len) F(dwcp_policy, family) F(dwcp_policy, protocol)
	F(dwcp_policy, src_port_first) F(dwcp_policy, src_port_last) F(dwcp_policy, dst_port_first)
	F(dwcp_policy, dst_port_last) F(dwcp_policy, source_set) F(dwcp_policy, destination_set)
	F(dwcp_policy, tenant) F(dwcp_policy, limit_class) F(dwcp_policy, match_dscp)
	F(dwcp_policy, reserved0) F(dwcp_policy, id) F(dwcp_policy, rank) F(dwcp_policy, class_id)
	F(dwcp_policy, action) F(dwcp_policy, dscp) F(dwcp_policy, priority) F(dwcp_policy, flags)
	F(dwcp_policy, reserved1)
	S(dwcp_policy_set)
	F(dwcp_policy_set, id) F(dwcp_policy_set, first_rule) F(dwcp_policy_set, n_rules)
	F(dwcp_policy_set, reserved)
	N(DWCP_CLASS_VERSION)
	N(DWCP_CLASS_MAX_DEPTH)
	S(dwcp_class)
	F(dwcp_class, id) F(dwcp_class, parent) F(dwcp_class, rate_bps) F(dwcp_class, ceil_bps)
	F(dwcp_class, tenant) F(dwcp_class, burst_bytes) F(dwcp_class, queue_packets)
	F(dwcp_class, codel_target_us) F(dwcp_class, codel_interval_us) F(dwcp_class, frame_overhead)
	F(dwcp_class, priority) F(dwcp_class, flags) F(dwcp_class, reserved)
	N(DWCP_LIMITS_VERSION)
	S(dwcp_limits)
	F(dwcp_limits, id) F(dwcp_limits, window_ms) F(dwcp_limits, requests) F(dwcp_limits, packets)
	F(dwcp_limits, bytes) F(dwcp_limits, new_connections) F(dwcp_limits, concurrent_connections)
	F(dwcp_limits, syn_flood_pps) F(dwcp_limits, udp_flood_pps) F(dwcp_limits, icmp_flood_pps)
	F(dwcp_limits, fragment_flood_pps) F(dwcp_limits, block_seconds)
	N(DWCP_PORT_ADDR_VERSION)
	S(dwcp_port_addr)
	F(dwcp_port_addr, addr4) F(dwcp_port_addr, addr6) F(dwcp_port_addr, link_local) F(dwcp_port_addr, flags)
}

static void stats_layout(FILE *out)
{
	N(DWCP_STATS_MAGIC)
	N(DWCP_STATS_VERSION)
	N(DWCP_STATS_MAX_PORTS)
	N(DWCP_STATS_N_BUCKETS)
	N(DWCP_GAP_LONG_NS)
	N(DWCP_DROP_REASONS_MAX)
	N(DWCP_STAGE_N)
#define X(name, text) fprintf(out, "stage %s = %d\n", text, DWCP_STAGE_##name);
	DWCP_STAGES(X)
#undef X
#define X(name, text) fprintf(out, "drop " #name " = %d\n", DROP_##name);
	DWCP_DROP_REASONS(X)
#undef X
	S(dwcp_hist)
	N(dwcp_hist_bucket(15)) N(dwcp_hist_bucket(16)) N(dwcp_hist_bucket(1000000)) N(dwcp_hist_floor(100))
	S(dwcp_stats_hdr)
	F(dwcp_stats_hdr, magic) F(dwcp_stats_hdr, version) F(dwcp_stats_hdr, header_bytes)
	F(dwcp_stats_hdr, worker_bytes) F(dwcp_stats_hdr, port_bytes) F(dwcp_stats_hdr, n_workers)
	F(dwcp_stats_hdr, n_ports) F(dwcp_stats_hdr, n_drop_reasons) F(dwcp_stats_hdr, n_stages)
	F(dwcp_stats_hdr, tsc_hz) F(dwcp_stats_hdr, incarnation) F(dwcp_stats_hdr, started_unix_ns)
	F(dwcp_stats_hdr, pid) F(dwcp_stats_hdr, reserved0) F(dwcp_stats_hdr, pad0) F(dwcp_stats_hdr, generation)
	F(dwcp_stats_hdr, generation_created_unix_ns) F(dwcp_stats_hdr, adopted_unix_ns)
	F(dwcp_stats_hdr, adoptions) F(dwcp_stats_hdr, refusals) F(dwcp_stats_hdr, mapped_bytes)
	F(dwcp_stats_hdr, staged_bytes) F(dwcp_stats_hdr, stored_generation) F(dwcp_stats_hdr, stored_unix_ns)
	F(dwcp_stats_hdr, heartbeat_ns) F(dwcp_stats_hdr, huge_segments) F(dwcp_stats_hdr, pad1)
	S(dwcp_stats_io)
	F(dwcp_stats_io, rx_packets) F(dwcp_stats_io, rx_bytes) F(dwcp_stats_io, tx_packets)
	F(dwcp_stats_io, tx_bytes)
	S(dwcp_stats_worker)
	F(dwcp_stats_worker, heartbeat) F(dwcp_stats_worker, bursts) F(dwcp_stats_worker, packets)
	F(dwcp_stats_worker, generation) F(dwcp_stats_worker, sleeps) F(dwcp_stats_worker, sleep_ns)
	F(dwcp_stats_worker, from_host) F(dwcp_stats_worker, to_host) F(dwcp_stats_worker, originated)
	F(dwcp_stats_worker, queued) F(dwcp_stats_worker, max_gap_ns) F(dwcp_stats_worker, gaps)
	F(dwcp_stats_worker, events_lost) F(dwcp_stats_worker, cpu) F(dwcp_stats_worker, lcore)
	F(dwcp_stats_worker, long_gaps) F(dwcp_stats_worker, long_gap_ns) F(dwcp_stats_worker, drop) F(dwcp_stats_worker, sampled_bursts)
	F(dwcp_stats_worker, sampled_packets) F(dwcp_stats_worker, stage_cycles) F(dwcp_stats_worker, pad1)
	F(dwcp_stats_worker, latency) F(dwcp_stats_worker, gap) F(dwcp_stats_worker, port)
	N(DWCP_STATS_HOST_CLASSES)
	F(dwcp_stats_worker, host)
	S(dwcp_stats_host)
	F(dwcp_stats_host, punted) F(dwcp_stats_host, policed) F(dwcp_stats_host, full) F(dwcp_stats_host, limit_pps)
	N(DWCP_TWIN_NONE) N(DWCP_TWIN_DOWN) N(DWCP_TWIN_UP)
	F(dwcp_stats_worker, latency) F(dwcp_stats_worker, gap) F(dwcp_stats_worker, port) F(dwcp_stats_worker, icmp)
	N(DWCP_STATS_ICMP_MAX)
	S(dwcp_stats_icmp)
	F(dwcp_stats_icmp, sent) F(dwcp_stats_icmp, limited) F(dwcp_stats_icmp, forbidden) F(dwcp_stats_icmp, no_source)
	F(dwcp_stats_icmp, no_room) F(dwcp_stats_icmp, fragmented) F(dwcp_stats_icmp, fragments)
	F(dwcp_stats_icmp, fragment_failed) F(dwcp_stats_icmp, forbidden_by)
	S(dwcp_stats_port)
	F(dwcp_stats_port, name) F(dwcp_stats_port, device) F(dwcp_stats_port, up) F(dwcp_stats_port, speed_mbps)
	F(dwcp_stats_port, mtu) F(dwcp_stats_port, n_rx_queues) F(dwcp_stats_port, n_tx_queues)
	F(dwcp_stats_port, reserved0) F(dwcp_stats_port, mac) F(dwcp_stats_port, reserved1)
	F(dwcp_stats_port, link_changes) F(dwcp_stats_port, hw_rx_packets) F(dwcp_stats_port, hw_rx_bytes)
	F(dwcp_stats_port, hw_rx_missed) F(dwcp_stats_port, hw_rx_errors) F(dwcp_stats_port, hw_rx_nombuf)
	F(dwcp_stats_port, hw_tx_packets) F(dwcp_stats_port, hw_tx_bytes) F(dwcp_stats_port, hw_tx_errors)
	F(dwcp_stats_port, parent) F(dwcp_stats_port, reserved2) F(dwcp_stats_port, twin) F(dwcp_stats_port, twin_errno)
	F(dwcp_stats_port, twin_changes) F(dwcp_stats_port, twin_delivered) F(dwcp_stats_port, twin_failed)
	F(dwcp_stats_port, twin_received) F(dwcp_stats_port, twin_name)
	F(dwcp_stats_port, xdp) F(dwcp_stats_port, twin_oversized)
	F(dwcp_stats_port, pad2)
	S(dwcp_stats_xdp)
	F(dwcp_stats_xdp, n_counters) F(dwcp_stats_xdp, program_id) F(dwcp_stats_xdp, native)
	F(dwcp_stats_xdp, reserved0) F(dwcp_stats_xdp, lost) F(dwcp_stats_xdp, packets)
}

static void ring_layout(FILE *out)
{
	N(DWCP_SHARED_LINE)
	N(DWCP_RING_MAGIC)
	N(DWCP_RING_VERSION)
	N(DWCP_RING_SLOTS)
	N(DWCP_RING_MAX_RINGS)
	N(DWCP_EVENT_NONE)
	N(DWCP_EVENT_DROP_SAMPLE)
	N(DWCP_EVENT_UNRESOLVED)
	N(DWCP_EVENT_LINK)
	N(DWCP_EVENT_ADOPTED)
	N(DWCP_EVENT_REFUSED)
	N(DWCP_EVENT_STALL)
	S(dwcp_event)
	F(dwcp_event, time_ns) F(dwcp_event, type) F(dwcp_event, a) F(dwcp_event, b) F(dwcp_event, port)
	F(dwcp_event, worker) F(dwcp_event, family) F(dwcp_event, n) F(dwcp_event, data)
	S(dwcp_ring)
	F(dwcp_ring, head) F(dwcp_ring, lost) F(dwcp_ring, pad) F(dwcp_ring, slot)
	S(dwcp_ring_page)
	F(dwcp_ring_page, magic) F(dwcp_ring_page, version) F(dwcp_ring_page, n_rings) F(dwcp_ring_page, pad)
	A(dwcp_ring_page, ring)
	S(dwcp_ring_tail)
	F(dwcp_ring_tail, tail) F(dwcp_ring_tail, pad)
}

static void link_layout(FILE *out)
{
	N(DWCP_LINK_MAGIC)
	N(DWCP_LINK_VERSION)
	N(DWCP_LINK_MAX_BYTES)
	N(DWCP_LINK_MAX_FDS)
	N(DWCP_LINK_REASON_MAX)
	N(DWCP_LINK_HELLO)
	N(DWCP_LINK_HELD)
	N(DWCP_LINK_SEGMENTS)
	N(DWCP_LINK_SEGMENT_REFUSED)
	N(DWCP_LINK_PUBLISH)
	N(DWCP_LINK_ADOPTED)
	N(DWCP_LINK_REFUSED)
	N(DWCP_HELLO_FD_STATS)
	N(DWCP_HELLO_FD_RINGS)
	N(DWCP_HELLO_FD_TAILS)
	N(DWCP_HELLO_FD_EVENT)
	N(DWCP_HELLO_N_FDS)
	S(dwcp_link_hdr)
	F(dwcp_link_hdr, magic) F(dwcp_link_hdr, version) F(dwcp_link_hdr, type) F(dwcp_link_hdr, bytes)
	F(dwcp_link_hdr, n_fds)
	S(dwcp_link_abi)
	F(dwcp_link_abi, section) F(dwcp_link_abi, version_min) F(dwcp_link_abi, version_max)
	F(dwcp_link_abi, reserved)
	S(dwcp_link_hello)
	F(dwcp_link_hello, hdr) F(dwcp_link_hello, incarnation) F(dwcp_link_hello, generation)
	F(dwcp_link_hello, manifest_hash) F(dwcp_link_hello, config_hash) F(dwcp_link_hello, pid)
	F(dwcp_link_hello, n_workers) F(dwcp_link_hello, n_ports) F(dwcp_link_hello, n_held)
	F(dwcp_link_hello, max_table_bytes) F(dwcp_link_hello, stats_bytes) F(dwcp_link_hello, rings_bytes)
	F(dwcp_link_hello, tails_bytes) F(dwcp_link_hello, abi)
	S(dwcp_link_held)
	F(dwcp_link_held, hdr) F(dwcp_link_held, n) F(dwcp_link_held, reserved) A(dwcp_link_held, id)
	S(dwcp_link_segments)
	F(dwcp_link_segments, hdr) F(dwcp_link_segments, n) F(dwcp_link_segments, reserved)
	A(dwcp_link_segments, desc)
	S(dwcp_link_segment_refused)
	F(dwcp_link_segment_refused, hdr) F(dwcp_link_segment_refused, id) F(dwcp_link_segment_refused, reason)
	S(dwcp_link_publish)
	F(dwcp_link_publish, hdr) F(dwcp_link_publish, generation) F(dwcp_link_publish, event_ns)
	F(dwcp_link_publish, sent_ns)
	S(dwcp_link_adopted)
	F(dwcp_link_adopted, hdr) F(dwcp_link_adopted, generation) F(dwcp_link_adopted, manifest_hash)
	F(dwcp_link_adopted, received_ns) F(dwcp_link_adopted, validated_ns) F(dwcp_link_adopted, swapped_ns)
	F(dwcp_link_adopted, quiescent_ns) F(dwcp_link_adopted, mapped_bytes) F(dwcp_link_adopted, n_segments)
	F(dwcp_link_adopted, n_new_segments)
	S(dwcp_link_refused)
	F(dwcp_link_refused, hdr) F(dwcp_link_refused, generation) F(dwcp_link_refused, current)
	F(dwcp_link_refused, reason)
}

static void xdp_layout(FILE *out)
{
	N(DWCP_XDP_MAGIC)
	N(DWCP_XDP_VERSION)
	N(DWCP_XDP_MAX_QUEUES)
	N(DWCP_XDP_COUNTERS_MAX)
	N(DWCP_XDP_N_KINDS)
	N(DWCP_XDP_N_KEYS)
	N(dwcp_xdp_key(3, 7)) N(dwcp_xdp_key(1000, 7))
	fprintf(out, "xdp names %s %s %s\n", DWCP_XDP_PROGRAM, DWCP_XDP_MAP_SOCKETS, DWCP_XDP_MAP_COUNTERS);
#define X(name, text) fprintf(out, "xdp counter " #name " = %d\n", DWCP_XDP_##name);
	DWCP_XDP_KINDS(X)
	DWCP_XDP_DROPS(X)
#undef X
	S(dwcp_xdp_counters)
	F(dwcp_xdp_counters, packets)
	S(dwcp_xdp_knobs)
	F(dwcp_xdp_knobs, magic) F(dwcp_xdp_knobs, version) F(dwcp_xdp_knobs, drop_malformed)
}
/* clang-format on */

static void layout_print(FILE *out)
{
	fib_layout(out);
	manifest_layout(out);
	nexthop_layout(out);
	hash_layout(out);
	source_layout(out);
	steering_layout(out);
	policy_layout(out);
	stats_layout(out);
	ring_layout(out);
	link_layout(out);
	xdp_layout(out);
}

/* Lines side by side. Return: how many differ. */
static unsigned int layout_compare(FILE *is, FILE *golden)
{
	char want[256], have[256];
	unsigned int n = 0, line = 0;
	bool more_want, more_have;

	do {
		more_want = fgets(want, sizeof(want), golden) != NULL;
		more_have = fgets(have, sizeof(have), is) != NULL;
		line++;
		if (more_want && more_have && strcmp(want, have) == 0)
			continue;
		if (!more_want && !more_have)
			break;
		if (n++ < 10)
			fprintf(stderr, "line %u\n  was %s  is  %s", line,
				more_want ? want : "(nothing)\n", more_have ? have : "(nothing)\n");
	} while (more_want || more_have);
	return n;
}

int main(int argc, char **argv)
{
	FILE *is, *golden;
	unsigned int n;

	if (argc < 2) {
		layout_print(stdout);
		return 0;
	}
	is = tmpfile();
	golden = fopen(argv[1], "re");
	if (!is || !golden) {
		fprintf(stderr, "%s: %s\n", argv[1], strerror(errno));
		return 99; /* meson: an error, also where a failure is expected */
	}
	layout_print(is);
	rewind(is);
	n = layout_compare(is, golden);
	fclose(is);
	fclose(golden);
	if (n)
		fprintf(stderr,
			"%u lines differ from %s.\n"
			"The layout of shared memory has changed: older readers misread it. Bump "
			"the version of what\n"
			"changed (DWCP_*_VERSION), see include/dwcp/abi/README.md, then: layout > "
			"%s\n",
			n, argv[1], argv[1]);
	return n != 0;
}
