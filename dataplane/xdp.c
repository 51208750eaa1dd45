/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * xdp.c - see xdp.h. The program itself is ebpf/prefilter.bpf.c; DPDK's driver loads and attaches it (port_af_xdp.c).
 */
#include "xdp.h"

#include <dirent.h>
#include <errno.h>
#include <linux/if_link.h>
#include <linux/if_xdp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define MAPS_MAX 16

struct program {
	struct bpf_prog_info info;
	u32 map_id[MAPS_MAX];
};

static int program_info(int fd, struct program *ret)
{
	u32 bytes = sizeof(ret->info);

	memset(ret, 0, sizeof(*ret));
	ret->info.nr_map_ids = MAPS_MAX;
	ret->info.map_ids = (u64)(uintptr_t)ret->map_id;
	return bpf_obj_get_info_by_fd(fd, &ret->info, &bytes);
}

static bool program_has_map(const struct program *p, u32 map_id)
{
	for (u32 i = 0; i < p->info.nr_map_ids && i < MAPS_MAX; i++)
		if (p->map_id[i] == map_id)
			return true;
	return false;
}

static int map_info(int fd, struct bpf_map_info *ret)
{
	u32 bytes = sizeof(*ret);

	memset(ret, 0, sizeof(*ret));
	return bpf_obj_get_info_by_fd(fd, ret, &bytes);
}

/* Is this map the read-only data of one of our programs, of whatever version? */
static bool map_has_magic(u32 map_id)
{
	int fd = bpf_map_get_fd_by_id(map_id);
	struct bpf_map_info info;
	u8 *value = NULL;
	u64 magic = 0;
	u32 key = 0;

	if (fd < 0)
		return false;
	if (map_info(fd, &info) == 0 && strstr(info.name, ".rodata") &&
	    info.value_size >= sizeof(magic))
		value = malloc(DWCP_ALIGN_UP(info.value_size, 8u));
	if (value && bpf_map_lookup_elem(fd, &key, value) == 0)
		memcpy(&magic, value, sizeof(magic));
	free(value);
	close(fd);
	return magic == DWCP_XDP_MAGIC;
}

static enum xdp_owner program_owner(const struct program *p)
{
	if (strcmp(p->info.name, DWCP_XDP_PROGRAM) != 0)
		return XDP_FOREIGN;
	for (u32 i = 0; i < p->info.nr_map_ids && i < MAPS_MAX; i++)
		if (map_has_magic(p->map_id[i]))
			return XDP_OURS;
	return XDP_FOREIGN;
}

int xdp_attached_get(u32 ifindex, struct xdp_attached *ret)
{
	LIBBPF_OPTS(bpf_xdp_query_opts, opts);
	struct program p;
	int err = bpf_xdp_query((int)ifindex, 0, &opts), fd;

	memset(ret, 0, sizeof(*ret));
	if (err)
		return err;
	ret->mode = opts.attach_mode;
	ret->id = opts.drv_prog_id   ? opts.drv_prog_id
		  : opts.skb_prog_id ? opts.skb_prog_id
				     : opts.hw_prog_id;
	if (opts.attach_mode == XDP_ATTACHED_NONE)
		return 0;
	ret->owner = XDP_FOREIGN;
	fd = bpf_prog_get_fd_by_id(ret->id);
	if (fd < 0) {
		ret->owner = errno == EPERM ? XDP_UNKNOWN : XDP_FOREIGN;
		return 0;
	}
	if (program_info(fd, &p) == 0) {
		snprintf(ret->name, sizeof(ret->name), "%s", p.info.name);
		if (opts.attach_mode != XDP_ATTACHED_MULTI)
			ret->owner = program_owner(&p);
	}
	close(fd);
	return 0;
}

int xdp_detach(u32 ifindex, const struct xdp_attached *a)
{
	u32 flags = a->mode == XDP_ATTACHED_SKB ? XDP_FLAGS_SKB_MODE : XDP_FLAGS_DRV_MODE;
	int fd = bpf_prog_get_fd_by_id(a->id), err;
	LIBBPF_OPTS(bpf_xdp_attach_opts, opts, .old_prog_fd = fd);

	if (fd < 0)
		return -errno;
	err = bpf_xdp_detach((int)ifindex, flags, &opts);
	close(fd);
	return err;
}

/* ---- counters ------------------------------------------------------------------------------------------------ */

typedef bool fd_match_fn(int fd, void *arg);

