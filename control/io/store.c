/* SPDX-License-Identifier: BSD-3-Clause */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <dwcp/util/config.h>

#define STORE_LINE_MAX 65536
#define STORE_REVISION "# intent_revision "

static int prefix_compare(const struct fib_prefix *a, const struct fib_prefix *b)
{
	if (a->family != b->family)
		return a->family < b->family ? -1 : 1;
	if (a->vrf != b->vrf)
		return a->vrf < b->vrf ? -1 : 1;
	if (a->addr.hi != b->addr.hi)
		return a->addr.hi < b->addr.hi ? -1 : 1;
	if (a->addr.lo != b->addr.lo)
		return a->addr.lo < b->addr.lo ? -1 : 1;
	return (a->len > b->len) - (a->len < b->len);
}

/* First row that is not below @p. */
static u32 row_seek(const struct store *s, const struct fib_prefix *p)
{
	u32 lo = 0, hi = s->n;

	while (lo < hi) {
		u32 mid = lo + (hi - lo) / 2;

		if (prefix_compare(&s->rows[mid].prefix, p) < 0)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static bool row_is(const struct store *s, u32 i, const struct fib_prefix *p)
{
	return i < s->n && p->family && prefix_compare(&s->rows[i].prefix, p) == 0;
}

const char *store_find(const struct store *s, const struct fib_prefix *p)
{
	u32 i = row_seek(s, p);

	return row_is(s, i, p) ? s->rows[i].line : NULL;
}

int store_set(struct store *s, const struct fib_prefix *p, char *line, char **ret_old)
{
	u32 i = row_seek(s, p);

	*ret_old = NULL;
	if (row_is(s, i, p)) {
		*ret_old = s->rows[i].line;
		s->rows[i].line = line;
		return 0;
	}
	if (s->n == s->cap) {
		u32 cap = s->cap ? s->cap * 2 : 64;
		struct store_row *rows = reallocarray(s->rows, cap, sizeof(*rows));

		if (!rows) {
			free(line);
			return -ENOMEM;
		}
		s->rows = rows;
		s->cap = cap;
	}
	memmove(&s->rows[i + 1], &s->rows[i], (s->n - i) * sizeof(s->rows[0]));
	s->rows[i] = (struct store_row){*p, line};
	s->n++;
	return 0;
}

char *store_del(struct store *s, const struct fib_prefix *p)
{
	u32 i = row_seek(s, p);
	char *line;

	if (!row_is(s, i, p))
		return NULL;
	line = s->rows[i].line;
	s->n--;
	memmove(&s->rows[i], &s->rows[i + 1], (s->n - i) * sizeof(s->rows[0]));
	return line;
}

/* ---- reading ----------------------------------------------------------------------------------------------- */

static bool type_is(const char *word)
{
	for (u32 t = ROUTE_UNICAST; t <= ROUTE_LOCAL; t++) {
		if (strcmp(word, route_type_name(t)) == 0)
			return true;
	}
	return false;
}

/* The prefix and the vrf of a line that may be unusable otherwise. */
static struct fib_prefix line_prefix(const char *line)
{
	char *copy = strdup(line), *save = NULL, *word;
	struct fib_prefix p = {0};
	u64 vrf;

	if (!copy)
		return p;
	word = strtok_r(copy, " \t", &save);
	if (word && type_is(word))
		word = strtok_r(NULL, " \t", &save);
	if (!word || prefix_parse(word, &p) < 0) {
		memset(&p, 0, sizeof(p));
		free(copy);
		return p;
	}
	while ((word = strtok_r(NULL, " \t", &save)) != NULL) {
		if (strcmp(word, "vrf") != 0)
			continue;
		word = strtok_r(NULL, " \t", &save);
		vrf = word ? strtoull(word, NULL, 10) : 0;
		p.vrf = (u32)vrf;
		break;
	}
	free(copy);
	return p;
}

static int line_take(struct store *s, const char *line)
{
	struct fib_prefix p;
	char *old, *copy;
	int err;

	if (strncmp(line, STORE_REVISION, strlen(STORE_REVISION)) == 0)
		s->revision = strtoull(line + strlen(STORE_REVISION), NULL, 10);
	line += strspn(line, " \t");
	if (*line == 0 || *line == '#')
		return 0;
	copy = strdup(line);
	if (!copy)
		return -ENOMEM;
	p = line_prefix(line);
	err = store_set(s, &p, copy, &old);
	free(old); /* written twice: the later line counts */
	return err;
}

static int file_read(struct store *s)
{
	FILE *f = fopen(s->path, "re");
	char *line = NULL;
	size_t cap = 0;
	int err = 0;

	if (!f)
		return errno == ENOENT ? 0 : -errno;
	while (!err && getline(&line, &cap, f) >= 0) {
		line[strcspn(line, "\r\n")] = 0;
		err = strlen(line) < STORE_LINE_MAX ? line_take(s, line) : -EINVAL;
	}
	if (!err && ferror(f))
		err = -EIO;
	free(line);
	fclose(f);
	return err;
}

int store_load(struct store *s, const char *dir)
{
	int err;

	memset(s, 0, sizeof(*s));
	s->dir = strdup(dir);
	if (!s->dir || asprintf(&s->path, "%s/%s", dir, STORE_FILE) < 0) {
		s->path = NULL;
		store_fini(s);
		return -ENOMEM;
	}
	/* if it can't be made, the first mutation says so: forwarding does not depend on it */
	if (mkdir(dir, 0750) < 0 && errno != EEXIST && errno != ENOENT && errno != EACCES &&
	    errno != EROFS && errno != EPERM) {
		err = -errno;
		store_fini(s);
		return err;
	}
	err = file_read(s);
	if (err < 0)
		store_fini(s);
	return err;
}

void store_fini(struct store *s)
{
	for (u32 i = 0; i < s->n; i++)
		free(s->rows[i].line);
	free(s->rows);
	free(s->dir);
	free(s->path);
	memset(s, 0, sizeof(*s));
}

/* ---- writing ----------------------------------------------------------------------------------------------- */

static int dir_sync(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		err = -errno;
	close(fd);
	return err;
}

static int rows_write(const struct store *s, FILE *f, u64 revision)
{
	fprintf(f,
		"# Routes added through the API, one a line as in route files; written by "
		"dwcp-agent.\n"
		"# Edit it only while the agent is stopped.\n"
		"%s%llu\n",
		STORE_REVISION, (unsigned long long)revision);
	for (u32 i = 0; i < s->n; i++)
		fprintf(f, "%s\n", s->rows[i].line);
	if (fflush(f) != 0)
		return errno ? -errno : -EIO;
	return fsync(fileno(f)) < 0 ? -errno : 0;
}

int store_save(const struct store *s, u64 revision)
{
	char *temp;
	FILE *f;
	int err;

	if (asprintf(&temp, "%s.new", s->path) < 0)
		return -ENOMEM;
	f = fopen(temp, "we");
	if (!f) {
		err = -errno;
		free(temp);
		return err;
	}
	errno = 0;
	err = rows_write(s, f, revision);
	if (fclose(f) != 0 && !err)
		err = -errno;
	if (!err && rename(temp, s->path) < 0)
		err = -errno;
	if (err)
		unlink(temp);
	else
		err = dir_sync(s->dir);
	free(temp);
	return err;
}
