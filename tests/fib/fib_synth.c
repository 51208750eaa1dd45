/* SPDX-License-Identifier: BSD-3-Clause */
/* fib_synth.c - see fib_synth.h. */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fib_synth.h"
#include <dwcp/endian.h>

/* Prefixes of each length in a full Internet table, counted. */
static const u32 dist4[33] = {
	[8] = 16,     [9] = 13,	     [10] = 38,	   [11] = 103,	 [12] = 299,
	[13] = 581,   [14] = 1203,   [15] = 2100,  [16] = 13490, [17] = 8235,
	[18] = 13798, [19] = 24870,  [20] = 42611, [21] = 50750, [22] = 108623,
	[23] = 96510, [24] = 537698, [25] = 20,	   [26] = 3,	 [27] = 11,
	[28] = 18,    [29] = 17,     [30] = 3,	   [31] = 3,	 [32] = 886,
};

static const u32 dist6[129] = {
	[19] = 1,    [20] = 16,	   [21] = 3,	[22] = 7,     [23] = 8,	   [24] = 30,
	[25] = 8,    [26] = 15,	   [27] = 20,	[28] = 193,   [29] = 4371, [30] = 650,
	[31] = 284,  [32] = 22548, [33] = 2926, [34] = 2603,  [35] = 1043, [36] = 5996,
	[37] = 880,  [38] = 1617,  [39] = 1377, [40] = 13418, [41] = 903,  [42] = 2301,
	[43] = 1001, [44] = 14365, [45] = 1553, [46] = 3039,  [47] = 3153, [48] = 75488,
	[49] = 11,   [50] = 3,	   [52] = 1,	[55] = 1,     [56] = 24,   [58] = 20,
	[60] = 2,    [64] = 184,   [112] = 2,	[122] = 1,    [124] = 4,   [125] = 9,
	[126] = 19,  [127] = 42,   [128] = 6,
};

/* How many blocks of some sizes a full table divides further: prefixes cluster in them. */
enum {
	N4_16 = 34000,
	N4_18 = 110000,
	N4_20 = 250000,
	N6_32 = 11500,
	N6_38 = 21000,
	N6_44 = 28000,
};

struct blocks {
	u64 v4_16[N4_16], v4_18[N4_18], v4_20[N4_20];
	u64 v6_32[N6_32], v6_38[N6_38], v6_44[N6_44];
};

static int prefix_cmp(const void *a, const void *b)
{
	const struct fib_prefix *x = a, *y = b;

	if (x->family != y->family)
		return x->family < y->family ? -1 : 1;
	if (x->addr.hi != y->addr.hi)
		return x->addr.hi < y->addr.hi ? -1 : 1;
	if (x->addr.lo != y->addr.lo)
		return x->addr.lo < y->addr.lo ? -1 : 1;
	return (int)x->len - (int)y->len;
}

/* Sort, drop duplicates, count the families. */
static void prefixes_settle(struct fib_synth *s, u32 n)
{
	u32 kept = 0;

	qsort(s->prefix, n, sizeof(*s->prefix), prefix_cmp);
	s->n4 = s->n6 = 0;
	for (u32 i = 0; i < n; i++) {
		if (kept && prefix_cmp(&s->prefix[kept - 1], &s->prefix[i]) == 0)
			continue;
		s->prefix[kept++] = s->prefix[i];
		if (s->prefix[i].family == FIB_IP4)
			s->n4++;
		else
			s->n6++;
	}
}

static u64 mask_hi(u32 len)
{
	return len == 0 ? 0 : len >= 64 ? ~0ull : ~0ull << (64 - len);
}

static void addr_cut(struct fib_addr *a, u32 len)
{
	a->hi &= mask_hi(len);
	a->lo &= len <= 64 ? 0 : mask_hi(len - 64);
}

/* ---- generated ----------------------------------------------------------------------------------------- */

/* Squaring a uniform number is skewed enough: sites are numbered from below. */
static u32 skewed_below(struct fib_rng *rng, u32 n)
{
	u64 u = fib_rng_next(rng) >> 32;

	return (u * u >> 32) * n >> 32;
}

/* Unicast space only, so that the unrouted parts are unrouted here too. */
static u64 block4(struct fib_rng *rng)
{
	u32 a;

	do {
		a = 1 + fib_rng_below(rng, 223);
	} while (a == 10 || a == 127);
	return (u64)a << 24 | (u64)fib_rng_below(rng, 256) << 16;
}

