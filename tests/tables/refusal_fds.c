/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * refusal_fds.c - fds of every wrong kind, wrong descriptions of good fds, and broken files.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "refusal_fds.h"

#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)

/* Leaves that no other test has, so that they aren't held yet. */
static const u32 fresh[3072] = {0x5a5a, 1, 2, 3, [2000] = 7};

static struct dwcp_segment_desc fresh_desc(u32 bytes)
{
	return (struct dwcp_segment_desc){.id = bytes_hash(fresh, bytes),
					  .bytes = bytes,
					  .section = DWCP_SECTION_FIB_LEAF};
}

static int stage(struct segment_set *s, int fd, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(4096);

	return segment_set_stage(s, &d, fd, ret_reason);
}

/* A file on a file system that knows no seals. */
static int plain_file(const void *bytes, size_t len)
{
	static const char *const dirs[] = {".", "/var/tmp", "/tmp", "/root"};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(dirs); i++) {
		int fd = open(dirs[i], O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

		if (fd >= 0 && fcntl(fd, F_GET_SEALS) < 0) {
			assert_int_equal(write(fd, bytes, len), len);
			return fd;
		}
		if (fd >= 0)
			close(fd);
	}
	fail_msg("no file system but tmpfs here");
	return -1;
}

int run_segment_file(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage(s, plain_file(fresh, 4096), ret_reason);
}

int run_segment_pipe(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	int p[2], err;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	err = stage(s, p[0], ret_reason);
	if (err)
		err = stage(s, p[1], ret_reason);
	return err;
}

int run_segment_socket(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	int p[2], err;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, p), 0);
	err = stage(s, p[0], ret_reason);
	close(p[1]);
	return err;
}

int run_segment_device(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage(s, open("/dev/zero", O_RDWR | O_CLOEXEC), ret_reason);
}

int run_segment_directory(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage(s, open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC), ret_reason);
}

int run_segment_eventfd(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage(s, eventfd(0, EFD_CLOEXEC), ret_reason);
}

int run_segment_closed(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage(s, -1, ret_reason);
}

int run_segment_path(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	int fd = memfd_with(fresh, 4096, ALL_SEALS), path;
	char name[64];

	snprintf(name, sizeof(name), "/proc/self/fd/%d", fd);
	path = open(name, O_PATH | O_CLOEXEC);
	assert_true(path >= 0);
	close(fd);
	return stage(s, path, ret_reason);
}

static int stage_sealed(struct segment_set *s, int seals, char *ret_reason)
{
	return stage(s, memfd_with(fresh, 4096, seals), ret_reason);
}

int run_segment_no_write(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage_sealed(s, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL, ret_reason);
}

int run_segment_no_shrink(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage_sealed(s, F_SEAL_WRITE | F_SEAL_GROW, ret_reason);
}

int run_segment_no_grow(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage_sealed(s, F_SEAL_WRITE | F_SEAL_SHRINK, ret_reason);
}

int run_segment_future(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return stage_sealed(s, 0x10 | F_SEAL_SHRINK | F_SEAL_GROW,
			    ret_reason); /* F_SEAL_FUTURE_WRITE */
}

/* shmem too, but can't be sealed. */
int run_segment_shm(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	int fd = memfd_create("dwcp-test", MFD_CLOEXEC);

	assert_int_equal(write(fd, fresh, 4096), 4096);
	return stage(s, fd, ret_reason);
}

static int open_fd(struct segment_set *s, int fd, char *ret_reason)
{
	struct generation *g = NULL;
	int err = generation_open(s, fd, &small_limits, &g, ret_reason);

	close(fd);
	generation_close(g);
	return err;
}

/* All is staged but the manifest. */
static int open_manifest(struct segment_set *s, struct sealed *x, int fd, char *ret_reason)
{
	assert_int_equal(sealed_stage(s, x, ret_reason), 0);
	return open_fd(s, fd, ret_reason);
}

int run_manifest_file(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return open_manifest(s, x, plain_file(x->m, x->len), ret_reason);
}

int run_manifest_pipe(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	int p[2], err;

	assert_int_equal(pipe2(p, O_CLOEXEC), 0);
	err = open_manifest(s, x, p[0], ret_reason);
	close(p[1]);
	return err;
}

int run_manifest_no_write(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return open_manifest(s, x, memfd_with(x->m, x->len, F_SEAL_SHRINK | F_SEAL_GROW),
			     ret_reason);
}

int run_manifest_no_shrink(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return open_manifest(s, x, memfd_with(x->m, x->len, F_SEAL_WRITE | F_SEAL_GROW),
			     ret_reason);
}

int run_manifest_no_grow(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return open_manifest(s, x, memfd_with(x->m, x->len, F_SEAL_WRITE | F_SEAL_SHRINK),
			     ret_reason);
}

int run_manifest_size(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return open_manifest(s, x, memfd_with(x->m, DWCP_MANIFEST_MAX_BYTES + 1, ALL_SEALS),
			     ret_reason);
}

