/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * genfile.c - a generation on disk: the manifest, zeros up to DWCP_SEGMENT_ALIGN, then its segments in its order.
 *
 * Written beside the old file and renamed over it, so that a reader finds one whole file or the other whatever happens
 * in between. What is read is as little trusted as what comes over the link: the same checks, plus the file's size.
 * Storing only reads an open generation: any thread may do it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest.h"
#include "segment.h"

#define COPY_BYTES (256u << 10)
#define FILE_MODE  0640

struct file_writer {
	int dir, fd;
	char name[NAME_MAX + 1]; /* in dir */
	char tmp[NAME_MAX + 1];
	u8 *buf; /* COPY_BYTES */
};

/* ---- writing -------------------------------------------------------------------------------- */

static int bytes_put(int fd, const u8 *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int manifest_put(const struct file_writer *w, const struct dwcp_manifest *m)
{
	size_t pad = DWCP_ALIGN_UP((size_t)m->bytes, (size_t)DWCP_SEGMENT_ALIGN) - m->bytes;
	int err = bytes_put(w->fd, (const void *)m, m->bytes);

	if (err)
		return err;
	memset(w->buf, 0, pad);
	return bytes_put(w->fd, w->buf, pad);
}

static int segment_put(const struct file_writer *w, int from, u32 bytes)
{
	for (u32 done = 0; done < bytes;) {
		size_t want = DWCP_MIN(bytes - done, COPY_BYTES);
		ssize_t n = pread(from, w->buf, want, done);
		int err;

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		err = bytes_put(w->fd, w->buf, (size_t)n);
		if (err)
			return err;
		done += (u32)n;
	}
	return 0;
}

static int dir_open(struct file_writer *w, const char *path)
{
	const char *slash = strrchr(path, '/');
	const char *name = slash ? slash + 1 : path;
	char dir[PATH_MAX];
	int n;

	if (!*name)
		return -EISDIR;
	n = snprintf(w->name, sizeof(w->name), "%s", name);
	if (n >= (int)sizeof(w->name))
		return -ENAMETOOLONG;
	n = snprintf(dir, sizeof(dir), "%.*s", slash ? (int)(slash - path + 1) : 1,
		     slash ? path : ".");
	if (n >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	w->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return w->dir < 0 ? -errno : 0;
}

/* The thread that writes <name>.tmp.<tid>; 0 = not such a name. */
static pid_t tmp_owner(const struct file_writer *w, const char *name)
{
	size_t n = strlen(w->name);
	char *end;
	long tid;

	if (strncmp(name, w->name, n) != 0 || strncmp(name + n, ".tmp.", 5) != 0)
		return 0;
	tid = strtol(name + n + 5, &end, 10);
	return *end == '\0' && tid > 0 && tid <= INT_MAX ? (pid_t)tid : 0;
}

/* What writers that were killed have left behind. */
static void tmp_sweep(const struct file_writer *w)
{
	int fd = openat(w->dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	const struct dirent *e;

	if (!d) {
		if (fd >= 0)
			close(fd);
		return;
	}
	while ((e = readdir(d)) != NULL) {
		pid_t tid = tmp_owner(w, e->d_name);

		if (tid && kill(tid, 0) < 0 && errno == ESRCH)
			unlinkat(w->dir, e->d_name, 0);
	}
	closedir(d);
}

static int tmp_open(struct file_writer *w)
{
	int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
	int n = snprintf(w->tmp, sizeof(w->tmp), "%.*s.tmp.%d", NAME_MAX, w->name, (int)gettid());

	if (n >= (int)sizeof(w->tmp))
		return -ENAMETOOLONG;
	tmp_sweep(w);
	w->fd = openat(w->dir, w->tmp, flags, FILE_MODE);
	if (w->fd < 0 && errno == EEXIST && unlinkat(w->dir, w->tmp, 0) == 0)
		w->fd = openat(w->dir, w->tmp, flags, FILE_MODE); /* ours, from an earlier life */
	return w->fd < 0 ? -errno : 0;
}

static int file_fill(const struct file_writer *w, const struct dwcp_manifest *m,
		     const int *segment_fds)
{
	const struct dwcp_segment_desc *seg = manifest_segments(m);
	int err = manifest_put(w, m);

	for (u32 i = 0; i < m->n_segments && !err; i++)
		err = segment_put(w, segment_fds[i], seg[i].bytes);
	if (!err && fsync(w->fd) < 0)
		err = -errno;
	return err;
}

static int file_replace(const struct file_writer *w)
{
	if (renameat(w->dir, w->tmp, w->dir, w->name) < 0)
		return -errno;
	/* the name survives a power cut only with its directory */
	return fsync(w->dir) < 0 ? -errno : 0;
}

static int file_write(struct file_writer *w, const struct dwcp_manifest *m, const int *segment_fds,
		      const char *path)
{
	int err = dir_open(w, path);

	if (!err)
		err = tmp_open(w);
	if (err)
		return err;
	err = file_fill(w, m, segment_fds);
	if (close(w->fd) < 0 && !err)
		err = -errno;
	if (!err)
		err = file_replace(w);
	if (err)
		unlinkat(w->dir, w->tmp, 0);
	return err;
}

int generation_file_write(const struct dwcp_manifest *m, const int *segment_fds, const char *path)
{
	struct file_writer w = {.dir = -1, .fd = -1, .buf = malloc(COPY_BYTES)};
	int err;

	if (!w.buf)
		return -ENOMEM;
	err = file_write(&w, m, segment_fds, path);
	if (w.dir >= 0)
		close(w.dir);
	free(w.buf);
	return err;
}

int generation_store(const struct generation *g, const char *path)
{
	int *fds = malloc((g->n_segments + 1) * sizeof(*fds));
	int err;

	if (!fds)
		return -ENOMEM;
	for (u32 i = 0; i < g->n_segments; i++)
		fds[i] = generation_fd(g, i);
	err = generation_file_write(g->manifest, fds, path);
	free(fds);
	return err;
}

/* ---- reading -------------------------------------------------------------------------------- */

struct file_reader {
	int fd;
	u64 size;
	struct segment_set *set;
	struct dwcp_manifest *manifest;
	u8 *buf; /* DWCP_SEGMENT_MAX_BYTES */
	bool *staged_here;
};

static int bytes_get(const struct file_reader *f, void *to, size_t len, u64 at, struct refusal *r)
{
	for (size_t done = 0; done < len;) {
		ssize_t n = pread(f->fd, (u8 *)to + done, len - done, (off_t)(at + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return refusal_set_errno(r, "file_read", errno);
		if (n == 0)
			return refusal_set(r, GEN_FILE_SIZE, -EINVAL);
		done += (size_t)n;
	}
	return 0;
}

static int file_open(struct file_reader *f, const char *path, struct refusal *r)
{
	struct stat st;

	/* a pipe in its place must not hold up the start */
	f->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (f->fd < 0)
		return refusal_set_errno(r, "file_open", errno);
	if (fstat(f->fd, &st) < 0)
		return refusal_set_errno(r, "file_stat", errno);
	GEN_REQUIRE(r, FILE_KIND, S_ISREG(st.st_mode));
	f->size = (u64)st.st_size;
	return 0;
}

static int padding_check(const struct file_reader *f, u64 from, u64 to, struct refusal *r)
{
	u8 any = 0;
	int err = bytes_get(f, f->buf, to - from, from, r);

	if (err)
		return err;
	for (u64 i = 0; i < to - from; i++)
		any |= f->buf[i];
	GEN_REQUIRE(r, FILE_PADDING, any == 0);
	return 0;
}

/* The manifest, and whether the file is as long as it says. */
static int file_manifest(struct file_reader *f, u64 *ret_segments_at, struct refusal *r)
{
	struct dwcp_manifest head;
	u64 bytes, size;
	int err = bytes_get(f, &head, sizeof(head), 0, r);

	if (err)
		return err;
	bytes = head.bytes;
	if (bytes < sizeof(head))
		return refusal_set(r, GEN_MANIFEST_LENGTH, -EINVAL);
	GEN_REQUIRE(r, MANIFEST_SIZE, bytes <= DWCP_MANIFEST_MAX_BYTES);
	f->manifest = malloc(bytes);
	if (!f->manifest)
		return refusal_set_errno(r, "manifest_memory", ENOMEM);
	err = bytes_get(f, f->manifest, bytes, 0, r);
	if (!err)
		err = manifest_verify(f->manifest, bytes, r);
	if (err)
		return err;
	size = DWCP_ALIGN_UP(bytes, (u64)DWCP_SEGMENT_ALIGN);
	*ret_segments_at = size;
	for (u32 i = 0; i < f->manifest->n_segments; i++)
		size += manifest_segments(f->manifest)[i].bytes;
	GEN_REQUIRE(r, FILE_SIZE, f->size == size);
	return padding_check(f, bytes, *ret_segments_at, r);
}

static int file_segment(struct file_reader *f, u32 i, u64 at, struct refusal *r, char *ret_reason)
{
	const struct dwcp_segment_desc *d = &manifest_segments(f->manifest)[i];
	struct dwcp_segment_desc found;
	int fd, err;

	if (segment_set_has(f->set, d->id))
		return 0;
	r->section = d->section;
	err = bytes_get(f, f->buf, d->bytes, at, r);
	if (err)
		return err;
	fd = segment_seal(d->section, f->buf, d->bytes,
			  f->set->cfg.huge && d->bytes == DWCP_SEGMENT_MAX_BYTES, &found);
	if (fd < 0)
		return refusal_set_errno(r, "segment_seal", -fd);
	err = segment_set_stage(f->set, d, fd, ret_reason);
	f->staged_here[i] = !err;
	return err;
}

/* ret_reason is written by what refuses a segment or the generation; else r says it. */
static int file_load(struct file_reader *f, const char *path,
		     const struct generation_limits *limits, struct generation **ret_generation,
		     struct refusal *r, char *ret_reason)
{
	u64 at = 0;
	int fd, err = file_open(f, path, r);

	if (err)
		return err;
	err = file_manifest(f, &at, r);
	if (err)
		return err;
	f->staged_here = calloc(f->manifest->n_segments + 1, sizeof(bool));
	if (!f->staged_here)
		return refusal_set_errno(r, "file_memory", ENOMEM);
	for (u32 i = 0; i < f->manifest->n_segments; i++) {
		err = file_segment(f, i, at, r, ret_reason);
		if (err)
			return err;
		at += manifest_segments(f->manifest)[i].bytes;
	}
	fd = manifest_seal(f->manifest);
	if (fd < 0)
		return refusal_set_errno(r, "manifest_seal", -fd);
	err = generation_open(f->set, fd, limits, ret_generation, ret_reason);
	close(fd);
	return err;
}

static void file_reader_fini(struct file_reader *f, bool failed)
{
	for (u32 i = 0; failed && f->staged_here && i < f->manifest->n_segments; i++)
		if (f->staged_here[i])
			segment_drop(f->set, manifest_segments(f->manifest)[i].id);
	free(f->staged_here);
	free(f->manifest);
	free(f->buf);
	if (f->fd >= 0)
		close(f->fd);
}

int generation_load(struct segment_set *s, const char *path, const struct generation_limits *limits,
		    struct generation **ret_generation, char *ret_reason)
{
	struct file_reader f = {.fd = -1, .set = s, .buf = malloc(DWCP_SEGMENT_MAX_BYTES)};
	struct refusal r = {0};
	int err;

	if (!f.buf)
		err = refusal_set_errno(&r, "file_memory", ENOMEM);
	else
		err = file_load(&f, path, limits, ret_generation, &r, ret_reason);
	if (err && r.token)
		refusal_format(&r, ret_reason);
	file_reader_fini(&f, err != 0);
	return err;
}
