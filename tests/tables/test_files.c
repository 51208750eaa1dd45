/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_files.c - a generation on disk: whole or not there, whatever happens while it is written; refused when a byte is wrong.
 * Runs in a directory of its own below the current one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "table_small.h"
#include "walk.h"

#define FILE_BYTES (4096 + SMALL_BYTES)
_Static_assert(FILE_BYTES<48 << 10 && 2 * FILE_BYTES> 48 << 10,
	       "one file fits onto the small disk, two don't");

static char reason[GENERATION_REASON_MAX];

struct scene {
	char dir[32];
	struct segment_set *set;
	struct generation *a, *b; /* numbers 1 and 2 */
};

static struct generation *small_open(struct segment_set *s, u64 number)
{
	struct generation *g;
	struct sealed x;
	struct table t;

	table_init_small(&t);
	*(u32 *)part_at(table_part(&t, DWCP_SECTION_FIB_LEAF), 1) = (u32)number;
	sealed_init(&x, &t, number);
	assert_int_equal(sealed_open(s, &x, &small_limits, &g, reason), 0);
	sealed_fini(&x);
	table_fini(&t);
	return g;
}

static int scene_init(void **state)
{
	struct scene *sc = calloc(1, sizeof(*sc));

	assert_non_null(sc);
	snprintf(sc->dir, sizeof(sc->dir), "files-XXXXXX");
	assert_non_null(mkdtemp(sc->dir));
	assert_int_equal(chdir(sc->dir), 0);
	sc->set = set_create_big();
	sc->a = small_open(sc->set, 1);
	sc->b = small_open(sc->set, 2);
	*state = sc;
	return 0;
}

static u32 dir_clear(bool remove)
{
	DIR *d = opendir(".");
	struct dirent *e;
	u32 n = 0;

	assert_non_null(d);
	while ((e = readdir(d)) != NULL) {
		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		n++;
		if (remove && unlink(e->d_name) < 0)
			rmdir(e->d_name);
	}
	closedir(d);
	return n;
}

static int scene_fini(void **state)
{
	struct scene *sc = *state;

	dir_clear(true);
	assert_int_equal(chdir(".."), 0);
	rmdir(sc->dir);
	generation_close(sc->a);
	generation_close(sc->b);
	segment_set_free(sc->set);
	free(sc);
	return 0;
}

/* Into a set of its own, as after a start. Return: the generation's number, or an error. */
static s64 load_number(const char *path)
{
	struct segment_set *s = set_create_big();
	struct generation *g = NULL;
	s64 number = generation_load(s, path, &small_limits, &g, reason);

	if (g) {
		number = (s64)g->number;
		assert_int_equal(g->n_new_segments, SMALL_N_SEGMENTS);
		walk(g, SMALL_N_PORTS);
	} else {
		assert_true(number < 0);
		assert_int_equal(segment_set_bytes(s), 0);
	}
	generation_close(g);
	segment_set_free(s);
	return number;
}

static void store_and_load(void **state)
{
	struct scene *sc = *state;
	u32 fds = count_fds();
	struct stat st;

	assert_int_equal(generation_store(sc->a, "tables"), 0);
	assert_int_equal(stat("tables", &st), 0);
	assert_int_equal(st.st_size, FILE_BYTES);
	assert_int_equal(st.st_mode & 0137, 0);
	assert_int_equal(load_number("tables"), 1);
	assert_int_equal(generation_store(sc->b, "./tables"), 0);
	assert_int_equal(load_number("tables"), 2);
	assert_int_equal(dir_clear(false), 1);
	assert_int_equal(count_fds(), fds);
}

/* What is held already isn't read again, and stays held when the load fails. */
static void load_beside_an_open_generation(void **state)
{
	struct scene *sc = *state;
	struct generation_limits none = {.n_ports = 0};
	u64 bytes = segment_set_bytes(sc->set);
	struct generation *g = NULL;

	assert_int_equal(generation_store(sc->a, "tables"), 0);
	assert_int_equal(generation_load(sc->set, "tables", &small_limits, &g, reason), 0);
	assert_int_equal(g->n_new_segments, 0);
	generation_close(g);
	g = NULL;
	assert_int_equal(generation_load(sc->set, "tables", &none, &g, reason), -EINVAL);
	assert_true(reason_is(reason, "nexthop_port"));
	assert_null(g);
	assert_int_equal(segment_set_bytes(sc->set), bytes);
	walk(sc->a, SMALL_N_PORTS);
}

