/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * avx2.c - the lookup for CPUs with 256-bit vectors. Worker threads; no state.
 *
 * Like avx512.c with four keys a vector and eight vectors. There are no masks and no population count: bit 63 of an
 * element, which says that it is a node, is itself the gather's mask, and bits are counted by table. What is left
 * of a burst goes through the scalar code.
 *
 * IPv4 in a large table is two loads a key, a direct element and a leaf, and almost nothing more. There plain loads replace
 * the gathers, which are slow on these CPUs, and the halves of eight elements are two vectors.
 */
#include "scalar.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET	    __attribute__((target("avx2,bmi,bmi2,lzcnt,popcnt")))
#define LANES	    4u
#define VECTORS	    8u
#define BURST	    (LANES * VECTORS)

#define inline_here TARGET static inline __attribute__((always_inline))

/* Keys of one vector on their way down. */
struct lanes {
	__m256i not_key; /* inverted: the 64 bits that decide now, the next slice on top */
	__m256i element;
};

inline_here __m256i popcount(__m256i x)
{
	const __m256i count = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1,
					       1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i nibble = _mm256_set1_epi8(15);
	__m256i low = _mm256_shuffle_epi8(count, _mm256_and_si256(x, nibble));
	__m256i high =
		_mm256_shuffle_epi8(count, _mm256_and_si256(_mm256_srli_epi64(x, 4), nibble));

	return _mm256_sad_epu8(_mm256_add_epi8(low, high), _mm256_setzero_si256());
}

/* Where @yes has bit 63 set, @b, else @a. */
inline_here __m256i choose(__m256i a, __m256i b, __m256i yes)
{
	return _mm256_castpd_si256(_mm256_blendv_pd(_mm256_castsi256_pd(a), _mm256_castsi256_pd(b),
						    _mm256_castsi256_pd(yes)));
}

inline_here void step(const struct fib_view *v, struct lanes *l)
{
	const __m256i node = _mm256_set1_epi64x((s64)(uintptr_t)v->node - 8);
	const __m256i leaf = _mm256_set1_epi64x((s64)(uintptr_t)v->leaf - 8);
	__m256i e = l->element;
	__m256i up = _mm256_or_si256(_mm256_srli_epi64(l->not_key, 64 - DWCP_FIB_STRIDE),
				     _mm256_set1_epi64x(32));
	__m256i k = popcount(_mm256_srlv_epi64(e, up));
	__m256i at = _mm256_add_epi64(_mm256_and_si256(e, _mm256_set1_epi64x(DWCP_FIB_INDEX)), k);
	/* The 64 bits that end with content at - 1, in either array. */
	__m256i in_node = _mm256_add_epi64(node, _mm256_slli_epi64(at, 3));
	__m256i in_leaf = _mm256_add_epi64(leaf, _mm256_slli_epi64(at, 2));
	__m256i from = choose(in_node, in_leaf, _mm256_slli_epi64(e, 32));
	__m256i next = _mm256_mask_i64gather_epi64(e, NULL, from, e, 1);
	/* 32 for lanes that come from the leaf array: bits 63 and 31. */
	__m256i both = _mm256_and_si256(_mm256_srli_epi64(e, 58), _mm256_srli_epi64(e, 26));

	l->element = _mm256_srlv_epi64(next, _mm256_and_si256(both, _mm256_set1_epi64x(32)));
	l->not_key = _mm256_slli_epi64(l->not_key, DWCP_FIB_STRIDE);
}

inline_here bool any_on(const struct lanes *l)
{
	__m256i any = l[0].element;

	for (u32 j = 1; j < VECTORS; j++)
		any = _mm256_or_si256(any, l[j].element);
	return _mm256_movemask_pd(_mm256_castsi256_pd(any));
}

inline_here void descend(const struct fib_view *v, struct lanes *l, u32 n_levels)
{
	for (u32 level = 0; level < n_levels && any_on(l); level++) {
		for (u32 j = 0; j < VECTORS; j++)
			step(v, &l[j]);
	}
}

