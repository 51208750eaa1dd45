/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hostile.c - an agent gone bad, with all the rights of a good one, against the real dataplane under traffic:
 * garbage, fds of every wrong kind, unsealed, growing, huge and a thousand segments, lies in the shared pages. After each
 * attack the generation is the same, the process is no larger, no fd is left behind; at the end a good publish works and
 * not one packet was lost.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <cmocka.h>

#include <dwcp/abi/ring.h>
#include <dwcp/util/generation.h>
#include <dwcp/util/rib.h>

#include "harness.h"
#include "hostile_link.h"

#define RATE_PPS      200000
#define MEMORY_MAX_MB 64
#define RSS_SLACK_KB  (2 * MEMORY_MAX_MB * 1024)
#define ALL_SEALS     (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

static struct lab lab;
static const struct memif_cfg memif_cfg = {.idle = "poll",
					   .n_prefixes = 2000,
					   .memory_max_mb = MEMORY_MAX_MB};
static u64 rss_before;
static u32 fds_before;
static json_int_t generation_before;
static struct dwcp_config *honest_cfg;
static struct rib *honest_rib;

static const char *link_path(void)
{
	return lab_path(&lab, "run/" DWCP_LINK_SOCKET);
}

static void connect_peer(struct peer *p)
{
	assert_int_equal(peer_open(p, link_path()), 0);
	assert_int_equal(p->hello.hdr.magic, DWCP_LINK_MAGIC);
	assert_int_equal(p->hello.hdr.n_fds, DWCP_HELLO_N_FDS);
}

static bool fds_settled(void *arg)
{
	return proc_n_fds(&lab.dataplane) <= fds_before + 1; /* an API connection may be open */
}

/* What must hold after every attack. */
static void check_unhurt(void)
{
	json_t *status;

	assert_true(proc_alive(&lab.dataplane));
	status = api_get(&lab, "dataplane.sock", "/v1/status");
	assert_non_null(status);
	assert_int_equal(json_at(status, "generation", NULL), generation_before);
	json_decref(status);
	assert_true(proc_rss_kb(&lab.dataplane) < rss_before + RSS_SLACK_KB);
	if (!wait_until(fds_settled, NULL, 2000))
		fail_msg("fds left behind: %u, were %u", proc_n_fds(&lab.dataplane), fds_before);
}

/* The table of the lab's routes, as an honest agent would send it. */
static const struct table_image *good_image(u64 generation)
{
	struct manifest_cfg cfg = {.generation = generation, .ports_hash = honest_cfg->ports_hash};
	const struct table_image *image = NULL;

	assert_int_equal(rib_publish(honest_rib, &cfg, &image), 0);
	return image;
}

static int honest_open(void)
{
	struct rib_cfg rib_cfg = {.chunk_bytes = 1 << 18};
	struct config_errors errors = {0};
	struct route_list list = {0};
	u64 rejected;
	int err = config_load(lab.config, &honest_cfg, &errors);

	honest_rib = rib_create(&rib_cfg);
	if (!err)
		err = rib_configure(honest_rib, honest_cfg);
	if (!err)
		err = route_file_load(lab.routes, honest_cfg, &list, &errors);
	if (!err)
		err = rib_source_replace(honest_rib, RIB_FILE, list.routes, list.n, &rejected);
	route_list_fini(&list);
	return err;
}

/* ---- messages --------------------------------------------------------------------------------------------------- */

static void test_garbage(void **state)
{
	static u8 buf[DWCP_LINK_MAX_BYTES + 1024];
	u64 rng = 12345;

	for (u32 i = 0; i < 200; i++) {
		struct peer p;
		size_t len = i < 64 ? i : (rng >> 40) % sizeof(buf);

		connect_peer(&p);
		for (size_t k = 0; k < len; k++) {
			rng = rng * 6364136223846793005u + 1442695040888963407u;
			buf[k] = (u8)(rng >> 56);
		}
		peer_send(&p, buf, len, NULL, 0);
		assert_true(peer_expect_closed(&p, 2000));
		peer_close(&p);
	}
	check_unhurt();
}