/* Refused at the last step: all that was staged for it is let go. */
static void failed_load_leaves_nothing(void **state)
{
	struct scene *sc = *state;
	struct segment_set_cfg cfg = {.max_bytes = SMALL_BYTES - 4096, .max_segments = 100};
	struct segment_set *s = segment_set_create(&cfg);
	struct generation_limits none = {.n_ports = 1};
	struct generation *g = NULL;
	u32 fds = count_fds();

	assert_int_equal(generation_store(sc->a, "tables"), 0);
	assert_int_equal(generation_load(s, "tables", &small_limits, &g, reason), -ENOSPC);
	assert_true(reason_is(reason, "set_bytes"));
	assert_int_equal(segment_set_bytes(s), 0);
	segment_set_free(s);
	s = set_create_big();
	assert_int_equal(generation_load(s, "tables", &none, &g, reason), -EINVAL);
	assert_int_equal(segment_set_bytes(s), 0);
	assert_int_equal(segment_set_staged_bytes(s), 0);
	segment_set_free(s);
	assert_null(g);
	assert_int_equal(count_fds(), fds);
}

static void file_edit(const char *path, off_t at, u8 flip)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);
	u8 b;

	assert_int_equal(pread(fd, &b, 1, at), 1);
	b ^= flip;
	assert_int_equal(pwrite(fd, &b, 1, at), 1);
	close(fd);
}

static void truncated_is_refused(void **state)
{
	struct scene *sc = *state;

	for (off_t len = 0; len < FILE_BYTES; len += 512) {
		assert_int_equal(generation_store(sc->a, "tables"), 0);
		assert_int_equal(truncate("tables", len), 0);
		assert_int_equal(load_number("tables"), -EINVAL);
		assert_true(reason_is(reason, "file_size"));
	}
}

/* Each byte of the manifest, and one in 7 of the rest: there is none that may be anything else. */
static void flipped_byte_is_refused(void **state)
{
	struct scene *sc = *state;

	assert_int_equal(generation_store(sc->a, "tables"), 0);
	for (off_t at = 0; at < FILE_BYTES; at += at < 512 ? 1 : 7) {
		file_edit("tables", at, (u8)(1 << at % 8));
		assert_int_equal(load_number("tables"), -EINVAL);
		file_edit("tables", at, (u8)(1 << at % 8));
	}
	assert_int_equal(load_number("tables"), 1);
}

