/* SPDX-License-Identifier: BSD-3-Clause */
/* test_pages.c - what a hello brings is mapped only when it can't make the agent fault, and is what it should be. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include <dwcp/abi/stats.h>

#include "io/pages.h"

#define N_RINGS 2

enum flaw {
	FLAW_NONE,
	FLAW_SHORT,
	FLAW_NOT_SEALED,
	FLAW_MAGIC,
	FLAW_VERSION,
	FLAW_COUNT,
	FLAW_NO_MEMFD
};

struct made {
	int fd[DWCP_HELLO_N_FDS];
	struct dwcp_link_hello hello;
};

static void *page_make(int *ret_fd, size_t bytes, enum flaw flaw)
{
	void *map;

	*ret_fd = memfd_create("page", MFD_ALLOW_SEALING);
	assert_int_equal(ftruncate(*ret_fd, (off_t)(flaw == FLAW_SHORT ? bytes / 2 : bytes)), 0);
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, *ret_fd, 0);
	assert_ptr_not_equal(map, MAP_FAILED);
	if (flaw != FLAW_NOT_SEALED)
		assert_int_equal(fcntl(*ret_fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW), 0);
	return map;
}

static void stats_make(struct made *m, enum flaw flaw)
{
	struct dwcp_stats_hdr *h;

	m->hello.stats_bytes = 8192;
	h = page_make(&m->fd[DWCP_HELLO_FD_STATS], m->hello.stats_bytes, flaw);
	h->magic = flaw == FLAW_MAGIC ? 1 : DWCP_STATS_MAGIC;
	h->version = flaw == FLAW_VERSION ? 0 : DWCP_STATS_VERSION;
	h->header_bytes = sizeof(*h);
	h->worker_bytes = sizeof(struct dwcp_stats_worker);
	h->port_bytes = sizeof(struct dwcp_stats_port);
	h->n_workers = flaw == FLAW_COUNT ? 64 : 0;
	h->n_drop_reasons = DROP_N_REASONS;
	munmap(h, m->hello.stats_bytes);
}

static void rings_make(struct made *m, enum flaw flaw)
{
	struct dwcp_ring_page *r;

	m->hello.rings_bytes = sizeof(*r) + N_RINGS * sizeof(struct dwcp_ring);
	r = page_make(&m->fd[DWCP_HELLO_FD_RINGS], m->hello.rings_bytes, flaw);
	if (flaw != FLAW_SHORT) {
		r->magic = flaw == FLAW_MAGIC ? 1 : DWCP_RING_MAGIC;
		r->version = DWCP_RING_VERSION + (flaw == FLAW_VERSION);
		r->n_rings = flaw == FLAW_COUNT ? N_RINGS + 1 : N_RINGS;
	}
	munmap(r, m->hello.rings_bytes);
}

static void tails_make(struct made *m, enum flaw flaw)
{
	m->hello.tails_bytes = N_RINGS * sizeof(struct dwcp_ring_tail);
	if (flaw == FLAW_COUNT)
		m->hello.tails_bytes -= 8;
	munmap(page_make(&m->fd[DWCP_HELLO_FD_TAILS], m->hello.tails_bytes, flaw),
	       m->hello.tails_bytes);
}

/* A hello with one flaw in one page. Return: what pages_open() says. */
static const char *open_with(enum dwcp_link_hello_fd which, enum flaw flaw)
{
	struct made m = {0};
	struct pages p;
	const char *wrong;

	stats_make(&m, which == DWCP_HELLO_FD_STATS ? flaw : FLAW_NONE);
	rings_make(&m, which == DWCP_HELLO_FD_RINGS ? flaw : FLAW_NONE);
	tails_make(&m, which == DWCP_HELLO_FD_TAILS ? flaw : FLAW_NONE);
	m.fd[DWCP_HELLO_FD_EVENT] = eventfd(0, 0);
	if (flaw == FLAW_NO_MEMFD) {
		close(m.fd[which]);
		m.fd[which] = open("/dev/null", O_RDWR);
	}
	wrong = pages_open(&p, &m.hello, m.fd);
	if (wrong) {
		assert_null(p.stats);
		assert_int_equal(p.n_rings, 0);
		assert_int_equal(p.event_fd, -1);
	} else {
		assert_int_equal(p.n_rings, N_RINGS);
		assert_true(fcntl(p.event_fd, F_GETFL) & O_NONBLOCK);
	}
	pages_close(&p);
	for (u32 i = 0; i < DWCP_HELLO_N_FDS; i++)
		assert_int_equal(fcntl(m.fd[i], F_GETFD), -1); /* taken, whatever came of it */
	return wrong;
}

static void good_pages_are_mapped(void **state)
{
	(void)state;
	assert_null(open_with(DWCP_HELLO_FD_STATS, FLAW_NONE));
}

static void pages_that_could_shrink_are_not(void **state)
{
	(void)state;
	assert_string_equal(open_with(DWCP_HELLO_FD_STATS, FLAW_NOT_SEALED), "page_not_sealed");
	assert_string_equal(open_with(DWCP_HELLO_FD_RINGS, FLAW_NOT_SEALED), "page_not_sealed");
	assert_string_equal(open_with(DWCP_HELLO_FD_TAILS, FLAW_NOT_SEALED), "page_not_sealed");
	assert_non_null(open_with(DWCP_HELLO_FD_STATS, FLAW_NO_MEMFD));
	assert_non_null(open_with(DWCP_HELLO_FD_TAILS, FLAW_NO_MEMFD));
}

static void pages_of_wrong_size_are_not(void **state)
{
	(void)state;
	assert_string_equal(open_with(DWCP_HELLO_FD_RINGS, FLAW_SHORT), "page_size");
	assert_string_equal(open_with(DWCP_HELLO_FD_STATS, FLAW_SHORT), "page_size");
	assert_string_equal(open_with(DWCP_HELLO_FD_STATS, FLAW_COUNT), "stats_page_short");
	assert_string_equal(open_with(DWCP_HELLO_FD_RINGS, FLAW_COUNT), "rings_size");
	assert_string_equal(open_with(DWCP_HELLO_FD_TAILS, FLAW_COUNT), "rings_size");
}

static void pages_of_others_are_not(void **state)
{
	(void)state;
	assert_string_equal(open_with(DWCP_HELLO_FD_STATS, FLAW_MAGIC), "stats_page_magic");
	assert_string_equal(open_with(DWCP_HELLO_FD_STATS, FLAW_VERSION), "stats_page_version");
	assert_string_equal(open_with(DWCP_HELLO_FD_RINGS, FLAW_MAGIC), "rings_magic");
	assert_string_equal(open_with(DWCP_HELLO_FD_RINGS, FLAW_VERSION), "rings_version");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(good_pages_are_mapped),
		cmocka_unit_test(pages_that_could_shrink_are_not),
		cmocka_unit_test(pages_of_wrong_size_are_not),
		cmocka_unit_test(pages_of_others_are_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