/* @key: [VECTORS] first 64 bits. */
inline_here void start(const struct fib_view *v, const struct dwcp_fib_root *root, struct lanes *l,
		       const __m256i *key)
{
	const __m128i bits = _mm_cvtsi32_si128(root->direct_bits),
		      rest = _mm_cvtsi32_si128(64 - root->direct_bits);
	const long long *direct = (const void *)(v->direct + root->direct_base);

	for (u32 j = 0; j < VECTORS; j++) {
		l[j].element = _mm256_i64gather_epi64(direct, _mm256_srl_epi64(key[j], rest), 8);
		l[j].not_key =
			_mm256_sll_epi64(_mm256_xor_si256(key[j], _mm256_set1_epi64x(-1)), bits);
	}
}

/* What is a node past the end of the address comes from no builder: no route. */
inline_here void finish(const struct lanes *l, u32 *ret_slot)
{
	const __m256i even = _mm256_setr_epi32(0, 2, 4, 6, 0, 2, 4, 6);

	for (u32 j = 0; j < VECTORS; j++) {
		__m256i on = _mm256_cmpgt_epi64(_mm256_setzero_si256(), l[j].element);
		__m256i slot =
			_mm256_permutevar8x32_epi32(_mm256_andnot_si256(on, l[j].element), even);

		_mm_storeu_si128((__m128i *)(ret_slot + j * LANES), _mm256_castsi256_si128(slot));
	}
}

/* ---- IPv4 in a large table: two loads, seldom more ------------------------------------------------------- */

#define FLAT_LANES 8u
#define FLAT_KEYS  32u
#define FLAT_BITS  19 /* a table whose second step ends at /24 */

/* Eight elements, their halves apart. */
struct flat8 {
	__m256i bitmap; /* bit 31: a node */
	__m256i index;	/* bit 31: of leaves; or the slot */
};

inline_here __m256i elements4(const u64 *direct, u32 a, u32 b, u32 c, u32 d)
{
	__m128d ab = _mm_loadh_pd(_mm_load_sd((const double *)&direct[a]),
				  (const double *)&direct[b]),
		cd = _mm_loadh_pd(_mm_load_sd((const double *)&direct[c]),
				  (const double *)&direct[d]);

	return _mm256_castpd_si256(_mm256_insertf128_pd(_mm256_castpd128_pd256(ab), cd, 1));
}

inline_here struct flat8 flat8_load(const u64 *direct, u32 rest, const u32 *dst)
{
	__m256 a = _mm256_castsi256_ps(elements4(direct, dst[0] >> rest, dst[1] >> rest,
						 dst[4] >> rest, dst[5] >> rest)),
	       b = _mm256_castsi256_ps(elements4(direct, dst[2] >> rest, dst[3] >> rest,
						 dst[6] >> rest, dst[7] >> rest));

	return (struct flat8){
		.bitmap = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)),
		.index = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)),
	};
}

inline_here __m256i popcount32(__m256i x)
{
	const __m256i count = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1,
					       1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4);
	const __m256i nibble = _mm256_set1_epi8(15);
	__m256i low = _mm256_shuffle_epi8(count, _mm256_and_si256(x, nibble));
	__m256i high =
		_mm256_shuffle_epi8(count, _mm256_and_si256(_mm256_srli_epi32(x, 4), nibble));
	__m256i bytes = _mm256_add_epi8(low, high);

	return _mm256_madd_epi16(_mm256_maddubs_epi16(bytes, _mm256_set1_epi8(1)),
				 _mm256_set1_epi16(1));
}

/* The words of @leaf at eight places. */
inline_here __m256i leaves_load(const u32 *leaf, __m256i at)
{
	__m128i a = _mm256_castsi256_si128(at), b = _mm256_extracti128_si256(at, 1), x, y;

	x = _mm_cvtsi32_si128((s32)leaf[(u32)_mm_cvtsi128_si32(a)]);
	y = _mm_cvtsi32_si128((s32)leaf[(u32)_mm_cvtsi128_si32(b)]);
	x = _mm_insert_epi32(x, (s32)leaf[(u32)_mm_extract_epi32(a, 1)], 1);
	y = _mm_insert_epi32(y, (s32)leaf[(u32)_mm_extract_epi32(b, 1)], 1);
	x = _mm_insert_epi32(x, (s32)leaf[(u32)_mm_extract_epi32(a, 2)], 2);
	y = _mm_insert_epi32(y, (s32)leaf[(u32)_mm_extract_epi32(b, 2)], 2);
	x = _mm_insert_epi32(x, (s32)leaf[(u32)_mm_extract_epi32(a, 3)], 3);
	y = _mm_insert_epi32(y, (s32)leaf[(u32)_mm_extract_epi32(b, 3)], 3);
	return _mm256_inserti128_si256(_mm256_castsi128_si256(x), y, 1);
}

