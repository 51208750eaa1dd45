/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.c - see store.h. The file is written by a thread of its own (fsync takes as long as it takes) from a copy: the
 * manifest's bytes and duplicates of the segments' fds, so that a slow disk holds no generation open and delays no
 * adoption. At most one write every store_interval_s; one that failed is tried again then. The fd store gets each segment
 * once, by the name of its id, and is told to forget what the generation in force does not name.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "dataplane.h"
#include "log.h"
#include "store.h"

#define FDS_MAX                                                                                    \
	1024 /* FileDescriptorStoreMax= of a unit file; half of it, since old and new overlap for a moment */
#define MANIFESTS_MAX 4

struct store_job {
	struct dwcp_manifest *manifest;
	u32 n_fds;
	int fd[];
};

struct store {
	struct dataplane *dp;
	char *path;
	pthread_t thread;
	bool running;
	pthread_mutex_t mutex;
	pthread_cond_t wake;

	/* under mutex */
	struct store_job *job; /* to be written, or being written */
	bool busy;	       /* the thread is at it */
	bool stop;
	bool failed; /* since the control thread looked last */
	int error;   /* of the last write, 0 = fine */
	u64 stored_generation, stored_unix_ns, write_ns;

	/* control thread */
	bool dirty; /* the generation in force is not on disk and not on its way there */
	u64 last_begin_ns;
	u64 reported_generation;
	int reported_error;
	u64 pushed[FDS_MAX]; /* segments that the service manager keeps for us */
	u32 n_pushed;
	u64 manifest_pushed[MANIFESTS_MAX];
	u32 n_manifests;
};

const char *store_path(const struct store *s)
{
	return s->path;
}

/* ---- the file ---------------------------------------------------------------------------------------------------- */

static void job_free(struct store_job *j)
{
	if (!j)
		return;
	for (u32 i = 0; i < j->n_fds; i++)
		close(j->fd[i]);
	free(j->manifest);
	free(j);
}

static struct store_job *job_create(const struct generation *g)
{
	struct store_job *j = calloc(1, sizeof(*j) + g->n_segments * sizeof(j->fd[0]));

	if (!j)
		return NULL;
	j->manifest = malloc(g->manifest->bytes);
	if (!j->manifest)
		goto fail;
	memcpy(j->manifest, g->manifest, g->manifest->bytes);
	for (; j->n_fds < g->n_segments; j->n_fds++) {
		j->fd[j->n_fds] = fcntl(generation_fd(g, j->n_fds), F_DUPFD_CLOEXEC, 0);
		if (j->fd[j->n_fds] < 0)
			goto fail;
	}
	return j;
fail:
	job_free(j);
	return NULL;
}

static void job_done(struct store *s, struct store_job *j, int err, u64 took_ns)
{
	s->error = err;
	s->failed |= err != 0;
	s->write_ns = took_ns;
	if (!err) {
		s->stored_generation = j->manifest->generation;
		s->stored_unix_ns = clock_unix_ns();
	}
	s->busy = false;
	job_free(j);
}

static void *store_main(void *arg)
{
	struct store *s = arg;

	pthread_mutex_lock(&s->mutex);
	while (!s->stop || s->job) {
		struct store_job *j = s->job;
		u64 begin;
		int err;

		if (!j) {
			pthread_cond_wait(&s->wake, &s->mutex);
			continue;
		}
		s->job = NULL;
		s->busy = true;
		pthread_mutex_unlock(&s->mutex);
		begin = clock_ns();
		err = generation_file_write(j->manifest, j->fd, s->path);
		pthread_mutex_lock(&s->mutex);
		job_done(s, j, err, clock_ns() - begin);
	}
	pthread_mutex_unlock(&s->mutex);
	return NULL;
}

/* Hand the generation in force to the thread, unless it is still busy with an older one. */
static void store_begin(struct store *s)
{
	struct store_job *j;

	pthread_mutex_lock(&s->mutex);
	if (!s->busy && !s->job && s->dp->gen) {
		j = job_create(s->dp->gen);
		s->job = j;
		s->dirty = j == NULL; /* out of memory or fds: next time */
		s->last_begin_ns = clock_ns();
		pthread_cond_signal(&s->wake);
	}
	pthread_mutex_unlock(&s->mutex);
}

static void store_report(struct store *s)
{
	struct dwcp_stats_hdr *h = dataplane_stats(s->dp);
	u64 generation, unix_ns, write_ns;
	int error;

	pthread_mutex_lock(&s->mutex);
	generation = s->stored_generation;
	unix_ns = s->stored_unix_ns;
	write_ns = s->write_ns;
	error = s->error;
	s->dirty |= s->failed;
	s->failed = false;
	pthread_mutex_unlock(&s->mutex);
	dwcp_store_relaxed(&h->stored_generation, generation);
	dwcp_store_relaxed(&h->stored_unix_ns, unix_ns);
	if (error && error != s->reported_error)
		log_event("tables.store path=%s error='%s' effect='a restart would begin with "
			  "generation %lu' "
			  "hint='free space, or make the directory writable'",
			  s->path, strerror(-error), generation);
	if (!error && generation != s->reported_generation)
		log_event("tables.store path=%s generation=%lu ms=%lu", s->path, generation,
			  write_ns / 1000000);
	s->reported_error = error;
	s->reported_generation = generation;
}

