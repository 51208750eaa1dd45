/* SPDX-License-Identifier: BSD-3-Clause */
#include "pages.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dwcp/abi/atomic.h>
#include <dwcp/util/http.h>

#define PAGES_MAX_BYTES (256u << 20) /* far above what 64 workers and 64 ports need */

void pages_init(struct pages *p)
{
	memset(p, 0, sizeof(*p));
	p->event_fd = -1;
}

static const char *page_map(int fd, u64 bytes, int prot, void **ret_map)
{
	struct stat st;
	void *map;
	int seals;

	if (fstat(fd, &st) < 0 || bytes == 0 || bytes > PAGES_MAX_BYTES || (u64)st.st_size < bytes)
		return "page_size";
	seals = fcntl(fd, F_GET_SEALS);
	if (seals < 0 || !(seals & F_SEAL_SHRINK))
		return "page_not_sealed";
	map = mmap(NULL, bytes, prot, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return "page_not_mapped";
	*ret_map = map;
	return NULL;
}

static const char *rings_check(struct pages *p)
{
	const struct dwcp_ring_page *r = p->rings;
	u32 n;

	if (p->rings_bytes < sizeof(*r) || r->magic != DWCP_RING_MAGIC)
		return "rings_magic";
	if (r->version != DWCP_RING_VERSION)
		return "rings_version";
	n = dwcp_load_relaxed(&r->n_rings);
	if (n > DWCP_RING_MAX_RINGS || sizeof(*r) + n * sizeof(struct dwcp_ring) > p->rings_bytes ||
	    n * sizeof(struct dwcp_ring_tail) > p->tails_bytes)
		return "rings_size";
	p->n_rings = n; /* from here on only this copy counts */
	return NULL;
}

static const char *pages_map(struct pages *p, const struct dwcp_link_hello *hello, const int *fd)
{
	void *stats = NULL, *rings = NULL, *tails = NULL;
	const char *wrong;

	p->stats_bytes = hello->stats_bytes;
	p->rings_bytes = hello->rings_bytes;
	p->tails_bytes = hello->tails_bytes;
	wrong = page_map(fd[DWCP_HELLO_FD_STATS], p->stats_bytes, PROT_READ, &stats);
	if (!wrong)
		wrong = page_map(fd[DWCP_HELLO_FD_RINGS], p->rings_bytes, PROT_READ, &rings);
	if (!wrong)
		wrong = page_map(fd[DWCP_HELLO_FD_TAILS], p->tails_bytes, PROT_READ | PROT_WRITE,
				 &tails);
	p->stats = stats;
	p->rings = rings;
	p->tails = tails;
	if (!wrong)
		wrong = stats_page_check(p->stats, p->stats_bytes);
	return wrong ? wrong : rings_check(p);
}

const char *pages_open(struct pages *p, const struct dwcp_link_hello *hello, int *fd)
{
	const char *wrong;

	pages_init(p);
	wrong = pages_map(p, hello, fd);
	close(fd[DWCP_HELLO_FD_STATS]);
	close(fd[DWCP_HELLO_FD_RINGS]);
	close(fd[DWCP_HELLO_FD_TAILS]);
	p->event_fd = fd[DWCP_HELLO_FD_EVENT];
	if (!wrong && fcntl(p->event_fd, F_SETFL, fcntl(p->event_fd, F_GETFL) | O_NONBLOCK) < 0)
		wrong = "event_fd";
	if (wrong)
		pages_close(p);
	return wrong;
}

void pages_close(struct pages *p)
{
	if (p->stats)
		munmap((void *)(uintptr_t)p->stats, p->stats_bytes);
	if (p->rings)
		munmap((void *)(uintptr_t)p->rings, p->rings_bytes);
	if (p->tails)
		munmap(p->tails, p->tails_bytes);
	if (p->event_fd >= 0)
		close(p->event_fd);
	pages_init(p);
}