static void test_wrong_headers(void **state)
{
	struct dwcp_link_publish good = {.generation = 1};

	good.hdr = (struct dwcp_link_hdr){DWCP_LINK_MAGIC, DWCP_LINK_VERSION, DWCP_LINK_PUBLISH,
					  sizeof(good), 1};
	for (u32 i = 0; i < 9; i++) {
		struct dwcp_link_publish m = good;
		struct dwcp_link_segments s = {.hdr = good.hdr};
		const void *msg = &m;
		size_t len = sizeof(m);
		struct peer p;

		m.hdr.magic ^= i == 0;
		m.hdr.version += i == 1;
		m.hdr.type = i == 2   ? 99
			     : i == 3 ? DWCP_LINK_HELLO
			     : i == 4 ? DWCP_LINK_ADOPTED
				      : m.hdr.type;
		m.hdr.bytes += i == 5;
		m.hdr.n_fds = i == 6 ? UINT32_MAX : 0; /* and none is sent */
		len -= i == 7 ? 8 : 0;
		if (i == 8) {
			s.hdr.type = DWCP_LINK_SEGMENTS;
			s.hdr.bytes = sizeof(s);
			s.hdr.n_fds = 0;
			s.n = UINT32_MAX;
			msg = &s;
			len = sizeof(s);
		}
		connect_peer(&p);
		assert_int_equal(peer_send(&p, msg, len, NULL, 0), 0);
		if (!peer_expect_closed(&p, 2000))
			fail_msg("header %u did not end the connection", i);
		peer_close(&p);
	}
	check_unhurt();
}

/* ---- fds -------------------------------------------------------------------------------------------------------- */

static int memfd_of(size_t bytes, int seals)
{
	int fd = memfd_create("hostile", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)bytes), 0);
	if (seals)
		assert_int_equal(fcntl(fd, F_ADD_SEALS, seals), 0);
	return fd;
}

static void expect_segment_refused(struct peer *p, int fd, u32 bytes, u16 section, const char *what)
{
	struct dwcp_segment_desc d = {.id = 42, .bytes = bytes, .section = section};
	const char *why;

	assert_int_equal(peer_segments(p, &d, &fd, 1), 0);
	why = peer_segment_answer(p, 2000);
	if (!why[0])
		fail_msg("%s: not refused", what);
	print_message("  %-28s %s\n", what, why);
	close(fd);
}

static void test_wrong_fds(void **state)
{
	int pipes[2], sockets[2];
	struct peer p;
	char path[256];

	connect_peer(&p);
	assert_int_equal(pipe(pipes), 0);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	expect_segment_refused(&p, pipes[0], 4096, DWCP_SECTION_FIB_LEAF, "pipe");
	expect_segment_refused(&p, sockets[0], 4096, DWCP_SECTION_FIB_LEAF, "socket");
	expect_segment_refused(&p, eventfd(0, 0), 4096, DWCP_SECTION_FIB_LEAF, "eventfd");
	expect_segment_refused(&p, epoll_create1(0), 4096, DWCP_SECTION_FIB_LEAF, "epoll");
	expect_segment_refused(&p, timerfd_create(CLOCK_MONOTONIC, 0), 4096, DWCP_SECTION_FIB_LEAF,
			       "timerfd");
	expect_segment_refused(&p, open("/dev/zero", O_RDWR), 4096, DWCP_SECTION_FIB_LEAF,
			       "/dev/zero");
	expect_segment_refused(&p, open("/dev/null", O_RDWR), 4096, DWCP_SECTION_FIB_LEAF,
			       "/dev/null");
	expect_segment_refused(&p, open("/proc/self/maps", O_RDONLY), 4096, DWCP_SECTION_FIB_LEAF,
			       "/proc file");
	expect_segment_refused(&p, open("/", O_RDONLY | O_DIRECTORY), 4096, DWCP_SECTION_FIB_LEAF,
			       "directory");
	expect_segment_refused(&p, open("/etc/passwd", O_PATH), 4096, DWCP_SECTION_FIB_LEAF,
			       "O_PATH");
	snprintf(path, sizeof(path), "%s/file", lab.dir);
	expect_segment_refused(&p, open(path, O_RDWR | O_CREAT, 0600), 4096, DWCP_SECTION_FIB_LEAF,
			       "file, empty");
	assert_int_equal(truncate(path, 4096), 0);
	expect_segment_refused(&p, open(path, O_RDWR), 4096, DWCP_SECTION_FIB_LEAF, "file");
	expect_segment_refused(&p, open("/dev/shm", O_RDWR | O_TMPFILE, 0600), 4096,
			       DWCP_SECTION_FIB_LEAF, "shm file");
	expect_segment_refused(&p, dup(p.page_fd[0]), 4096, DWCP_SECTION_FIB_LEAF,
			       "its own stats page");
	expect_segment_refused(&p, dup(p.page_fd[DWCP_HELLO_FD_TAILS]), 4096, DWCP_SECTION_FIB_LEAF,
			       "its own tails");
	close(pipes[1]);
	close(sockets[1]);
	peer_close(&p);
	check_unhurt();
}