static u64 block6(struct fib_rng *rng)
{
	static const u32 top[] = {0x2001, 0x2400, 0x2401, 0x2402, 0x2403, 0x2404, 0x2405, 0x2406,
				  0x2407, 0x2600, 0x2602, 0x2604, 0x2605, 0x2606, 0x2607, 0x2800,
				  0x2801, 0x2803, 0x2804, 0x2a00, 0x2a01, 0x2a02, 0x2a03, 0x2a04,
				  0x2a05, 0x2a06, 0x2a07, 0x2a09, 0x2a0a, 0x2a0b, 0x2a0c, 0x2a0d,
				  0x2a0e, 0x2a0f, 0x2a10, 0x2a11, 0x2a12, 0x2a13, 0x2c0f};
	u64 a = (u64)top[fib_rng_below(rng, DWCP_ARRAY_LEN(top))] << 48;

	return a | (u64)skewed_below(rng, 65536) << 32;
}

/* @n blocks inside random ones of @from: @bits more bits that end at bit @shift. */
static void blocks_divide(struct fib_rng *rng, const u64 *from, u32 n_from, u32 bits, u32 shift,
			  u64 *ret, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		/* One draw a statement: operands have no order, and a seed must mean one table. */
		ret[i] = from[fib_rng_below(rng, n_from)];
		ret[i] |= (u64)fib_rng_below(rng, 1u << bits) << shift;
	}
}

static void blocks_fill(struct fib_rng *rng, struct blocks *b)
{
	for (u32 i = 0; i < N4_16; i++)
		b->v4_16[i] = block4(rng);
	for (u32 i = 0; i < N6_32; i++)
		b->v6_32[i] = block6(rng);
	blocks_divide(rng, b->v4_16, N4_16, 2, 14, b->v4_18, N4_18);
	blocks_divide(rng, b->v4_18, N4_18, 2, 12, b->v4_20, N4_20);
	blocks_divide(rng, b->v6_32, N6_32, 6, 26, b->v6_38, N6_38);
	blocks_divide(rng, b->v6_38, N6_38, 6, 20, b->v6_44, N6_44);
}

static struct fib_prefix make4(struct fib_rng *rng, const struct blocks *b, u32 len)
{
	struct fib_prefix p = {.family = FIB_IP4, .len = len};
	u32 low = (u32)fib_rng_next(rng);
	u64 a;

	if (len > 20)
		a = b->v4_20[fib_rng_below(rng, N4_20)] | low >> 20;
	else if (len > 18)
		a = b->v4_18[fib_rng_below(rng, N4_18)] | low >> 18;
	else
		a = b->v4_16[fib_rng_below(rng, N4_16)] | low >> 16;
	p.addr.lo = len ? a & ~0u << (32 - len) : 0;
	return p;
}

static struct fib_prefix make6(struct fib_rng *rng, const struct blocks *b, u32 len)
{
	struct fib_prefix p = {.family = FIB_IP6, .len = len};
	u64 low = fib_rng_next(rng);

	if (len > 44)
		p.addr.hi = b->v6_44[fib_rng_below(rng, N6_44)] | low >> 44;
	else if (len > 38)
		p.addr.hi = b->v6_38[fib_rng_below(rng, N6_38)] | low >> 38;
	else if (len > 32)
		p.addr.hi = b->v6_32[fib_rng_below(rng, N6_32)] | low >> 32;
	else
		p.addr.hi = block6(rng);
	p.addr.lo = fib_rng_next(rng);
	addr_cut(&p.addr, len);
	return p;
}

/* What of @want comes to length @len, when the whole distribution sums to @sum. */
static u32 share(u32 count, u32 want, u32 sum)
{
	return ((u64)count * want + sum / 2) / sum;
}

static u32 dist_sum(const u32 *dist, u32 n)
{
	u32 sum = 0;

	for (u32 i = 0; i < n; i++)
		sum += dist[i];
	return sum;
}

/* Prefixes of (family, len) that are still missing, appended. Return: the new count. */
static u32 lengths_fill(struct fib_synth *s, struct fib_rng *rng, const struct blocks *b, u32 n4,
			u32 n6)
{
	u32 sum4 = dist_sum(dist4, 33), sum6 = dist_sum(dist6, 129);
	u32 have4[129] = {0}, have6[129] = {0};
	u32 n = s->n4 + s->n6;

	for (u32 i = 0; i < n; i++) {
		u32 *have = s->prefix[i].family == FIB_IP4 ? have4 : have6;

		have[s->prefix[i].len]++;
	}
	for (u32 len = 0; len <= 32; len++) {
		for (u32 i = have4[len]; i < share(dist4[len], n4, sum4); i++)
			s->prefix[n++] = make4(rng, b, len);
	}
	for (u32 len = 0; len <= 128; len++) {
		for (u32 i = have6[len]; i < share(dist6[len], n6, sum6); i++)
			s->prefix[n++] = make6(rng, b, len);
	}
	return n;
}

/* Few prefixes are drawn twice after the first pass; a handful stay missing after the fourth. */
#define FILL_PASSES 4

