/* SPDX-License-Identifier: BSD-3-Clause */
/* prefilter.c - see prefilter.h */
#include "prefilter.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/bpf.h>

static int knobs_set(struct bpf_object *obj, bool drop_malformed)
{
	struct bpf_map *map;
	size_t bytes;

	bpf_object__for_each_map(map, obj)
	{
		struct dwcp_xdp_knobs *knobs;

		if (!strstr(bpf_map__name(map), ".rodata"))
			continue;
		knobs = (struct dwcp_xdp_knobs *)(uintptr_t)bpf_map__initial_value(map, &bytes);
		if (!knobs || bytes < sizeof(*knobs) || knobs->magic != DWCP_XDP_MAGIC)
			return -EINVAL;
		knobs->drop_malformed = drop_malformed;
		return 0;
	}
	return -ENOENT;
}

int prefilter_open(struct prefilter *p, const char *path, bool drop_malformed)
{
	int err;

	*p = (struct prefilter){.socket_fd = -1};
	p->obj = bpf_object__open_file(path, NULL);
	if (!p->obj) {
		err = -errno;
		printf("%s: %s\n", path, strerror(-err));
		return err;
	}
	err = knobs_set(p->obj, drop_malformed);
	if (!err)
		err = bpf_object__load(p->obj);
	if (err) {
		printf("%s: the kernel does not load it: %s\n", path, strerror(-err));
		prefilter_close(p);
		return err;
	}
	p->prog_fd = bpf_program__fd(bpf_object__find_program_by_name(p->obj, DWCP_XDP_PROGRAM));
	p->sockets_fd = bpf_object__find_map_fd_by_name(p->obj, DWCP_XDP_MAP_SOCKETS);
	p->counters_fd = bpf_object__find_map_fd_by_name(p->obj, DWCP_XDP_MAP_COUNTERS);
	p->n_cpus = libbpf_num_possible_cpus();
	p->cpu = calloc((size_t)p->n_cpus, sizeof(*p->cpu));
	p->socket_fd = socket(AF_XDP, SOCK_RAW | SOCK_CLOEXEC, 0);
	if (p->prog_fd < 0 || p->sockets_fd < 0 || p->counters_fd < 0 || !p->cpu ||
	    p->socket_fd < 0) {
		printf("%s: not all there: %s\n", path, strerror(errno));
		prefilter_close(p);
		return -ENOENT;
	}
	return 0;
}

void prefilter_close(struct prefilter *p)
{
	if (p->socket_fd >= 0)
		close(p->socket_fd);
	free(p->cpu);
	bpf_object__close(p->obj);
	*p = (struct prefilter){.socket_fd = -1};
}

int prefilter_socket(struct prefilter *p, u32 queue, bool there)
{
	if (there)
		return bpf_map_update_elem(p->sockets_fd, &queue, &p->socket_fd, BPF_ANY);
	return bpf_map_delete_elem(p->sockets_fd, &queue);
}

int prefilter_run(struct prefilter *p, const void *frame, u32 bytes, u32 ifindex, u32 queue,
		  u32 repeat, u32 *ret_ns)
{
	struct xdp_md md = {.data_end = bytes, .ingress_ifindex = ifindex, .rx_queue_index = queue};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = bytes,
		    .ctx_in = ifindex ? &md : NULL, .ctx_size_in = ifindex ? sizeof(md) : 0,
		    .repeat = (int)repeat);
	int err = bpf_prog_test_run_opts(p->prog_fd, &opts);

	if (err)
		return err;
	if (ret_ns)
		*ret_ns = opts.duration;
	return (int)opts.retval;
}

int prefilter_counters(struct prefilter *p, u32 queue, struct dwcp_xdp_counters *ret)
{
	memset(ret, 0, sizeof(*ret));
	for (u32 i = 0; i < DWCP_XDP_N_COUNTERS; i++) {
		u32 key = dwcp_xdp_key(queue, i);

		if (bpf_map_lookup_elem(p->counters_fd, &key, p->cpu))
			return -errno;
		for (int c = 0; c < p->n_cpus; c++)
			ret->packets[i] += p->cpu[c];
	}
	return 0;
}

const char *prefilter_name(u32 counter)
{
	static const char *const names[] = {
#define X(name, text) #name,
		DWCP_XDP_KINDS(X) DWCP_XDP_DROPS(X)
#undef X
	};

	return counter < DWCP_ARRAY_LEN(names) ? names[counter] : "?";
}