/* Whoever looks at status sees what was tried. */
static void expect_last_refusal(const char *text)
{
	json_t *status = api_get(&lab, "dataplane.sock", "/v1/status");
	const char *reason = json_string_value(
		json_object_get(json_object_get(status, "last_refusal"), "reason"));

	if (!reason || !strstr(reason, text))
		fail_msg("last refusal '%s' does not say '%s'", reason ? reason : "(none)", text);
	json_decref(status);
}

static void test_wrong_memfds(void **state)
{
	static const struct {
		int seals;
		const char *what;
	} missing[] = {
		{0, "no seals"},
		{F_SEAL_WRITE | F_SEAL_SHRINK, "growable"},
		{F_SEAL_WRITE | F_SEAL_GROW, "shrinkable"},
		{F_SEAL_SHRINK | F_SEAL_GROW, "writable"},
		{F_SEAL_SHRINK | F_SEAL_GROW | 0x0010, "future-write only"},
	};
	struct peer p;

	connect_peer(&p);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(missing); i++)
		expect_segment_refused(&p, memfd_of(4096, missing[i].seals), 4096,
				       DWCP_SECTION_FIB_LEAF, missing[i].what);
	expect_segment_refused(&p, memfd_of(4096, ALL_SEALS), 8192, DWCP_SECTION_FIB_LEAF,
			       "truncated");
	expect_segment_refused(&p, memfd_of(8192, ALL_SEALS), 4096, DWCP_SECTION_FIB_LEAF,
			       "longer than said");
	expect_segment_refused(&p, memfd_of(0, ALL_SEALS), 0, DWCP_SECTION_FIB_LEAF, "empty");
	expect_segment_refused(&p, memfd_of(4097, ALL_SEALS), 4097, DWCP_SECTION_FIB_LEAF,
			       "odd size");
	expect_segment_refused(&p, memfd_of(1ul << 40, ALL_SEALS), 4096, DWCP_SECTION_FIB_LEAF,
			       "1 TB, said 4 kB");
	expect_segment_refused(&p, memfd_of(1ul << 31, ALL_SEALS), 1u << 31, DWCP_SECTION_FIB_LEAF,
			       "2 GB");
	expect_segment_refused(&p, memfd_of(4096, ALL_SEALS), 4096, DWCP_SECTION_FIB_LEAF,
			       "wrong hash");
	expect_last_refusal("segment_hash");
	expect_segment_refused(&p, memfd_of(4096, ALL_SEALS), 4096, DWCP_SECTION_VIP,
			       "section not read here");
	expect_segment_refused(&p, memfd_of(4096, ALL_SEALS), 4096, 9999, "section unknown");
	peer_close(&p);
	check_unhurt();
}

