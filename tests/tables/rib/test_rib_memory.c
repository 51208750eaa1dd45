/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_rib_memory.c - every allocation fails once. Whatever was going on then says so, nothing crashes, nothing leaks
 * (under AddressSanitizer), and the same calls again lead to the table that was meant.
 *
 * The linker leads malloc(), calloc() and realloc() here (--wrap); what libc allocates by itself doesn't come by.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "rib_fixture.h"

#define N_ROUTES 250
#define N_SEEN	 100
/* Each allocation in turn; in the slow sanitized build every fifth, others in each run. */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE 5
#else
#define STRIDE 1
#endif

static s64 fail_at = -1; /* how many allocations from now; -1 = never */
static bool failed;

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
	if (fail_at < 0 || fail_at-- > 0)
		return false;
	failed = true;
	return true;
}

void *__wrap_malloc(size_t n)
{
	return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
	return fails() ? NULL : __real_realloc(p, n);
}

static const char *const addresses[] = {"10.0.0.1/16", "2001:db8::1/64", NULL};
static const char *const *const ports[] = {addresses};

struct story {
	struct dwcp_config *c;
	struct route_cfg routes[N_ROUTES], backwards[N_ROUTES], ordered[N_ROUTES];
	struct path_cfg paths[N_ROUTES + 4];
	u32 ids[N_ROUTES];
	struct neighbour_cfg seen[N_SEEN];
	u64 n_slots;
};

static void story_init(struct story *s)
{
	memset(s, 0, sizeof(*s));
	s->c = config_make(1, ports);
	for (u32 i = 0; i < N_ROUTES + 4; i++) {
		struct path_cfg p = path_via("10.0.0.0", PATH_AUTO, 1);

		p.gateway.addr.lo += 2 + i / 3 * 5;
		s->paths[i] = p;
	}
	for (u32 i = 0; i < 300; i++) {
		char text[32];

		snprintf(text, sizeof(text), "10.0.%u.%u", i / 200, 2 + i % 200);
		config_neighbour(s->c, 0, text, 0x020000000001 + i, 0, 0);
	}
	for (u32 i = 0; i < N_SEEN; i++)
		s->seen[i] = (struct neighbour_cfg){.mac = {2, 0, 0, 0, 1, i},
						    .addr = {.addr = {0, 0x0a000200 + i},
							     .family = FIB_IP4}};
	for (u32 i = 0; i < N_ROUTES; i++) {
		struct route_cfg r = {.paths = &s->paths[i], .n_paths = i % 8 ? 4 : 1};

		r.prefix = (struct fib_prefix){.addr = {0, 0xc0000000 + (i << 8)},
					       .family = FIB_IP4,
					       .len = 24};
		if (i % 4 == 3)
			r.prefix = (struct fib_prefix){.addr = {0x20010db900000000 + i, 0},
						       .family = FIB_IP6,
						       .len = 64};
		s->routes[i] = r;
		/* of four routes the first three are IPv4 */
		s->ordered[i % 4 == 3 ? N_ROUTES - N_ROUTES / 4 + i / 4 : i - i / 4] = r;
		s->backwards[N_ROUTES - 1 - i] = r;
	}
}

static int each_count(void *arg, const struct rib_route *route)
{
	*(u32 *)arg += 1;
	return 0;
}

/* Everything a rib can be asked to do. Return: the first error. */
static int story_tell(const struct story *s, struct rib *r)
{
	struct manifest_cfg cfg = {.generation = 1};
	const struct table_image *image;
	int err = rib_configure(r, s->c);
	u32 n = 0;

	for (u32 i = 0; i < N_SEEN && !err; i++)
		err = rib_neighbour_set(r, &s->seen[i], RIB_NEIGHBOUR_RESOLVED);
	err = err ? err : rib_source_replace(r, RIB_FILE, s->routes, N_ROUTES / 2, NULL);
	err = err ? err : rib_publish(r, &cfg, &image);
	err = err ? err : rib_each(r, NULL, each_count, &n);
	err = err ? err : rib_source_replace(r, RIB_API, s->backwards, N_ROUTES, NULL);
	err = err ? err : rib_each(r, NULL, each_count, &n);
	err = err ? err : rib_source_replace(r, RIB_FILE, s->backwards, N_ROUTES, NULL);
	err = err ? err : rib_source_replace(r, RIB_KERNEL, s->ordered, N_ROUTES, NULL);
	err = err ? err
		  : rib_source_replace(r, RIB_KERNEL, s->ordered + N_ROUTES / 3, N_ROUTES / 2,
				       NULL);
	err = err ? err : rib_each(r, NULL, each_count, &n);
	err = err ? err : rib_source_replace(r, RIB_KERNEL, NULL, 0, NULL);
	err = err ? err : rib_route_set(r, RIB_STATIC, &s->routes[0]);
	err = err ? err : rib_renumber(r, 1);
	err = err ? err : rib_source_replace(r, RIB_API, NULL, 0, NULL);
	for (u32 i = 0; i < N_SEEN / 2 && !err; i++)
		err = rib_neighbour_del(r, &s->seen[i]);
	err = err ? err : rib_route_del(r, RIB_STATIC, &s->routes[0].prefix);
	return err ? err : rib_publish(r, &cfg, &image);
}

