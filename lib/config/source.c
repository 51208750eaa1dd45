/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.c - expand @include, keep a map of lines, refuse what libconfig would misread in silence.
 * The lexer here knows just enough of libconfig's grammar (comments, strings, words, brackets) to agree with it on
 * what is code. Runs on the caller's thread; must never block on a device or a FIFO. The other half is config.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include "source.h"

#define SOURCE_MAX_BYTES   (64u << 20)
#define SOURCE_MAX_DEPTH   10
#define SOURCE_MAX_FILES   1000
#define SOURCE_MAX_NESTING 64	/* brackets; libconfig's parser and tree walk recurse on them */
#define SOURCE_MAX_KEYS	   1000 /* in one group; libconfig looks for each among all before it */

struct input {
	char *owned; /* NULL: the caller's text */
	const char *text;
	size_t len, at;
	u32 file, line;
	char *dir;
	dev_t dev;
	ino_t ino;
};

struct expansion {
	struct source *out;
	struct config_errors *errors;
	XXH3_state_t *hash;
	struct input stack[SOURCE_MAX_DEPTH];
	u32 depth, nesting;
	u32 n_keys[SOURCE_MAX_NESTING + 1]; /* of the open group of each nesting */
	int rc;
};

int file_open(const char *path, int *ret_fd, u64 *ret_size)
{
	struct stat st;
	int rc, fd;

	*ret_fd = -1;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	rc = fstat(fd, &st) ? -errno : S_ISDIR(st.st_mode) ? -EISDIR : 0;
	if (!rc && !S_ISREG(st.st_mode))
		rc = -EINVAL;
	if (rc) {
		close(fd);
		return rc;
	}
	*ret_fd = fd;
	*ret_size = (u64)st.st_size;
	return 0;
}