/* More fds than a message may carry: the connection ends and the kernel takes all of them back. */
static void test_too_many_fds(void **state)
{
	u8 buf[4096] = {0};
	struct dwcp_link_hdr *hdr = (void *)buf;
	int fds[253], null = open("/dev/null", O_RDONLY);

	for (u32 round = 0; round < 20; round++) {
		struct peer p;

		connect_peer(&p);
		for (u32 i = 0; i < DWCP_ARRAY_LEN(fds); i++)
			fds[i] = null;
		*hdr = (struct dwcp_link_hdr){DWCP_LINK_MAGIC, DWCP_LINK_VERSION,
					      DWCP_LINK_SEGMENTS, sizeof(buf), 253};
		assert_int_equal(peer_send(&p, buf, sizeof(buf), fds, 253), 0);
		assert_true(peer_expect_closed(&p, 2000));
		peer_close(&p);
	}
	close(null);
	check_unhurt();
}

/* No bytes, but fds: they arrive all the same, and must not stay. */
static void test_empty_message(void **state)
{
	int fds[DWCP_LINK_MAX_FDS], null = open("/dev/null", O_RDONLY);

	for (u32 i = 0; i < DWCP_ARRAY_LEN(fds); i++)
		fds[i] = null;
	for (u32 round = 0; round < 10; round++) {
		struct peer p;

		connect_peer(&p);
		assert_int_equal(peer_send(&p, "", 0, fds, DWCP_ARRAY_LEN(fds)), 0);
		assert_true(peer_expect_closed(&p, 2000));
		peer_close(&p);
	}
	close(null);
	check_unhurt();
}

/* A thousand segments, each right in itself and none ever published: the cap holds, and they go with the connection. */
static void test_thousand_segments(void **state)
{
	static u32 leaf[1 << 16];
	struct peer p;
	u32 refused = 0;

	connect_peer(&p);
	for (u32 i = 0; i < 1000; i++) {
		struct dwcp_segment_desc d;
		const char *why;
		int fd;

		for (u32 k = 0; k < DWCP_ARRAY_LEN(leaf); k++)
			leaf[k] = i;
		fd = segment_seal(DWCP_SECTION_FIB_LEAF, leaf, sizeof(leaf), false, &d);
		assert_true(fd >= 0);
		assert_int_equal(peer_segments(&p, &d, &fd, 1), 0);
		close(fd);
		why = peer_segment_answer(&p, refused ? 2000 : 5);
		refused += why[0] != 0;
		if (refused == 1)
			print_message("  segment %u of 256 kB: %s\n", i, why);
		assert_true(proc_rss_kb(&lab.dataplane) < rss_before + RSS_SLACK_KB);
	}
	assert_true(refused >= 1000 - MEMORY_MAX_MB * 4 - 8);
	peer_close(&p);
	check_unhurt();
}

/* ---- manifests --------------------------------------------------------------------------------------------------- */

static int sealed_bytes(const void *bytes, size_t len)
{
	int fd = memfd_create("manifest", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), (ssize_t)len);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, ALL_SEALS), 0);
	return fd;
}

static void expect_publish_refused(struct peer *p, int fd, u64 generation, const char *what)
{
	char reason[DWCP_LINK_REASON_MAX] = "";

	assert_int_equal(peer_publish(p, fd, generation), 0);
	if (peer_publish_answer(p, reason, 3000) != 0)
		fail_msg("%s: not refused", what);
	print_message("  %-28s %s\n", what, reason);
	close(fd);
}

/* A manifest that is right in all but its segments: nobody has sent those. */
static struct dwcp_manifest *manifest_of_strangers(void)
{
	const struct dwcp_manifest *good = good_image(5)->manifest;
	const struct dwcp_section_desc *from = manifest_sections(good);
	struct dwcp_segment_desc *segments = calloc(good->n_segments, sizeof(*segments));
	struct manifest_section sections[DWCP_SECTION_N];
	struct manifest_cfg cfg = {.generation = 5, .ports_hash = good->ports_hash};
	struct dwcp_manifest *m = NULL;

