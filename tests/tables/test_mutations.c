/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_mutations.c - every byte of a table and of its manifest changed, with all hashes made right again. What is accepted
 * is used by a worker's double from exact-size copies: no fault, no answer that isn't there. Then random changes of several
 * words at once, from a seed that is printed.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "table_small.h"
#include "walk.h"

#define ALL_SEALS (F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW)
#ifdef __SANITIZE_ADDRESS__
#define N_RANDOM 4000
#else
#define N_RANDOM 20000
#endif

struct scene {
	struct segment_set *set;
	struct generation *base; /* open: the other segments are held through it */
	struct sealed x;
	struct table t;
	u64 accepted, refused;
};

static int scene_init(void **state)
{
	struct scene *sc = calloc(1, sizeof(*sc));
	char reason[GENERATION_REASON_MAX];

	assert_non_null(sc);
	sc->set = set_create_big();
	table_init_small(&sc->t);
	sealed_init(&sc->x, &sc->t, 1);
	assert_int_equal(sealed_open(sc->set, &sc->x, &small_limits, &sc->base, reason), 0);
	*state = sc;
	return 0;
}

static int scene_fini(void **state)
{
	struct scene *sc = *state;

	walk(sc->base, SMALL_N_PORTS);
	generation_close(sc->base);
	assert_int_equal(segment_set_bytes(sc->set), 0);
	segment_set_free(sc->set);
	sealed_fini(&sc->x);
	table_fini(&sc->t);
	free(sc);
	return 0;
}

/* Everything is staged; accepted or not, nothing is left behind. */
static void try_open(struct scene *sc)
{
	struct generation *g = NULL;
	char reason[GENERATION_REASON_MAX] = "";
	int fd = memfd_with(sc->x.m, sc->x.len, ALL_SEALS);

	if (generation_open(sc->set, fd, &small_limits, &g, reason) == 0) {
		walk(g, SMALL_N_PORTS);
		sc->accepted++;
	} else {
		assert_null(g);
		assert_string_not_equal(reason, "");
		sc->refused++;
	}
	generation_close(g);
	close(fd);
}

/* One segment has changed: its id, and the manifest that names it, follow. */
static void try_segment(struct scene *sc, const struct part *p, u32 at, u32 len, u32 index)
{
	struct dwcp_segment_desc *d = &sealed_segments(&sc->x)[index], old = *d;
	char reason[GENERATION_REASON_MAX];

	d->id = bytes_hash(p->bytes + at, len);
	if (segment_set_stage(sc->set, d, memfd_with(p->bytes + at, len, ALL_SEALS), reason) == 0) {
		sealed_rehash(&sc->x);
		try_open(sc);
	} else {
		sc->refused++;
	}
	segment_set_drop_staged(sc->set);
	*d = old;
}

/* Not a value it had, and each once. */
static u32 mutants_of(u8 byte, u8 *ret_values)
{
	const u8 all[] = {byte ^ 1, byte ^ 0x80, 0, 0xff, (u8)(byte + 1)};
	u32 n = 0;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(all); i++)
		if (all[i] != byte && !memchr(ret_values, all[i], n))
			ret_values[n++] = all[i];
	return n;
}

static void mutate_part(struct scene *sc, u32 part)
{
	const struct part *p = &sc->t.part[part];
	u32 index = sealed_section(&sc->x, p->section)->first_segment;

	sc->accepted = sc->refused = 0;
	for (u32 i = 0; i < p->len; i++) {
		u32 at = i / p->chunk_bytes * p->chunk_bytes;
		u8 old = p->bytes[i], value[5];
		u32 n = mutants_of(old, value);

		for (u32 k = 0; k < n; k++) {
			p->bytes[i] = value[k];
			try_segment(sc, p, at, DWCP_MIN(p->chunk_bytes, p->len - at),
				    index + i / p->chunk_bytes);
		}
		p->bytes[i] = old;
	}
	print_message("%s: %lu accepted, %lu refused\n", section_name(p->section), sc->accepted,
		      sc->refused);
	assert_true(sc->refused > 0);
}

static void every_byte_of_roots(void **state)
{
	mutate_part(*state, 0);
}

static void every_byte_of_direct(void **state)
{
	mutate_part(*state, 1);
}

static void every_byte_of_nodes(void **state)
{
	mutate_part(*state, 2);
}

static void every_byte_of_leaves(void **state)
{
	mutate_part(*state, 3);
}

static void every_byte_of_nexthops(void **state)
{
	mutate_part(*state, 4);
}

static void every_byte_of_buckets(void **state)
{
	mutate_part(*state, 5);
}

static void every_byte_of_ids(void **state)
{
	mutate_part(*state, 6);
}