void store_tick(struct store *s)
{
	u64 interval_ns = (u64)s->dp->cfg->dataplane.tables.store_interval_s * 1000000000u;

	store_report(s);
	if (s->dirty && (s->last_begin_ns == 0 || clock_ns() - s->last_begin_ns >= interval_ns))
		store_begin(s);
}

/* ---- the service manager's fds ---------------------------------------------------------------------------------------- */

static bool id_in_manifest(const struct generation *g, u64 id)
{
	const struct dwcp_segment_desc *d = manifest_segments(g->manifest);

	for (u32 i = 0; i < g->n_segments; i++) {
		if (d[i].id == id)
			return true;
	}
	return false;
}

static bool id_pushed(const struct store *s, u64 id)
{
	for (u32 i = 0; i < s->n_pushed; i++) {
		if (s->pushed[i] == id)
			return true;
	}
	return false;
}

static bool fd_push(const char *name, int fd)
{
	char text[128];

	snprintf(text, sizeof(text), "FDSTORE=1\nFDNAME=%s", name);
	return sd_pid_notify_with_fds(0, 0, text, &fd, 1) > 0;
}

static void fd_remove(const char *name)
{
	sd_notifyf(0, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

static void segment_name(u64 id, char *ret_name, size_t len)
{
	snprintf(ret_name, len, "segment-%016lx", id);
}

/* Forget everything but what @g names; NULL: everything. */
static void fds_forget(struct store *s, const struct generation *g)
{
	char name[64];
	u32 keep = 0, manifests = 0;

	for (u32 i = 0; i < s->n_manifests; i++) {
		if (g && s->manifest_pushed[i] == g->number) {
			s->manifest_pushed[manifests++] = g->number;
			continue;
		}
		snprintf(name, sizeof(name), "manifest-%lu", s->manifest_pushed[i]);
		fd_remove(name);
	}
	for (u32 i = 0; i < s->n_pushed; i++) {
		if (g && id_in_manifest(g, s->pushed[i])) {
			s->pushed[keep++] = s->pushed[i];
			continue;
		}
		segment_name(s->pushed[i], name, sizeof(name));
		fd_remove(name);
	}
	s->n_pushed = keep;
	s->n_manifests = manifests;
}

/* Segments first, then the manifest that names them, then the old ones go: a crash in between leaves a whole set. */
static void store_push_fds(struct store *s, const struct generation *g)
{
	const struct dwcp_segment_desc *d = manifest_segments(g->manifest);
	bool whole = true;
	char name[64];

	if (!getenv("NOTIFY_SOCKET"))
		return;
	if (g->n_segments + 1 > FDS_MAX / 2) {
		/* too many to keep: the file must do, and older fds must not be newer than it */
		fds_forget(s, NULL);
		return;
	}
	for (u32 i = 0; i < g->n_segments; i++) {
		segment_name(d[i].id, name, sizeof(name));
		if (id_pushed(s, d[i].id))
			continue;
		whole &= fd_push(name, generation_fd(g, i));
		if (s->n_pushed < FDS_MAX)
			s->pushed[s->n_pushed++] = d[i].id;
	}
	snprintf(name, sizeof(name), "manifest-%lu", g->number);
	whole &= fd_push(name, g->manifest_fd);
	if (s->n_manifests < MANIFESTS_MAX)
		s->manifest_pushed[s->n_manifests++] = g->number;
	fds_forget(s, whole ? g : NULL);
}

/* ---- control thread --------------------------------------------------------------------------------------------------- */

void store_request(struct store *s, const struct generation *g)
{
	store_push_fds(s, g);
	s->dirty = true;
	store_tick(s);
}

void store_adopted(struct store *s, const struct generation *g, bool on_disk)
{
	store_push_fds(s, g);
	s->dirty = !on_disk;
	if (!on_disk)
		return;
	pthread_mutex_lock(&s->mutex);
	s->stored_generation = g->number;
	s->stored_unix_ns = g->manifest->created_unix_ns;
	pthread_mutex_unlock(&s->mutex);
	s->reported_generation = g->number;
	store_report(s);
}

json_t *store_json(struct store *s)
{
	u64 generation, unix_ns;
	json_t *o;
	int error;

	pthread_mutex_lock(&s->mutex);
	generation = s->stored_generation;
	unix_ns = s->stored_unix_ns;
	error = s->error;
	pthread_mutex_unlock(&s->mutex);
	o = json_pack("{s:s, s:I}", "path", s->path, "generation", (json_int_t)generation);
	json_object_set_new(o, "age_s",
			    unix_ns ? json_integer((json_int_t)((clock_unix_ns() - unix_ns) /
								1000000000u))
				    : json_null());
	json_object_set_new(o, "error", error ? json_string(strerror(-error)) : json_null());
	return o;
}

int store_open(struct dataplane *dp)
{
	struct store *s = calloc(1, sizeof(*s));
	sigset_t all, old;
	int err;

	if (!s)
		return -ENOMEM;
	dp->store = s;
	s->dp = dp;
	pthread_mutex_init(&s->mutex, NULL);
	pthread_cond_init(&s->wake, NULL);
	if (asprintf(&s->path, "%s/generation", dp->cfg->node.state_dir) < 0)
		return -ENOMEM;
	if (mkdir(dp->cfg->node.state_dir, 0750) < 0 && errno != EEXIST)
		log_event("tables.store path=%s error='%s' effect='a restart without agent begins "
			  "without tables' "
			  "hint='create the directory, or set node.state_dir'",
			  dp->cfg->node.state_dir, strerror(errno));
	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, &old);
	err = pthread_create(&s->thread, NULL, store_main, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	s->running = err == 0;
	return -err;
}

void store_close(struct dataplane *dp)
{
	struct store *s = dp->store;

	if (!s)
		return;
	if (s->running) {
		store_report(s);
		while (s->dirty && s->busy)
			usleep(1000); /* the thread is at an older one; ours comes after */
		if (s->dirty)
			store_begin(s);
		pthread_mutex_lock(&s->mutex);
		s->stop = true;
		pthread_cond_signal(&s->wake);
		pthread_mutex_unlock(&s->mutex);
		pthread_join(s->thread, NULL);
		store_report(s);
	}
	free(s->path);
	free(s);
	dp->store = NULL;
}

/* ---- at start: what the service manager kept ------------------------------------------------------------------ */

static int fd_by_id(char **names, int n, u64 id)
{
	char want[64];

	snprintf(want, sizeof(want), "segment-%016lx", id);
	for (int i = 0; i < n; i++) {
		if (strcmp(names[i], want) == 0)
			return SD_LISTEN_FDS_START + i;
	}
	return -1;
}

/* The newest manifest wins: a crash between pushes may have left two. */
static int manifest_fd_newest(char **names, int n)
{
	u64 best = 0;
	int fd = -1;

	for (int i = 0; i < n; i++) {
		u64 number;

		if (strncmp(names[i], "manifest-", 9) != 0)
			continue;
		number = strtoull(names[i] + 9, NULL, 10);
		if (fd < 0 || number > best) {
			best = number;
			fd = SD_LISTEN_FDS_START + i;
		}
	}
	return fd;
}

static int stage_kept(struct segment_set *set, int manifest_fd, char **names, int n,
		      char *ret_reason)
{
	struct stat st;
	struct dwcp_manifest *m;
	const char *why;
	int err = 0;

	if (fstat(manifest_fd, &st) < 0 || st.st_size <= 0 ||
	    st.st_size > (off_t)DWCP_MANIFEST_MAX_BYTES)
		return -EINVAL;
	m = malloc((size_t)st.st_size);
	if (!m)
		return -ENOMEM;
	why = pread(manifest_fd, m, (size_t)st.st_size, 0) == st.st_size
		      ? manifest_check(m, (size_t)st.st_size)
		      : "manifest_short_read";
	if (why) {
		snprintf(ret_reason, GENERATION_REASON_MAX, "%s", why);
		free(m);
		return -EINVAL;
	}
	for (u32 i = 0; i < m->n_segments && !err; i++) {
		const struct dwcp_segment_desc *d = &manifest_segments(m)[i];
		int fd = fd_by_id(names, n, d->id);

		/* missing ones are named by generation_open() */
		if (fd >= 0 && !segment_set_has(set, d->id))
			err = segment_set_stage(set, d, fcntl(fd, F_DUPFD_CLOEXEC, 0), ret_reason);
	}
	free(m);
	return err;
}

/* What is kept under our names, to be forgotten when nothing names it any more. */
static void kept_note(struct store *s, const char *name)
{
	if (strncmp(name, "manifest-", 9) == 0 && s->n_manifests < MANIFESTS_MAX)
		s->manifest_pushed[s->n_manifests++] = strtoull(name + 9, NULL, 10);
	if (strncmp(name, "segment-", 8) == 0 && s->n_pushed < FDS_MAX)
		s->pushed[s->n_pushed++] = strtoull(name + 8, NULL, 16);
}

int store_fds_load(struct store *s, struct segment_set *set, const struct generation_limits *limits,
		   struct generation **ret_generation, char *ret_reason)
{
	char **names = NULL;
	int n = sd_listen_fds_with_names(0, &names), fd, err = -ENOENT;

	if (n <= 0)
		return -ENOENT;
	fd = manifest_fd_newest(names, n);
	if (fd >= 0) {
		err = stage_kept(set, fd, names, n, ret_reason);
		if (!err)
			err = generation_open(set, fd, limits, ret_generation, ret_reason);
		if (err == -ENOENT)
			err = -EINVAL; /* something was kept, but not all of it */
	}
	segment_set_drop_staged(set);
	for (int i = 0; i < n; i++) {
		kept_note(s, names[i]);
		close(SD_LISTEN_FDS_START + i);
		free(names[i]);
	}
	free(names);
	if (err)
		fds_forget(s, NULL);
	return err;
}