int file_read(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len)
{
	char *text = NULL, *grown;
	size_t len = 0, cap = 0;
	ssize_t got;
	u64 size;
	int rc, fd;

	rc = file_open(path, &fd, &size);
	if (rc)
		return rc;
	cap = (size_t)DWCP_MIN(size, max_bytes) + 2;
	for (;;) {
		if (!text || len + 1 >= cap) {
			cap = text ? cap * 2 : cap;
			grown = realloc(text, cap);
			rc = grown ? 0 : -ENOMEM;
			if (rc)
				goto fail;
			text = grown;
		}
		got = read(fd, text + len, cap - len - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		len += (size_t)got;
		rc = len > max_bytes ? -EFBIG : 0;
		if (rc)
			goto fail;
	}
	rc = got < 0 ? -errno : 0;
	if (rc)
		goto fail;
	close(fd);
	text[len] = 0;
	*ret_text = text;
	*ret_len = len;
	return 0;
fail:
	close(fd);
	free(text);
	return rc;
}

static void expansion_fail(struct expansion *x, u32 line, const char *what)
{
	const struct input *in = &x->stack[x->depth - 1];

	config_errors_add(x->errors, "%s:%u: %s", x->out->files[in->file], line, what);
	x->rc = -EINVAL;
}

static int array_reserve(void **array, u32 n, u32 *cap, size_t bytes)
{
	u32 want = *cap ? *cap * 2 : 16;
	void *grown;

	if (n < *cap)
		return 0;
	grown = realloc(*array, want * bytes);
	if (!grown)
		return -ENOMEM;
	*array = grown;
	*cap = want;
	return 0;
}

static void emit(struct expansion *x, const char *bytes, size_t n)
{
	struct source *s = x->out;
	size_t cap = s->cap;
	char *grown;
	size_t i;

	while (cap - s->len <= n)
		cap = cap ? cap * 2 : 4096;
	if (cap != s->cap) {
		grown = realloc(s->text, cap);
		if (!grown) {
			x->rc = -ENOMEM;
			return;
		}
		s->text = grown;
		s->cap = cap;
	}
	memcpy(s->text + s->len, bytes, n);
	s->len += n;
	s->text[s->len] = 0;
	for (i = 0; i < n; i++)
		s->n_lines += bytes[i] == '\n';
}

/* From the next byte of the output on, lines are those of the topmost input. */
static void segment_add(struct expansion *x)
{
	struct source *s = x->out;
	const struct input *in = &x->stack[x->depth - 1];

	if (array_reserve((void **)&s->segments, s->n_segments, &s->cap_segments,
			  sizeof(*s->segments))) {
		x->rc = -ENOMEM;
		return;
	}
	if (s->len)
		emit(x, "\n", 1);
	s->segments[s->n_segments++] = (struct source_segment){s->n_lines + 1, in->file, in->line};
}

static int input_push(struct expansion *x, const char *name, struct input in)
{
	struct source *s = x->out;

	if (array_reserve((void **)&s->files, s->n_files, &s->cap_files, sizeof(*s->files)))
		return -ENOMEM;
	s->files[s->n_files] = strdup(name);
	if (!s->files[s->n_files])
		return -ENOMEM;
	in.file = s->n_files++;
	in.line = 1;
	x->stack[x->depth++] = in;
	XXH3_64bits_update(x->hash, in.text, in.len);
	segment_add(x);
	return x->rc;
}

static void input_pop(struct expansion *x)
{
	struct input *in = &x->stack[--x->depth];

	free(in->owned);
	free(in->dir);
	if (x->depth && !x->rc)
		segment_add(x);
}

static bool include_loops(const struct expansion *x, const struct stat *st)
{
	u32 i;

	for (i = 0; i < x->depth; i++)
		if (x->stack[i].ino == st->st_ino && x->stack[i].dev == st->st_dev)
			return true;
	return false;
}

/* "a.conf includes b.conf includes a.conf" */
static void include_loop_report(struct expansion *x, const char *path, u32 line)
{
	char text[1024];
	size_t at = 0;
	u32 i;

	for (i = 0; i < x->depth && at < sizeof(text); i++)
		at += (size_t)snprintf(text + at, sizeof(text) - at, "%s includes ",
				       x->out->files[x->stack[i].file]);
	if (at < sizeof(text))
		snprintf(text + at, sizeof(text) - at, "%s", path);
	config_errors_add(x->errors, "%s:%u: @include: expected no loop, got: %s",
			  x->out->files[x->stack[x->depth - 1].file], line, text);
	x->rc = -EINVAL;
}

static const char *include_refusal(const struct expansion *x)
{
	if (!x->stack[0].dir)
		return "@include: not allowed in a text that has no directory";
	if (x->depth == SOURCE_MAX_DEPTH)
		return "@include: expected at most 10 files deep";
	if (x->out->n_files == SOURCE_MAX_FILES)
		return "@include: expected at most 1000 files";
	return NULL;
}

static char *dir_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
}

static void include_path(struct expansion *x, char *path, u32 line)
{
	const char *parent = x->out->files[x->stack[x->depth - 1].file];
	struct input in = {0};
	u32 depth = x->depth;
	struct stat st = {0};
	int rc;

	if (!stat(path, &st) && include_loops(x, &st)) {
		include_loop_report(x, path, line);
		return;
	}
	rc = file_read(path, SOURCE_MAX_BYTES - x->out->len, &in.owned, &in.len);
	if (rc) {
		config_errors_add(x->errors, "%s:%u: @include \"%s\": %s", parent, line, path,
				  rc == -EINVAL ? "expected a regular file" : strerror(-rc));
		x->rc = rc == -ENOMEM ? rc : -EINVAL;
		return;
	}
	in.text = in.owned;
	in.dev = st.st_dev;
	in.ino = st.st_ino;
	in.dir = dir_of(path);
	if (memchr(in.text, 0, in.len)) {
		config_errors_add(x->errors, "%s: expected text, got a NUL byte", path);
		x->rc = -EINVAL;
	} else {
		x->rc = in.dir ? input_push(x, path, in) : -ENOMEM;
	}
	if (x->depth == depth) { /* not pushed: still ours */
		free(in.owned);
		free(in.dir);
	}
}