static void story_check(struct story *s, struct fixture *f, bool first)
{
	fixture_publish(f);
	assert_int_equal(rib_source_count(f->r, RIB_FILE, FIB_IP4) +
				 rib_source_count(f->r, RIB_FILE, FIB_IP6),
			 N_ROUTES);
	assert_int_equal(rib_source_count(f->r, RIB_API, FIB_IP4), 0);
	for (u32 i = 0; i < N_ROUTES; i++) {
		const struct fib_prefix *p = &s->routes[i].prefix;
		u32 id = fixture_nexthop(f, 0, p->family, &p->addr)->id;

		assert_int_not_equal(id, 0);
		if (first)
			s->ids[i] = id;
		assert_int_equal(s->ids[i], id);
	}
}

/* The set has seen nothing of what was published before. */
static void stage_all(struct fixture *f)
{
	const struct table_image *image;
	char reason[GENERATION_REASON_MAX];

	assert_int_equal(rib_publish(f->r, &(struct manifest_cfg){.generation = 1}, &image), 0);
	for (u32 i = 0; i < image->manifest->n_segments; i++) {
		int fd = fcntl(image->segments[i].fd, F_DUPFD_CLOEXEC, 0);

		assert_int_equal(segment_set_stage(f->set, &image->segments[i].desc, fd, reason),
				 0);
	}
}

/* What a failure left can be taken out: no source keeps a route, nothing keeps a path set. */
static void drain(struct rib *r)
{
	struct dwcp_config none = {0};
	struct rib_usage u;

	for (u8 source = RIB_STATIC; source <= RIB_FILE; source++)
		assert_int_equal(rib_source_replace(r, source, NULL, 0, NULL), 0);
	assert_int_equal(rib_configure(r, &none), 0);
	assert_int_equal(rib_count(r, FIB_IP4) + rib_count(r, FIB_IP6), 0);
	rib_usage(r, &u);
	assert_int_equal(u.n_nexthops + u.n_groups, 0);
}

static struct rib *rib_try(void)
{
	return rib_create(&(struct rib_cfg){.chunk_bytes = 65536, .gateways = true});
}

static void test_memory(void **state)
{
	static struct story s;
	u32 fds = fixture_fds(), n = 0;
	const char *full = getenv("DWCP_TEST_FULL");
	s64 stride = full && *full == '1' ? 1 : STRIDE, from = getpid() % stride;

	print_message("every allocation from %d on, %d apart\n", (int)from, (int)stride);
	story_init(&s);
	for (s64 at = -1;; at += at < 0 ? 1 + from : stride) {
		struct rib_usage u;
		struct fixture f;
		struct rib *r;
		int err = -ENOMEM;

		failed = false;
		fail_at = at;
		r = rib_try();
		if (r)
			err = story_tell(&s, r);
		fail_at = -1;
		if (at >= 0 && !failed) {
			assert_int_equal(err, 0);
			rib_free(r);
			break;
		}
		n += failed;
		assert_true(err == 0 || err == -ENOMEM);
		fixture_init(&f, 65536);
		if (r) {
			rib_free(f.r);
			f.r = r;
		}
		drain(f.r);
		assert_int_equal(story_tell(&s, f.r), 0);
		stage_all(&f);
		story_check(&s, &f, at < 0);
		rib_usage(f.r, &u);
		if (at < 0)
			s.n_slots = u.n_slots;
		/* A list of free slots that cannot grow gives one up. */
		assert_true(u.n_slots <= s.n_slots + 1);
		fixture_fini(&f);
	}
	config_drop(s.c);
	print_message("%u allocations failed, one at a time\n", n);
	assert_true(n > 100 / stride);
	assert_int_equal(fixture_fds(), fds);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_memory)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