/* Slots of eight keys. Return: bit i: key i goes on in the node array. */
inline_here u32 flat8_finish(const u32 *leaf, u32 rest, struct flat8 e, const u32 *dst,
			     u32 *ret_slot)
{
	const __m128i after = _mm_cvtsi32_si128((int)rest - DWCP_FIB_STRIDE);
	__m256i key = _mm256_loadu_si256((const __m256i *)dst);
	/* 31 - slice */
	__m256i up = _mm256_andnot_si256(_mm256_srl_epi32(key, after),
					 _mm256_set1_epi32((1 << DWCP_FIB_STRIDE) - 1));
	__m256i k = popcount32(_mm256_srlv_epi32(e.bitmap, up));
	/* Of the others: whatever is there in place 0, and dropped. */
	__m256i is_leaf = _mm256_srai_epi32(_mm256_and_si256(e.bitmap, e.index), 31);
	__m256i at = _mm256_add_epi32(_mm256_and_si256(e.index, _mm256_set1_epi32(INT32_MAX)),
				      _mm256_sub_epi32(k, _mm256_set1_epi32(1)));
	__m256i slot = _mm256_blendv_epi8(e.index, leaves_load(leaf, _mm256_and_si256(at, is_leaf)),
					  is_leaf);

	_mm256_storeu_si256((__m256i *)ret_slot, slot);
	return (u32)_mm256_movemask_ps(_mm256_castsi256_ps(_mm256_andnot_si256(is_leaf, e.bitmap)));
}

inline_here void vectors4(const struct fib_view *v, const struct dwcp_fib_root *root,
			  const u32 *dst, u32 *ret_slot)
{
	struct lanes l[VECTORS];
	__m256i key[VECTORS];

	for (u32 j = 0; j < VECTORS; j++) {
		__m128i d = _mm_loadu_si128((const __m128i *)(dst + j * LANES));

		key[j] = _mm256_slli_epi64(_mm256_cvtepu32_epi64(d), 32);
	}
	start(v, root, l, key);
	descend(v, l, (32 - root->direct_bits + DWCP_FIB_STRIDE - 1) / DWCP_FIB_STRIDE);
	finish(l, ret_slot);
}

/* The keys of @deep from the start. */
TARGET static dwcp_noinline void deep4(const struct fib_view *v, const struct dwcp_fib_root *root,
				       const u32 *dst, u32 *ret_slot, u32 deep)
{
	u32 key[FLAT_KEYS], slot[FLAT_KEYS];
	u8 at[FLAT_KEYS];
	u32 n = 0;

	for (; deep; deep &= deep - 1) {
		at[n] = (u8)__builtin_ctz(deep);
		key[n] = dst[at[n]];
		n++;
	}
	lookup4(v, root, key, slot, n);
	for (u32 i = 0; i < n; i++)
		ret_slot[at[i]] = slot[i];
}

inline_here void flat4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
		       u32 *ret_slot, u32 n_keys)
{
	const u64 *direct = v->direct + root->direct_base;
	/* a table without leaves has no array of them, and place 0 is read all the same */
	const u32 *leaf = dwcp_likely(v->n_leaf) ? v->leaf : (const u32 *)direct;
	u32 rest = 32 - root->direct_bits, deep = 0;
	struct flat8 e[FLAT_KEYS / FLAT_LANES];

	for (u32 j = 0; j < n_keys / FLAT_LANES; j++)
		e[j] = flat8_load(direct, rest, dst + j * FLAT_LANES);
	for (u32 j = 0; j < n_keys / FLAT_LANES; j++)
		deep |= flat8_finish(leaf, rest, e[j], dst + j * FLAT_LANES,
				     ret_slot + j * FLAT_LANES)
			<< j * FLAT_LANES;
	if (deep)
		deep4(v, root, dst, ret_slot, deep);
}