static int stage_desc(struct segment_set *s, const struct dwcp_segment_desc *d, u32 bytes,
		      char *ret_reason)
{
	int fd = memfd_create("dwcp-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	assert_int_equal(write(fd, fresh, DWCP_MIN(bytes, sizeof(fresh))),
			 DWCP_MIN(bytes, sizeof(fresh)));
	assert_int_equal(ftruncate(fd, bytes), 0);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, ALL_SEALS), 0);
	return segment_set_stage(s, d, fd, ret_reason);
}

int run_segment_longer(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(4096);

	return stage_desc(s, &d, 8192, ret_reason);
}

int run_segment_shorter(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(8192);
	int err = stage_desc(s, &d, 8191, ret_reason);

	return err ? stage_desc(s, &d, 4096, ret_reason) : 0;
}

int run_segment_empty(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(4096);

	return stage_desc(s, &d, 0, ret_reason);
}

int run_segment_odd(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(100);

	return stage_desc(s, &d, 100, ret_reason);
}

int run_segment_zero(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(0);

	return stage_desc(s, &d, 0, ret_reason);
}

int run_segment_max(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	u32 bytes = 2 * DWCP_SEGMENT_MAX_BYTES;
	u8 *all = calloc(1, bytes);
	struct dwcp_segment_desc d = {.bytes = bytes, .section = DWCP_SECTION_FIB_LEAF};

	memcpy(all, fresh, sizeof(fresh));
	d.id = bytes_hash(all, bytes);
	free(all);
	return stage_desc(s, &d, bytes, ret_reason);
}

int run_segment_hash(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(4096);

	d.id ^= 1;
	return stage_desc(s, &d, 4096, ret_reason);
}

int run_segment_flags(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(4096);

	d.flags = 1;
	return stage_desc(s, &d, 4096, ret_reason);
}

int run_segment_held(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(4096);

	assert_int_equal(stage_desc(s, &d, 4096, ret_reason), 0);
	d.bytes = 8192;
	return stage_desc(s, &d, 8192, ret_reason);
}

int run_segment_unknown(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(4096);

	d.section = 40;
	return stage_desc(s, &d, 4096, ret_reason);
}

int run_segment_not_read(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	struct dwcp_segment_desc d = fresh_desc(4096);

	d.section = DWCP_SECTION_VIP;
	return stage_desc(s, &d, 4096, ret_reason);
}

/* ---- files ---------------------------------------------------------------------------------- */

/* Into a set of its own: what is held already would not be read from the file. */
static int load(const char *path, char *ret_reason)
{
	struct segment_set *s = set_create_big();
	struct generation *g = NULL;
	int err = generation_load(s, path, &small_limits, &g, ret_reason);

	generation_close(g);
	if (err)
		assert_int_equal(segment_set_bytes(s), 0);
	segment_set_free(s);
	return err;
}

/* A good file with len bytes written at `at`, then made `size` long (0 = as it is). */
static int load_edited(struct sealed *x, off_t at, const void *bytes, size_t len, off_t size,
		       char *ret_reason)
{
	char path[] = "refusal-XXXXXX";
	int err, fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(generation_file_write(x->m, x->fds, path), 0);
	close(fd);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (len)
		assert_int_equal(pwrite(fd, bytes, len, at), len);
	if (size)
		assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
	err = load(path, ret_reason);
	unlink(path);
	return err;
}

int run_file_directory(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return load("/", ret_reason);
}

int run_file_fifo(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	char path[] = "refusal-XXXXXX";
	int err;

	assert_non_null(mkdtemp(path));
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	err = load(path, ret_reason);
	unlink(path);
	return err;
}

int run_file_longer(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return load_edited(x, 0, NULL, 0, 4096 + SMALL_BYTES + 4096, ret_reason);
}

int run_file_shorter(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return load_edited(x, 0, NULL, 0, 4096 + SMALL_BYTES - 1, ret_reason);
}

int run_file_header(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return load_edited(x, 0, NULL, 0, 50, ret_reason);
}

int run_file_empty(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	char path[] = "refusal-XXXXXX";
	int err, fd = mkstemp(path);

	assert_true(fd >= 0);
	close(fd);
	err = load(path, ret_reason);
	unlink(path);
	return err;
}

int run_file_padding(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	return load_edited(x, 4095, "x", 1, 0, ret_reason);
}

int run_file_segment(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	u8 one = 3; /* a leaf, another slot */

	return load_edited(x, 4096 * (1 + SMALL_LEAF_SEGMENT), &one, 1, 0, ret_reason);
}

int run_file_manifest(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	u32 bytes = UINT32_MAX;

	return load_edited(x, offsetof(struct dwcp_manifest, bytes), &bytes, 4, 0, ret_reason);
}

int run_file_manifest_short(struct segment_set *s, struct sealed *x, char *ret_reason)
{
	u32 bytes = 95;

	return load_edited(x, offsetof(struct dwcp_manifest, bytes), &bytes, 4, 0, ret_reason);
}