int fib_synth_generate(u64 seed, u32 n4, u32 n6, struct fib_synth *ret)
{
	struct fib_synth s = {.source = "synthetic"};
	struct fib_rng rng = {seed};
	struct blocks *b = malloc(sizeof(*b));

	/* Rounding adds at most one a length. */
	s.prefix = calloc((size_t)n4 + n6 + 33 + 129, sizeof(*s.prefix));
	if (!b || !s.prefix) {
		free(b);
		free(s.prefix);
		return -ENOMEM;
	}
	blocks_fill(&rng, b);
	for (u32 pass = 0; pass < FILL_PASSES; pass++)
		prefixes_settle(&s, lengths_fill(&s, &rng, b, n4, n6));
	free(b);
	*ret = s;
	return 0;
}

/* ---- from a file --------------------------------------------------------------------------------------- */

static int line_parse(char *line, struct fib_prefix *ret)
{
	struct fib_prefix p = {0};
	char *slash = strchr(line, '/'), *end;
	u8 raw[16];
	long len;

	if (!slash)
		return -EINVAL;
	*slash = '\0';
	len = strtol(slash + 1, &end, 10);
	if (end == slash + 1 || (*end && !strchr("\r\n", *end)) || len < 0 || len > 128)
		return -EINVAL;
	p.len = len;
	if (strchr(line, ':')) {
		if (inet_pton(AF_INET6, line, raw) != 1)
			return -EINVAL;
		p.family = FIB_IP6;
		p.addr = (struct fib_addr){be64_load(raw), be64_load(raw + 8)};
		addr_cut(&p.addr, p.len);
	} else {
		if (inet_pton(AF_INET, line, raw) != 1 || len > 32)
			return -EINVAL;
		p.family = FIB_IP4;
		p.addr.lo = len ? be32_load(raw) & ~0u << (32 - len) : 0;
	}
	*ret = p;
	return 0;
}

static int lines_read(FILE *f, struct fib_synth *s)
{
	char line[128];
	u32 n = 0, cap = 0;

	while (fgets(line, sizeof(line), f)) {
		if (strchr("\r\n#", line[0]))
			continue;
		if (n == cap) {
			u32 to = cap ? cap * 2 : 1u << 16;
			void *mem = realloc(s->prefix, to * sizeof(*s->prefix));

			if (!mem)
				return -ENOMEM;
			s->prefix = mem;
			cap = to;
		}
		if (line_parse(line, &s->prefix[n++]) != 0)
			return -EINVAL;
	}
	prefixes_settle(s, n);
	return n ? 0 : -ENOENT;
}

/* The output of gzip -dc, without a shell in between. */
static FILE *gzip_open(const char *path, pid_t *ret_pid)
{
	int fd[2];
	pid_t pid;

	if (pipe(fd) != 0)
		return NULL;
	pid = fork();
	if (pid == 0) {
		dup2(fd[1], STDOUT_FILENO);
		close(fd[0]);
		close(fd[1]);
		execlp("gzip", "gzip", "-dc", "--", path, (char *)NULL);
		_exit(127);
	}
	close(fd[1]);
	if (pid < 0) {
		close(fd[0]);
		return NULL;
	}
	*ret_pid = pid;
	return fdopen(fd[0], "r");
}

static int file_load(const char *path, struct fib_synth *ret)
{
	struct fib_synth s = {.source = path};
	const char *dot = strrchr(path, '.');
	bool packed = dot && strcmp(dot, ".gz") == 0;
	int status = 0, err;
	pid_t pid = 0;
	FILE *f;

	f = packed ? gzip_open(path, &pid) : fopen(path, "r");
	if (!f)
		return -ENOENT;
	err = lines_read(f, &s);
	fclose(f);
	if (packed && (waitpid(pid, &status, 0) != pid || status != 0) && err == 0)
		err = -EIO;
	if (err != 0) {
		free(s.prefix);
		return err;
	}
	*ret = s;
	return 0;
}

int fib_synth_load(u64 seed, struct fib_synth *ret)
{
	const char *path = getenv(FIB_SYNTH_ENV);

	if (path && *path)
		return file_load(path, ret);
	return fib_synth_generate(seed, FIB_SYNTH_N4, FIB_SYNTH_N6, ret);
}

void fib_synth_free(struct fib_synth *s)
{
	free(s->prefix);
	*s = (struct fib_synth){0};
}

struct fib_addr fib_synth_addr(const struct fib_prefix *p, struct fib_rng *rng)
{
	struct fib_addr a = {.hi = fib_rng_next(rng)}, keep;

	a.lo = fib_rng_next(rng);
	keep = a;
	if (p->family == FIB_IP4) {
		u32 mask = p->len ? ~0u << (32 - p->len) : 0;

		return (struct fib_addr){.lo = p->addr.lo | ((u32)a.lo & ~mask)};
	}
	addr_cut(&keep, p->len);
	return (struct fib_addr){p->addr.hi | (a.hi ^ keep.hi), p->addr.lo | (a.lo ^ keep.lo)};
}