TARGET static void lookup4_flat(const struct fib_view *v, const struct dwcp_fib_root *root,
				const u32 *dst, u32 *ret_slot, unsigned int n)
{
	for (; n >= FLAT_KEYS; n -= FLAT_KEYS, dst += FLAT_KEYS, ret_slot += FLAT_KEYS)
		flat4(v, root, dst, ret_slot, FLAT_KEYS);
	for (; n >= FLAT_LANES; n -= FLAT_LANES, dst += FLAT_LANES, ret_slot += FLAT_LANES)
		flat4(v, root, dst, ret_slot, FLAT_LANES);
	lookup4(v, root, dst, ret_slot, n);
}

TARGET void fib_lookup4_avx2(const struct fib_view *v, const struct dwcp_fib_root *root,
			     const u32 *dst, u32 *ret_slot, unsigned int n)
{
	if (dwcp_likely(root->direct_bits >= FLAT_BITS)) {
		lookup4_flat(v, root, dst, ret_slot, n);
		return;
	}
	for (; n >= BURST; n -= BURST, dst += BURST, ret_slot += BURST)
		vectors4(v, root, dst, ret_slot);
	lookup4(v, root, dst, ret_slot, n);
}

/* Four addresses taken apart. */
inline_here void halves6(const struct fib_addr *dst, __m256i *ret_hi, __m256i *ret_lo)
{
	__m256i a = _mm256_loadu_si256((const __m256i *)dst),
		b = _mm256_loadu_si256((const __m256i *)(dst + 2));

	*ret_hi = _mm256_permute4x64_epi64(_mm256_unpacklo_epi64(a, b), 0xd8);
	*ret_lo = _mm256_permute4x64_epi64(_mm256_unpackhi_epi64(a, b), 0xd8);
}

/* The 64 bits of the inverted addresses at @depth ≥ 1. */
inline_here void rewind6(struct lanes *l, const struct fib_addr *dst, u32 depth)
{
	const __m128i left = _mm_cvtsi32_si128(depth & 63),
		      right = _mm_cvtsi32_si128(64 - (depth & 63));

	for (u32 j = 0; j < VECTORS; j++) {
		__m256i hi, lo, key;

		halves6(dst + j * LANES, &hi, &lo);
		if (depth < 64)
			key = _mm256_or_si256(_mm256_sll_epi64(hi, left),
					      _mm256_srl_epi64(lo, right));
		else
			key = _mm256_sll_epi64(lo, left);
		l[j].not_key = _mm256_xor_si256(key, _mm256_set1_epi64x(-1));
	}
}

inline_here void vectors6(const struct fib_view *v, const struct dwcp_fib_root *root,
			  const struct fib_addr *dst, u32 *ret_slot)
{
	u32 depth = root->direct_bits, n_levels = (64 - depth) / DWCP_FIB_STRIDE;
	struct lanes l[VECTORS];
	__m256i key[VECTORS], lo;

	for (u32 j = 0; j < VECTORS; j++)
		halves6(dst + j * LANES, &key[j], &lo);
	start(v, root, l, key);
	descend(v, l, n_levels);
	for (depth += n_levels * DWCP_FIB_STRIDE; any_on(l) && depth < 128;
	     depth += n_levels * DWCP_FIB_STRIDE) {
		rewind6(l, dst, depth);
		n_levels = DWCP_MIN(64u, 128 - depth + DWCP_FIB_STRIDE - 1) / DWCP_FIB_STRIDE;
		descend(v, l, n_levels);
	}
	finish(l, ret_slot);
}

TARGET void fib_lookup6_avx2(const struct fib_view *v, const struct dwcp_fib_root *root,
			     const struct fib_addr *dst, u32 *ret_slot, unsigned int n)
{
	for (; n >= BURST; n -= BURST, dst += BURST, ret_slot += BURST)
		vectors6(v, root, dst, ret_slot);
	lookup6(v, root, dst, ret_slot, n);
}

bool fib_avx2_supported(void)
{
	return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
	       __builtin_cpu_supports("bmi2");
}
#endif
