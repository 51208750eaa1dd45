/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * memory.c - EAL arguments from the configuration, huge pages or not, and the packet pool. Control thread, at start;
 * nothing is allocated for packets afterwards.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_mbuf.h>

#include "dataplane.h"
#include "log.h"

#define EAL_ARGS_MAX   (16 + 2 * PORT_MAX)
#define EAL_ARG_BYTES  1024
#define MBUF_CACHE     256
#define MBUF_OVERHEAD  (sizeof(struct rte_mbuf) + 64 + 64) /* object header, alignment */
#define MEMORY_BASE_MB 64				   /* rings, workers, drivers */

struct eal_args {
	int n;
	char *arg[EAL_ARGS_MAX]; /* EAL reorders and overwrites these */
	char text[EAL_ARGS_MAX][EAL_ARG_BYTES];
};

static void eal_add(struct eal_args *a, const char *fmt, ...) dwcp_printf(2, 3);

static void eal_add(struct eal_args *a, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	if (a->n < EAL_ARGS_MAX - 1) {
		vsnprintf(a->text[a->n], EAL_ARG_BYTES, fmt, ap);
		a->arg[a->n] = a->text[a->n];
		a->n++;
	}
	va_end(ap);
}

static u64 meminfo_kb(const char *key)
{
	FILE *f = fopen("/proc/meminfo", "re");
	char line[128];
	unsigned long long kb = 0;
	size_t len = strlen(key);

	if (!f)
		return 0;
	while (fgets(line, sizeof(line), f)) {
		if (strncmp(line, key, len) == 0 && line[len] == ':') {
			kb = strtoull(line + len + 1, NULL, 10);
			break;
		}
	}
	fclose(f);
	return kb;
}

static u32 mbufs_wanted(const struct dwcp_config *cfg)
{
	return cfg->dataplane.memory.mbufs ? cfg->dataplane.memory.mbufs : ports_need_mbufs(cfg);
}

/* Of small pages an object takes a whole one or several, unless two fit into one: they don't cross pages. */
static u64 mbuf_memory_bytes(const struct dwcp_config *cfg, bool huge)
{
	u64 object = ports_need_mbuf_bytes(cfg) + MBUF_OVERHEAD, page = (u64)sysconf(_SC_PAGESIZE);

	if (huge)
		return object;
	return object > page / 2 ? DWCP_ALIGN_UP(object, page) : page / (page / object);
}

static u32 memory_mb_needed(const struct dwcp_config *cfg, bool huge)
{
	u64 bytes = (u64)mbufs_wanted(cfg) * mbuf_memory_bytes(cfg, huge);
	u32 mb = (u32)(bytes * 9 / 8 >> 20) + MEMORY_BASE_MB + cfg->dataplane.n_workers;

	return DWCP_MAX(mb, cfg->dataplane.memory.size_mb);
}

/* Huge pages when there are enough free ones (or the operator insists). */
static bool memory_use_huge(struct dataplane *dp, u32 mb)
{
	enum config_huge want = dp->cfg->dataplane.memory.huge_pages;
	u64 page_kb = meminfo_kb("Hugepagesize"), free_pages = meminfo_kb("HugePages_Free");

	if (want == CONFIG_HUGE_OFF) {
		dp->huge_reason = "switched off in the configuration";
		return false;
	}
	if (want == CONFIG_HUGE_ON)
		return true;
	if (geteuid() != 0) {
		dp->huge_reason = "not root";
		return false;
	}
	if (page_kb * free_pages >> 10 >= mb)
		return true;
	dp->huge_reason = "not enough free huge pages";
	log_event("memory.huge_pages state=off reason='%s' free_mb=%lu need_mb=%u effect=slower "
		  "hint='echo %lu > /proc/sys/vm/nr_hugepages'",
		  dp->huge_reason, page_kb * free_pages >> 10, mb,
		  page_kb ? ((u64)mb << 10) / page_kb + 1 : 0);
	return false;
}

static void eal_add_lcores(struct eal_args *a, const struct dwcp_config *cfg)
{
	char text[16 + 12 * (CONFIG_MAX_WORKERS + 1)];
	long cpus = sysconf(_SC_NPROCESSORS_CONF);
	int at;

	/* lcore 0 is the control thread, 1 … n the workers: several may share a CPU in tests */
	if (cfg->dataplane.control_cpu >= 0)
		at = snprintf(text, sizeof(text), "0@%d", cfg->dataplane.control_cpu);
	else
		at = snprintf(text, sizeof(text), "0@(0-%ld)", cpus > 1 ? cpus - 1 : 0);
	for (u32 i = 0; i < cfg->dataplane.n_workers && at < (int)sizeof(text); i++)
		at += snprintf(text + at, sizeof(text) - (size_t)at, ",%u@%u", i + 1,
			       cfg->dataplane.workers[i]);
	eal_add(a, "--lcores=%s", text);
	eal_add(a, "--main-lcore=0");
}

static void eal_add_devices(struct eal_args *a, const struct dwcp_config *cfg)
{
	u32 n_pci = 0;

	for (u32 i = 0; i < cfg->n_ports; i++) {
		const struct port_cfg *p = &cfg->ports[i];

		if (!strchr(p->device, ':'))
			continue;
		eal_add(a, "--allow=%s%s%s", p->device, p->args[0] ? "," : "", p->args);
		n_pci++;
	}
	if (n_pci == 0)
		eal_add(a, "--no-pci");
}

