/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-3-Clause) */
/*
 * maps.bpf.h - the maps and knobs of the pre-filter, see abi/xdp.h. Never pinned: an instance finds them through the program
 * that is attached to its interface, so two instances can't meet in one.
 */
#pragma once

#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <dwcp/abi/xdp.h>

struct {
	__uint(type, BPF_MAP_TYPE_XSKMAP);
	__uint(max_entries, DWCP_XDP_MAX_QUEUES);
	__type(key, __u32);
	__type(value, __u32);
} xsks_map SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, DWCP_XDP_N_KEYS);
	__type(key, __u32);
	__type(value, __u64);
} xdp_counters SEC(".maps");

const volatile struct dwcp_xdp_knobs xdp_knobs = {
	.magic = DWCP_XDP_MAGIC,
	.version = DWCP_XDP_VERSION,
	.drop_malformed = 1,
};