/* The first of our own descriptors of this kind ("bpf-map") that matches. Return: fd, -ENOENT. */
static int own_fd_find(const char *kind, fd_match_fn *match, void *arg)
{
	DIR *dir = opendir("/proc/self/fd");
	struct dirent *e;
	int found = -ENOENT;

	while (dir && found < 0 && (e = readdir(dir))) {
		char path[300], link[64] = "";
		int fd = (int)strtol(e->d_name, NULL, 10);

		snprintf(path, sizeof(path), "/proc/self/fd/%s", e->d_name);
		if (readlink(path, link, sizeof(link) - 1) > 0 && strstr(link, kind) &&
		    match(fd, arg))
			found = fd;
	}
	if (dir)
		closedir(dir);
	return found;
}

/* In: the id looked for. Out: the program. */
static bool match_program(int fd, void *arg)
{
	struct program *want = arg, p;

	if (program_info(fd, &p) || p.info.id != want->info.id)
		return false;
	*want = p;
	return true;
}

bool xdp_is_own(u32 program_id)
{
	struct program p = {.info.id = program_id};

	return own_fd_find("bpf-prog", match_program, &p) >= 0;
}

/* Counts, and asks for the next one. */
static bool match_socket(int fd, void *arg)
{
	struct xdp_sockets *s = arg;
	struct xdp_options options = {0};
	int domain = 0, busy = 0;
	socklen_t len = sizeof(domain), options_len = sizeof(options), busy_len = sizeof(busy);

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) || domain != AF_XDP)
		return false;
	getsockopt(fd, SOL_XDP, XDP_OPTIONS, &options, &options_len);
	getsockopt(fd, SOL_SOCKET, SO_PREFER_BUSY_POLL, &busy, &busy_len);
	s->n++;
	s->n_zero_copy += options.flags & XDP_OPTIONS_ZEROCOPY ? 1 : 0;
	s->n_may_stall += options.flags & XDP_OPTIONS_ZEROCOPY && !busy;
	return false;
}

void xdp_sockets_get(struct xdp_sockets *ret)
{
	*ret = (struct xdp_sockets){0};
	own_fd_find("socket:", match_socket, ret);
}

static bool match_counters(int fd, void *arg)
{
	struct bpf_map_info info;

	return map_info(fd, &info) == 0 && program_has_map(arg, info.id) &&
	       strcmp(info.name, DWCP_XDP_MAP_COUNTERS) == 0 &&
	       info.type == BPF_MAP_TYPE_PERCPU_ARRAY && info.value_size == sizeof(u64) &&
	       info.max_entries == DWCP_XDP_N_KEYS;
}

int xdp_counters_open(u32 program_id, u32 n_queues, struct xdp_counters *ret)
{
	struct program p = {.info.id = program_id};
	int n_cpus = libbpf_num_possible_cpus(), fd;

	if (own_fd_find("bpf-prog", match_program, &p) < 0)
		return -ENOENT;
	fd = own_fd_find("bpf-map", match_counters, &p);
	if (fd < 0 || n_cpus <= 0)
		return -ENOENT;
	*ret = (struct xdp_counters){.n_queues = n_queues, .n_cpus = n_cpus};
	ret->cpu = calloc((size_t)n_cpus * DWCP_XDP_COUNTERS_MAX, sizeof(*ret->cpu));
	if (!ret->cpu)
		return -ENOMEM;
	ret->fd = dup(fd);
	if (ret->fd >= 0)
		return 0;
	free(ret->cpu);
	return -errno;
}

void xdp_counters_close(struct xdp_counters *c)
{
	if (c->cpu)
		close(c->fd);
	free(c->cpu);
	c->cpu = NULL;
}

/* One slot's keys follow each other: one call reads them all. */
static int slot_add(const struct xdp_counters *c, u32 slot, struct dwcp_xdp_counters *sum)
{
	u32 keys[DWCP_XDP_COUNTERS_MAX], before = slot * DWCP_XDP_COUNTERS_MAX - 1, next;
	u32 n = DWCP_XDP_COUNTERS_MAX;
	int err = bpf_map_lookup_batch(c->fd, slot ? &before : NULL, &next, keys, c->cpu, &n, NULL);

	if (err && err != -ENOENT) /* the last slot: nothing follows */
		return err;
	for (u32 i = 0; i < n; i++)
		for (int cpu = 0; cpu < c->n_cpus; cpu++)
			sum->packets[i] += c->cpu[i * (u32)c->n_cpus + (u32)cpu];
	return 0;
}

int xdp_counters_read(const struct xdp_counters *c, struct dwcp_xdp_counters *ret)
{
	struct dwcp_xdp_counters sum = {0};
	int err = slot_add(c, DWCP_XDP_MAX_QUEUES, &sum);

	for (u32 q = 0; !err && q < DWCP_MIN(c->n_queues, (u32)DWCP_XDP_MAX_QUEUES); q++)
		err = slot_add(c, q, &sum);
	if (!err)
		*ret = sum;
	return err;
}