static void every_byte_of_port_addrs(void **state)
{
	mutate_part(*state, 7);
}

/* What the manifest may say freely: who made it from what, and sizes that still fit. */
static bool byte_is_free(const struct sealed *x, u32 at)
{
	u32 d;

	if (at < sizeof(struct dwcp_manifest)) /* the hash: it is made anew */
		return at >= offsetof(struct dwcp_manifest, hash) &&
		       at < offsetof(struct dwcp_manifest, n_sections);
	d = (at - (u32)sizeof(struct dwcp_manifest));
	if (d >= x->m->n_sections * sizeof(struct dwcp_section_desc))
		return false;
	d %= sizeof(struct dwcp_section_desc);
	return (d >= offsetof(struct dwcp_section_desc, n_elements) &&
		d < offsetof(struct dwcp_section_desc, first_segment)) ||
	       (d >= offsetof(struct dwcp_section_desc, chunk_bytes) &&
		d < offsetof(struct dwcp_section_desc, reserved));
}

static void every_byte_of_the_manifest(void **state)
{
	struct scene *sc = *state;
	u8 *bytes = (u8 *)sc->x.m;

	sc->accepted = sc->refused = 0;
	for (u32 i = 0; i < sc->x.len; i++) {
		u8 old = bytes[i], value[5];
		u32 n = mutants_of(old, value);
		u64 accepted = sc->accepted;

		for (u32 k = 0; k < n; k++) {
			bytes[i] = value[k];
			sealed_rehash(&sc->x);
			try_open(sc);
		}
		bytes[i] = old;
		assert_true(sc->accepted == accepted || byte_is_free(&sc->x, i));
	}
	print_message("manifest: %lu accepted, %lu refused\n", sc->accepted, sc->refused);
	assert_true(sc->accepted > 0);
}

static void every_byte_without_its_hash_is_refused(void **state)
{
	struct scene *sc = *state;
	u8 *bytes = (u8 *)sc->x.m;

	sealed_rehash(&sc->x);
	for (u32 i = 0; i < sc->x.len; i++) {
		bytes[i] ^= 0x10;
		assert_non_null(manifest_check(bytes, sc->x.len));
		bytes[i] ^= 0x10;
	}
	assert_null(manifest_check(bytes, sc->x.len));
}

static u64 next(u64 *rng)
{
	u64 z = *rng += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

/* A word of the used part becomes another word of the table, or itself with a bit or a small step changed. */
static void mutate_word(const struct table *t, const struct part *p, u64 *rng)
{
	u32 n = (u32)(p->n_elements * p->element_bytes / 4);
	u32 *at = (u32 *)p->bytes + next(rng) % n;
	const struct part *other = &t->part[next(rng) % t->n_parts];

	switch (next(rng) % 4) {
	case 0:
		*at ^= 1u << next(rng) % 32;
		break;
	case 1:
		*at += (u32)(next(rng) % 9) - 4;
		break;
	case 2:
		*at = *((u32 *)other->bytes +
			next(rng) % (other->n_elements * other->element_bytes / 4));
		break;
	default:
		*at = (u32)next(rng) & (UINT32_MAX >> next(rng) % 32);
	}
}

static void random_words(void **state)
{
	struct scene *sc = *state;
	u64 seed = 0x5eed0001, rng = seed;

	sc->accepted = sc->refused = 0;
	for (u32 i = 0; i < N_RANDOM; i++) {
		const struct part *p = &sc->t.part[next(&rng) % sc->t.n_parts];
		u32 at = (u32)(next(&rng) % DWCP_DIV_UP(p->len, p->chunk_bytes)) * p->chunk_bytes;
		u32 index = sealed_section(&sc->x, p->section)->first_segment + at / p->chunk_bytes;
		u8 *old = malloc(p->len);

		assert_non_null(old);
		memcpy(old, p->bytes, p->len);
		for (u32 k = 0; k <= next(&rng) % 4; k++)
			mutate_word(&sc->t, p, &rng);
		try_segment(sc, p, at, DWCP_MIN(p->chunk_bytes, p->len - at), index);
		memcpy(p->bytes, old, p->len);
		free(old);
	}
	print_message("seed %#lx: %lu accepted, %lu refused\n", seed, sc->accepted, sc->refused);
	assert_true(sc->accepted > 0 && sc->refused > 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(every_byte_of_roots, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_of_direct, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_of_nodes, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_of_leaves, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_of_nexthops, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_of_buckets, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_of_ids, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_of_port_addrs, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_of_the_manifest, scene_init, scene_fini),
		cmocka_unit_test_setup_teardown(every_byte_without_its_hash_is_refused, scene_init,
						scene_fini),
		cmocka_unit_test_setup_teardown(random_words, scene_init, scene_fini),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