	assert_non_null(segments);
	memcpy(segments, manifest_segments(good), good->n_segments * sizeof(*segments));
	for (u32 i = 0; i < good->n_segments; i++)
		segments[i].id ^= 0x5555;
	for (u32 i = 0; i < good->n_sections; i++)
		sections[i] = (struct manifest_section){from[i].section,
							from[i].version,
							from[i].element_bytes,
							from[i].n_elements,
							from[i].chunk_bytes,
							segments + from[i].first_segment,
							from[i].n_segments};
	assert_int_equal(manifest_build(&cfg, sections, good->n_sections, &m), 0);
	free(segments);
	return m;
}

static void test_manifests(void **state)
{
	struct dwcp_manifest *m = manifest_of_strangers();
	u8 garbage[4096];
	struct peer p;

	memset(garbage, 0xa5, sizeof(garbage));
	connect_peer(&p);
	expect_publish_refused(&p, sealed_bytes(garbage, sizeof(garbage)), 5, "garbage");
	expect_publish_refused(&p, sealed_bytes(m, m->bytes - 1), 5, "manifest truncated");
	expect_publish_refused(&p, sealed_bytes(m, m->bytes), 5, "names what was never sent");
	expect_last_refusal("segment_missing");
	expect_publish_refused(&p, memfd_of(4096, 0), 5, "manifest unsealed");
	expect_publish_refused(&p, memfd_of(1ul << 40, ALL_SEALS), 5, "manifest of 1 TB");
	expect_publish_refused(&p, open("/dev/zero", O_RDWR), 5, "manifest is /dev/zero");
	expect_publish_refused(&p, epoll_create1(0), 5, "manifest is an epoll");
	free(m);
	peer_close(&p);
	check_unhurt();
}

/* Bad segments without end, and no answer ever read: the dataplane lets go of the peer, not the other way round. */
static void test_never_reads(void **state)
{
	struct dwcp_segment_desc d = {.id = 1, .bytes = 4096, .section = DWCP_SECTION_FIB_LEAF};
	int null = open("/dev/null", O_RDONLY), err = 0;
	struct peer p;
	u64 n = 0, end = now_ns() + 10000000000u;

	connect_peer(&p);
	while (!err && now_ns() < end) {
		err = peer_segments(&p, &d, &null, 1);
		n++;
	}
	print_message("  let go after %lu messages: %s\n", n, strerror(-err));
	assert_true(err == -EPIPE || err == -ECONNRESET);
	peer_close(&p);
	close(null);
	check_unhurt();
}

static void test_connection_flood(void **state)
{
	static struct peer p[200];

	for (u32 i = 0; i < DWCP_ARRAY_LEN(p); i++)
		connect_peer(&p[i]);
	for (u32 i = 0; i + 1 < DWCP_ARRAY_LEN(p); i++)
		assert_true(peer_expect_closed(&p[i], 2000));
	for (u32 i = 0; i < DWCP_ARRAY_LEN(p); i++)
		peer_close(&p[i]);
	check_unhurt();
}

/* ---- shared pages ------------------------------------------------------------------------------------------------ */

