/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * route_file.c - route files in pieces that stay in the cache, instead of a copy of 30 MB that has to be faulted in.
 * Must never block on a device or a FIFO. The lines are routes.c's.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "routes.h"
#include "source.h"

#define ROUTE_FILE_MAX_BYTES (2ull << 30)
#define PIECE_BYTES	     (256u << 10)

struct reader {
	int fd;
	char *buf;
	size_t len, cap; /* a line that isn't whole yet stands at the front */
	u64 total;
	bool end;
};

int route_file_parse(const char *text, size_t len, const char *name, const struct dwcp_config *cfg,
		     struct route_list *ret_list, struct config_errors *errors)
{
	struct route_parser p;
	int rc = route_parser_init(&p, len, name, cfg, errors);

	if (!rc) {
		route_parser_feed(&p, text, len);
		rc = route_parser_end(&p, ret_list);
	}
	route_parser_fini(&p);
	return rc;
}

/* A line may be longer than a piece. */
static int reader_reserve(struct reader *r)
{
	size_t cap = r->cap ? 2 * r->cap : PIECE_BYTES;
	char *grown;

	if (r->len < r->cap)
		return 0;
	grown = realloc(r->buf, cap);
	if (!grown)
		return -ENOMEM;
	r->buf = grown;
	r->cap = cap;
	return 0;
}

static int reader_fill(struct reader *r)
{
	ssize_t got;
	int rc = reader_reserve(r);

	while (!rc && r->len < r->cap) {
		got = read(r->fd, r->buf + r->len, r->cap - r->len);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		r->end = !got;
		if (r->end)
			break;
		r->len += (size_t)got;
		r->total += (size_t)got;
		rc = r->total > ROUTE_FILE_MAX_BYTES ? -EFBIG : 0;
	}
	return rc;
}

/* How much of the buffer is whole lines. */
static size_t reader_lines(const struct reader *r)
{
	const char *last = r->end ? NULL : memrchr(r->buf, '\n', r->len);

	if (r->end)
		return r->len;
	return last ? (size_t)(last + 1 - r->buf) : 0;
}

static int file_feed(struct reader *r, struct route_parser *p)
{
	size_t whole;
	int rc = 0;

	while (!rc && !r->end && !p->rc) {
		rc = reader_fill(r);
		if (rc)
			break;
		whole = reader_lines(r);
		route_parser_feed(p, r->buf, whole);
		r->len -= whole;
		memmove(r->buf, r->buf + whole, r->len);
	}
	return rc;
}

int route_file_load(const char *path, const struct dwcp_config *cfg, struct route_list *ret_list,
		    struct config_errors *errors)
{
	struct route_parser p = {0};
	struct reader r = {0};
	u64 size;
	int rc = file_open(path, &r.fd, &size);

	if (!rc && size > ROUTE_FILE_MAX_BYTES)
		rc = -EFBIG;
	if (!rc) {
		rc = route_parser_init(&p, size, path, cfg, errors);
		rc = rc ? rc : file_feed(&r, &p);
	}
	if (rc)
		config_errors_add(errors, "%s: %s", path,
				  rc == -EINVAL ? "expected a regular file" : strerror(-rc));
	else
		rc = route_parser_end(&p, ret_list);
	route_parser_fini(&p);
	free(r.buf);
	if (r.fd >= 0)
		close(r.fd);
	return rc;
}