/* After @include: blanks, "name". */
static void include_directive(struct expansion *x, struct input *in)
{
	const char *p = in->text + in->at + strlen("@include"), *end = in->text + in->len, *quote;
	const char *refusal = include_refusal(x);
	u32 line = in->line;
	char *path = NULL;
	int n = -1;

	while (p < end && (*p == ' ' || *p == '\t'))
		p++;
	quote = p < end && *p == '"' ? memchr(p + 1, '"', (size_t)(end - p - 1)) : NULL;
	if (!quote || memchr(p, '\n', (size_t)(quote - p)) || quote == p + 1) {
		expansion_fail(x, line, "@include: expected a file name in quotes");
		return;
	}
	if (refusal) {
		expansion_fail(x, line, refusal);
		return;
	}
	p++;
	if (*p == '/')
		n = asprintf(&path, "%.*s", (int)(quote - p), p);
	else
		n = asprintf(&path, "%s/%.*s", in->dir, (int)(quote - p), p);
	if (n < 0) {
		x->rc = -ENOMEM;
		return;
	}
	in->at = (size_t)(quote + 1 - in->text);
	include_path(x, path, line);
	free(path);
}

/* Emits @n bytes of the input. */
static void take(struct expansion *x, struct input *in, size_t n)
{
	size_t i;

	emit(x, in->text + in->at, n);
	for (i = 0; i < n; i++)
		in->line += in->text[in->at + i] == '\n';
	in->at += n;
}

static void take_string(struct expansion *x, struct input *in)
{
	const char *p = in->text + in->at + 1, *end = in->text + in->len;
	u32 line = in->line;

	for (; p < end && *p != '"'; p++) {
		if (*p != '\\' || p + 1 == end)
			continue;
		p++;
		if ((*p | 0x20) == 'x' && end - p > 2 && p[1] == '0' && p[2] == '0') {
			expansion_fail(x, line, "expected a string without NUL, got \\x00 in it");
			return;
		}
	}
	if (p >= end) {
		expansion_fail(x, line, "expected a closing quote for the string that starts here");
		return;
	}
	take(x, in, (size_t)(p + 1 - (in->text + in->at)));
}

static void take_comment(struct expansion *x, struct input *in)
{
	const char *p = in->text + in->at, *end = in->text + in->len, *stop;

	if (p[0] == '/' && p[1] == '*') {
		stop = memmem(p + 2, (size_t)(end - p - 2), "*/", 2);
		if (!stop) {
			expansion_fail(x, in->line, "expected */ for the comment that starts here");
			return;
		}
		take(x, in, (size_t)(stop + 2 - p));
		return;
	}
	stop = memchr(p, '\n', (size_t)(end - p));
	take(x, in, (size_t)((stop ? stop : end) - p));
}

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || c == '_' ||
	       c == '*' || c == '.' || c == '+' || c == '-';
}

/* Names, numbers, true/false. A decimal that may not fit 32 bits is marked as 64-bit. */
static void take_word(struct expansion *x, struct input *in)
{
	const char *p = in->text + in->at, *end = in->text + in->len, *q = p, *digits;

	while (q < end && is_word(*q))
		q++;
	digits = p + (*p == '-' || *p == '+');
	for (p = digits; p < q && *p >= '0' && *p <= '9'; p++)
		;
	take(x, in, (size_t)(q - (in->text + in->at)));
	if (p == q && p - digits > 9)
		emit(x, "L", 1);
}

static void take_punctuation(struct expansion *x, struct input *in, char c)
{
	if (c == '{' || c == '(' || c == '[') {
		if (++x->nesting > SOURCE_MAX_NESTING) {
			expansion_fail(x, in->line, "expected at most 64 nested brackets");
			return;
		}
		x->n_keys[x->nesting] = 0;
	} else if ((c == '}' || c == ')' || c == ']') && x->nesting) {
		x->nesting--;
	} else if ((c == '=' || c == ':') && ++x->n_keys[x->nesting] > SOURCE_MAX_KEYS) {
		expansion_fail(x, in->line, "expected at most 1000 keys in a group");
		return;
	}
	take(x, in, 1);
}