static void test_pages(void **state)
{
	static const u8 tails_noise[512];
	struct dwcp_ring_tail *tails;
	struct peer p;

	connect_peer(&p);
	for (u32 i = 0; i <= DWCP_HELLO_FD_TAILS; i++) {
		assert_int_equal(ftruncate(p.page_fd[i], 0), -1);
		assert_int_equal(errno, EPERM);
		assert_int_equal(ftruncate(p.page_fd[i], 1 << 30), -1);
		assert_int_equal(errno, EPERM);
	}
	for (u32 i = 0; i < DWCP_HELLO_FD_TAILS; i++) {
		assert_true(mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, p.page_fd[i], 0) ==
			    MAP_FAILED);
		assert_int_equal(pwrite(p.page_fd[i], "x", 1, 0), -1);
	}
	assert_int_equal(fallocate(p.page_fd[DWCP_HELLO_FD_TAILS],
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, 4096),
			 0);
	tails = mmap(NULL, p.hello.tails_bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		     p.page_fd[DWCP_HELLO_FD_TAILS], 0);
	assert_true(tails != MAP_FAILED);
	for (u32 round = 0; round < 2000; round++) {
		for (u32 i = 0; i < p.hello.n_workers + 1; i++)
			tails[i].tail = round % 3 == 0	 ? UINT64_MAX
					: round % 3 == 1 ? 0
							 : (u64)round << 40;
	}
	munmap(tails, p.hello.tails_bytes);
	/* the wake-up is ours to fill, block and shut, and the dataplane's to survive */
	fcntl(p.page_fd[DWCP_HELLO_FD_EVENT], F_SETFL, 0);
	for (u32 i = 0; i < 1000; i++)
		send(p.page_fd[DWCP_HELLO_FD_EVENT], tails_noise, sizeof(tails_noise),
		     MSG_DONTWAIT);
	sleep_ms(300);
	peer_close(&p);
	check_unhurt();
}

/* ---- and a good one still gets through ------------------------------------------------------------------------------ */

static void publish_all(struct peer *p, const struct table_image *image)
{
	for (u32 i = 0; i < image->manifest->n_segments; i++)
		assert_int_equal(peer_segments(p, &image->segments[i].desc, &image->segments[i].fd,
					       1),
				 0);
}

static void test_good_publish(void **state)
{
	char reason[DWCP_LINK_REASON_MAX] = "";
	const struct table_image *image;
	struct peer p;
	int answer;

	connect_peer(&p);
	image = good_image(p.hello.generation + 1);
	publish_all(&p, image);
	assert_int_equal(peer_publish(&p, image->manifest_fd, image->manifest->generation), 0);
	answer = peer_publish_answer(&p, reason, 3000);
	if (answer != 1)
		fail_msg("good publish: %d %s", answer, reason);
	generation_before = (json_int_t)image->manifest->generation;
	peer_close(&p);
	check_unhurt();
}

static void test_start_traffic(void **state)
{
	memif_lab_generator(&lab, RATE_PPS, 3600);
	rss_before = proc_rss_kb(&lab.dataplane);
	fds_before = proc_n_fds(&lab.dataplane);
}

static void test_nothing_lost(void **state)
{
	json_t *r;

	assert_true(proc_alive(&lab.generator)); /* there was traffic to the last */
	proc_signal(&lab.generator, SIGTERM);
	r = memif_lab_result(&lab, 10000);

	assert_non_null(r);
	assert_true(memif_lab_lossless(&lab, r, RATE_PPS));
	assert_int_equal(memif_lab_accounting(&lab), 0);
	json_decref(r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_publish),
		cmocka_unit_test(test_start_traffic),
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_wrong_headers),
		cmocka_unit_test(test_wrong_fds),
		cmocka_unit_test(test_wrong_memfds),
		cmocka_unit_test(test_too_many_fds),
		cmocka_unit_test(test_empty_message),
		cmocka_unit_test(test_thousand_segments),
		cmocka_unit_test(test_manifests),
		cmocka_unit_test(test_never_reads),
		cmocka_unit_test(test_connection_flood),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_good_publish),
		cmocka_unit_test(test_nothing_lost),
	};
	struct rlimit files = {8192, 8192};
	int failed;

	programs_init(argc, argv);
	setrlimit(RLIMIT_NOFILE, &files);
	lab_open(&lab, "hostile");
	memif_lab_config(&lab, &memif_cfg);
	if (honest_open())
		abort();
	memif_lab_dataplane(&lab);
	rss_before = proc_rss_kb(&lab.dataplane);
	fds_before =
		proc_n_fds(&lab.dataplane) + 128; /* segments of the good table are held by fd */
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed)
		proc_print_log(&lab.dataplane);
	lab_close(&lab);
	rib_free(honest_rib);
	config_free(honest_cfg);
	return failed;
}