static void paths_that_cannot_be(void **state)
{
	struct scene *sc = *state;
	struct generation *g = NULL;
	char name[300];

	memset(name, 'x', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(load_number("nowhere"), -ENOENT);
	assert_true(reason_is(reason, "file_open"));
	assert_int_equal(generation_store(sc->a, "no/where"), -ENOENT);
	assert_int_equal(generation_store(sc->a, "where/"), -EISDIR);
	assert_int_equal(generation_store(sc->a, name), -ENAMETOOLONG);
	name[253] = '\0'; /* fits, but not with .tmp.N */
	assert_int_equal(generation_store(sc->a, name), -ENAMETOOLONG);
	assert_int_equal(mkdir("tables", 0700), 0);
	assert_int_equal(generation_store(sc->a, "tables"), -EISDIR);
	assert_int_equal(dir_clear(false), 1);
	assert_null(g);
}

/* In a child, so that what it does to itself ends with it. Return: its exit status. */
static int in_child(int (*run)(struct scene *sc), struct scene *sc)
{
	pid_t pid = fork();
	int status;

	assert_true(pid >= 0);
	if (pid == 0)
		_exit(run(sc));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

#define CHILD_SKIP 77
#define CHILD_REQUIRE(cond)                                                                        \
	do {                                                                                       \
		if (!(cond)) {                                                                     \
			fprintf(stderr, "%s:%d: %s (errno %d)\n", __FILE__, __LINE__, #cond,       \
				errno);                                                            \
			return 1;                                                                  \
		}                                                                                  \
	} while (0)

static bool only_file(void)
{
	return dir_clear(false) == 1;
}

/* A write that fails half-way: the limit of a file's size. */
static int child_file_limit(struct scene *sc)
{
	struct rlimit limit = {20000, 20000};

	signal(SIGXFSZ, SIG_IGN);
	CHILD_REQUIRE(generation_store(sc->a, "tables") == 0);
	CHILD_REQUIRE(setrlimit(RLIMIT_FSIZE, &limit) == 0);
	CHILD_REQUIRE(generation_store(sc->b, "tables") == -EFBIG);
	CHILD_REQUIRE(only_file());
	return 0;
}

static int child_disk(struct scene *sc)
{
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mkdir("disk", 0700) < 0 || mount("tmpfs", "disk", "tmpfs", 0, "size=48k") < 0 ||
	    chdir("disk") < 0)
		return CHILD_SKIP;
	CHILD_REQUIRE(generation_store(sc->a, "tables") == 0);
	CHILD_REQUIRE(generation_store(sc->b, "tables") == -ENOSPC);
	CHILD_REQUIRE(only_file());
	CHILD_REQUIRE(load_number("tables") == 1);
	CHILD_REQUIRE(mount(NULL, ".", NULL, MS_REMOUNT | MS_RDONLY, NULL) == 0);
	CHILD_REQUIRE(generation_store(sc->b, "tables") == -EROFS);
	CHILD_REQUIRE(load_number("tables") == 1);
	return 0;
}

static int child_unwritable(struct scene *sc)
{
	CHILD_REQUIRE(generation_store(sc->a, "tables") == 0);
	CHILD_REQUIRE(chmod(".", 0555) == 0);
	if (geteuid() == 0 && seteuid(65534) < 0)
		return CHILD_SKIP;
	CHILD_REQUIRE(generation_store(sc->b, "tables") == -EACCES);
	CHILD_REQUIRE(seteuid(getuid()) == 0);
	CHILD_REQUIRE(chmod(".", 0700) == 0);
	CHILD_REQUIRE(only_file());
	return 0;
}

static void disk_full(void **state)
{
	int status = in_child(child_disk, *state);

	if (status == CHILD_SKIP)
		skip(); /* a file system of its own needs root */
	assert_int_equal(status, 0);
}

static void size_limit(void **state)
{
	assert_int_equal(in_child(child_file_limit, *state), 0);
	assert_int_equal(load_number("tables"), 1);
}

static void unwritable_directory(void **state)
{
	int status = in_child(child_unwritable, *state);

	if (status == CHILD_SKIP)
		skip();
	assert_int_equal(status, 0);
	assert_int_equal(load_number("tables"), 1);
}

/* The segments' fds of a process that died: closed ones are an error, not a file. */
static void broken_source(void **state)
{
	struct scene *sc = *state;
	int fds[SMALL_N_SEGMENTS];

	for (u32 i = 0; i < SMALL_N_SEGMENTS; i++)
		fds[i] = i == 6 ? -1 : generation_fd(sc->a, i);
	assert_int_equal(generation_file_write(sc->a->manifest, fds, "tables"), -EBADF);
	assert_int_equal(dir_clear(false), 0);
}

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static void store_for_ever(struct scene *sc, int ready)
{
	for (u32 i = 0;; i++) {
		if (generation_store(i & 1 ? sc->a : sc->b, "tables") < 0)
			_exit(1);
		if (i == 0 && write(ready, "", 1) != 1)
			_exit(1);
	}
}

/* Killed at a random point, 50 times: there is always one whole generation, and the next store clears up. */
static void killed_while_storing(void **state)
{
	struct scene *sc = *state;
	u64 rng = now_ns(), seen[3] = {0};

	print_message("seed %lu\n", rng);
	for (u32 i = 0; i < 50; i++) {
		u64 until, wait_ns;
		int ready[2], status;
		s64 number;
		pid_t pid;
		char c;

		assert_int_equal(pipe(ready), 0);
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0)
			store_for_ever(sc, ready[1]);
		close(ready[1]);
		assert_int_equal(read(ready[0], &c, 1), 1);
		close(ready[0]);
		rng = rng * 6364136223846793005ull + 1442695040888963407ull;
		wait_ns = (rng >> 33) % 10000000; /* some stores long */
		for (until = now_ns() + wait_ns; now_ns() < until;)
			;
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		number = load_number("tables");
		assert_true(number == 1 || number == 2);
		seen[number]++;
	}
	print_message("found generation 1 %lu times, 2 %lu times, %u files left\n", seen[1],
		      seen[2], dir_clear(false));
	assert_int_equal(generation_store(sc->a, "tables"), 0);
	assert_true(only_file());
}

/* Names that only look like a dead writer's. */
static void sweep_takes_only_its_own(void **state)
{
	static const char *const others[] = {"tables.tmp.x", "tables.tmp.", "tables.tmp.1",
					     "tables2.tmp.999999999", "tables.tmp.-5"};
	struct scene *sc = *state;
	int fd;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(others); i++) {
		fd = open(others[i], O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		close(fd);
	}
	fd = open("tables.tmp.999999999", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
	close(fd);
	assert_int_equal(generation_store(sc->a, "tables"), 0);
	assert_int_equal(access("tables.tmp.999999999", F_OK), -1);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(others); i++)
		assert_int_equal(access(others[i], F_OK), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(store_and_load, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(load_beside_an_open_generation, scene_init,
						scene_fini),
		cmocka_unit_test_setup_teardown(failed_load_leaves_nothing, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(truncated_is_refused, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(flipped_byte_is_refused, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(paths_that_cannot_be, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(size_limit, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(disk_full, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(unwritable_directory, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(broken_source, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(killed_while_storing, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(sweep_takes_only_its_own, scene_init, scene_fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