static bool line_is_blank_before(const struct input *in)
{
	const char *p = in->text + in->at;

	while (p > in->text && (p[-1] == ' ' || p[-1] == '\t'))
		p--;
	return p == in->text || p[-1] == '\n';
}

static void take_token(struct expansion *x, struct input *in)
{
	const char *p = in->text + in->at;
	size_t left = in->len - in->at;
	char c = *p;

	if (c == '@') {
		if (left >= 8 && !memcmp(p, "@include", 8) && line_is_blank_before(in))
			include_directive(x, in);
		else
			expansion_fail(x, in->line,
				       "expected @include \"file\" at the start of a line");
	} else if (c == '"') {
		take_string(x, in);
	} else if (c == '#' || (c == '/' && left > 1 && (p[1] == '/' || p[1] == '*'))) {
		take_comment(x, in);
	} else if (is_word(c)) {
		take_word(x, in);
	} else {
		take_punctuation(x, in, c);
	}
	if (!x->rc && x->out->len > SOURCE_MAX_BYTES)
		expansion_fail(x, x->stack[x->depth - 1].line,
			       "expected at most 64 MB with all includes");
}

static int expansion_run(struct expansion *x)
{
	struct input *in;

	while (x->depth) {
		in = &x->stack[x->depth - 1];
		while (!x->rc && in->at < in->len && in == &x->stack[x->depth - 1])
			take_token(x, in);
		if (x->rc || (x->depth && in == &x->stack[x->depth - 1]))
			input_pop(x);
	}
	return x->rc;
}

int source_load(struct source *s, const char *text, size_t len, const char *name, const char *dir,
		struct config_errors *errors)
{
	struct expansion x = {.out = s, .errors = errors};
	struct input in = {.text = text, .len = len};
	struct stat st;
	const char *nul;
	u32 line = 1;

	*s = (struct source){0};
	nul = memchr(text, 0, len);
	if (nul || len > SOURCE_MAX_BYTES) {
		for (; nul && text < nul; text++)
			line += *text == '\n';
		config_errors_add(errors, "%s:%u: expected %s", name, line,
				  nul ? "text, got a NUL byte" : "at most 64 MB");
		return -EINVAL;
	}
	if (!stat(name, &st)) {
		in.dev = st.st_dev;
		in.ino = st.st_ino;
	}
	x.hash = XXH3_createState();
	in.dir = dir ? strdup(dir) : NULL;
	if (!x.hash || (dir && !in.dir)) {
		XXH3_freeState(x.hash);
		free(in.dir);
		return -ENOMEM;
	}
	XXH3_64bits_reset(x.hash);
	emit(&x, "", 0);
	if (!x.rc)
		x.rc = input_push(&x, name, in);
	if (x.rc && !x.depth)
		free(in.dir);
	expansion_run(&x);
	s->hash = XXH3_64bits_digest(x.hash);
	XXH3_freeState(x.hash);
	return x.rc;
}

void source_fini(struct source *s)
{
	u32 i;

	for (i = 0; i < s->n_files; i++)
		free(s->files[i]);
	free(s->files);
	free(s->segments);
	free(s->text);
	*s = (struct source){0};
}

const char *source_where(const struct source *s, u32 line, u32 *ret_line)
{
	u32 lo = 0, hi = s->n_segments, mid;

	while (hi - lo > 1) {
		mid = (lo + hi) / 2;
		if (s->segments[mid].first_line <= line)
			lo = mid;
		else
			hi = mid;
	}
	*ret_line = s->segments[lo].file_line + (line - s->segments[lo].first_line);
	return s->files[s->segments[lo].file];
}