/* EAL names only the lcore; the operator wrote a CPU. */
static int memory_check_cpus(const struct dwcp_config *cfg)
{
	cpu_set_t allowed;

	if (sched_getaffinity(0, sizeof(allowed), &allowed))
		return 0;
	for (u32 i = 0; i < cfg->dataplane.n_workers; i++) {
		u16 cpu = cfg->dataplane.workers[i];

		if (cpu < CPU_SETSIZE && CPU_ISSET(cpu, &allowed))
			continue;
		log_event("memory.init error=no_such_cpu cpu=%u hint='dataplane.workers names CPUs "
			  "that this process may run "
			  "on: taskset -p %d'",
			  cpu, getpid());
		return -EINVAL;
	}
	return 0;
}

int memory_init(struct dataplane *dp, const char *program)
{
	const struct dwcp_config *cfg = dp->cfg;
	static struct eal_args a; /* for ever: EAL keeps pointers into it */
	int ret = memory_check_cpus(cfg);
	u32 mb;

	if (ret)
		return ret;
	dp->huge = memory_use_huge(dp, memory_mb_needed(cfg, true));
	mb = memory_mb_needed(cfg, dp->huge);
	eal_add(&a, "%s", program);
	eal_add_lcores(&a, cfg);
	eal_add_devices(&a, cfg);
	/* --no-huge means EAL's legacy memory, which --in-memory excludes */
	eal_add(&a, dp->huge ? "--in-memory" : "--no-shconf");
	eal_add(&a, "--file-prefix=%s", cfg->dataplane.file_prefix);
	eal_add(&a, "--no-telemetry");
	eal_add(&a, "--iova-mode=va");
	eal_add(&a, "--log-level=*:4");
	eal_add(&a, "-m");
	eal_add(&a, "%u", mb);
	if (!dp->huge)
		eal_add(&a, "--no-huge");
	/* EAL's run-time files go beside our sockets: below /run/dpdk each start would leave a directory for ever */
	if (dp->run_dir)
		setenv("RUNTIME_DIRECTORY", dp->run_dir, 0);
	ret = rte_eal_init(a.n, a.arg);
	if (ret < 0) {
		log_event("memory.init error='%s' huge_pages=%s need_mb=%u hint='%s'",
			  rte_strerror(rte_errno), dp->huge ? "on" : "off", mb,
			  dp->huge ? "echo 512 > /proc/sys/vm/nr_hugepages, or "
				     "dataplane.memory.huge_pages = \"off\""
				   : "less dataplane.memory.size_mb or mbufs; are the worker CPUs "
				     "there?");
		return -ENOMEM;
	}
	dp->eal = true;
	log_event("memory.init mb=%u huge_pages=%s", mb, dp->huge ? "on" : "off");
	return 0;
}

static bool uses_af_xdp(const struct dwcp_config *cfg)
{
	for (u32 i = 0; i < cfg->n_ports; i++)
		if (strcmp(cfg->ports[i].device, "af_xdp") == 0)
			return true;
	return false;
}

static u32 object_bytes(u32 room)
{
	return rte_mempool_calc_obj_size((u32)sizeof(struct rte_mbuf) + room, 0, NULL);
}

/*
 * Objects don't cross pages: with small ones each has a page to itself, and a buffer may as well fill it, but for what the
 * pool adds to spread objects over memory channels.
 */
static u16 room_of_page(u16 room)
{
	u32 page = (u32)sysconf(_SC_PAGESIZE), more = page - RTE_CACHE_LINE_SIZE;

	if (object_bytes(room) <= page / 2 || object_bytes(room) > page)
		return room;
	while (object_bytes(more) > page)
		more -= RTE_CACHE_LINE_SIZE;
	return (u16)DWCP_MAX(more, (u32)room);
}

/*
 * DPDK's AF_XDP driver registers as many bytes as all objects of a pool have, from its first one on, and forgets the gaps
 * before page boundaries: the kernel refuses the buffers at the far end, without a word and for ever. They stay unused.
 */
static int pool_keep_registered(struct rte_mempool *pool)
{
	const struct rte_mempool_memhdr *first = STAILQ_FIRST(&pool->mem_list);
	u32 n = pool->populated_size, kept_out = 0;
	u32 object = pool->header_size + pool->elt_size + pool->trailer_size;
	uintptr_t begin = (uintptr_t)first->addr, end = begin + (uintptr_t)n * object;
	void **all = malloc(n * sizeof(*all));

	if (!all)
		return -ENOMEM;
	if (rte_mempool_get_bulk(pool, all, n)) {
		free(all);
		return -ENOMEM;
	}
	for (u32 i = 0; i < n; i++) {
		uintptr_t at = (uintptr_t)all[i];

		if (at >= begin && at + pool->elt_size + pool->trailer_size <= end)
			rte_mempool_put(pool, all[i]);
		else
			kept_out++;
	}
	free(all);
	log_event("memory.pool mbufs=%u unused=%u reason=af_xdp_registers_less", n, kept_out);
	return 0;
}

int memory_pool_create(struct dataplane *dp)
{
	u32 n = mbufs_wanted(dp->cfg);
	u16 room = (u16)ports_need_mbuf_bytes(dp->cfg);
	bool af_xdp = uses_af_xdp(dp->cfg);

	if (af_xdp && !dp->huge)
		room = room_of_page(room);
	dp->pool = rte_pktmbuf_pool_create("packets", n, MBUF_CACHE, 0, room, SOCKET_ID_ANY);
	if (!dp->pool) {
		log_event("memory.pool error='%s' mbufs=%u mbuf_bytes=%u hint='raise "
			  "dataplane.memory.size_mb'",
			  rte_strerror(rte_errno), n, room);
		return -ENOMEM;
	}
	return af_xdp ? pool_keep_registered(dp->pool) : 0;
}
