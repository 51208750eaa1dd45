/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * avx512.c - the lookup for CPUs with 512-bit gathers and population counts. Worker threads; no state.
 *
 * Eight keys a vector, four vectors side by side so that their loads overlap. A lane that has its slot is masked
 * out and touches no memory; vectors are not packed anew, because most keys of a vector end at the same level
 * or one beside it.
 *
 * IPv4 in a large table is two loads, a direct element and a leaf, and almost nothing more. There the gathers
 * are replaced: eight loads take fewer operations than a gather of eight, and what bounds this code is how many
 * loads the CPU finds in its window.
 */
#include "scalar.h"

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET                                                                                     \
	__attribute__((                                                                            \
		target("avx512f,avx512vl,avx512dq,avx512bw,avx512vpopcntdq,bmi,bmi2,popcnt")))
#define LANES	    8u
#define VECTORS	    4u
#define BURST	    (LANES * VECTORS)
#define FLAT_BITS   19 /* a table whose second step ends at /24 */

#define inline_here TARGET static inline __attribute__((always_inline))

/* Keys of one vector on their way down. */
struct lanes {
	__m512i not_key; /* inverted: the 64 bits that decide now, the next slice on top */
	__m512i element;
	__mmask8 on; /* lanes whose element is a node */
};

inline_here void step(const struct fib_view *v, struct lanes *l)
{
	const __m512i node = _mm512_set1_epi64((s64)(uintptr_t)v->node),
		      leaf = _mm512_set1_epi64((s64)(uintptr_t)v->leaf);
	__m512i up = _mm512_add_epi64(_mm512_srli_epi64(l->not_key, 64 - DWCP_FIB_STRIDE),
				      _mm512_set1_epi64(32));
	__m512i k = _mm512_popcnt_epi64(_mm512_srlv_epi64(l->element, up));
	__m512i at =
		_mm512_add_epi64(_mm512_and_si512(l->element, _mm512_set1_epi64(DWCP_FIB_INDEX)),
				 k);
	__mmask8 leaves = _mm512_mask_test_epi64_mask(l->on, l->element,
						      _mm512_set1_epi64((s64)DWCP_FIB_LEAVES));
	/* The 64 bits that end with element at - 1, in either array. */
	__m512i in_node = _mm512_add_epi64(node, _mm512_slli_epi64(at, 3));
	__m512i in_leaf = _mm512_add_epi64(leaf, _mm512_slli_epi64(at, 2));
	__m512i from = _mm512_mask_blend_epi64(leaves, in_node, in_leaf);

	l->element = _mm512_mask_i64gather_epi64(l->element, l->on, from, (void *)-8, 1);
	l->element = _mm512_mask_srli_epi64(l->element, leaves, l->element, 32);
	l->on = _mm512_movepi64_mask(l->element);
	l->not_key = _mm512_slli_epi64(l->not_key, DWCP_FIB_STRIDE);
}

inline_here bool any_on(const struct lanes *l)
{
	u32 on = 0;

	for (u32 j = 0; j < VECTORS; j++)
		on |= l[j].on;
	return on;
}

/* Down to the end of the keys. What still has children there comes from no builder: no route. */
inline_here void descend(const struct fib_view *v, struct lanes *l, u32 n_levels)
{
	for (u32 level = 0; level < n_levels && any_on(l); level++) {
		for (u32 j = 0; j < VECTORS; j++)
			step(v, &l[j]);
	}
}

inline_here __mmask8 lanes_of(u32 n, u32 j)
{
	return n <= j * LANES ? 0 : n >= (j + 1) * LANES ? 0xff : (1u << (n - j * LANES)) - 1;
}

/* @key: [VECTORS] first 64 bits. */
inline_here void start(const struct fib_view *v, const struct dwcp_fib_root *root, struct lanes *l,
		       const __m512i *key, u32 n)
{
	const __m128i bits = _mm_cvtsi32_si128(root->direct_bits),
		      rest = _mm_cvtsi32_si128(64 - root->direct_bits);

	for (u32 j = 0; j < VECTORS; j++) {
		l[j].element = _mm512_mask_i64gather_epi64(_mm512_setzero_si512(), lanes_of(n, j),
							   _mm512_srl_epi64(key[j], rest),
							   v->direct + root->direct_base, 8);
		l[j].not_key =
			_mm512_sll_epi64(_mm512_xor_si512(key[j], _mm512_set1_epi64(-1)), bits);
		l[j].on = _mm512_movepi64_mask(l[j].element);
	}
}

inline_here void finish(const struct lanes *l, u32 *ret_slot, u32 n)
{
	for (u32 j = 0; j < VECTORS; j++) {
		__m256i slot = _mm512_cvtepi64_epi32(l[j].element);

		slot = _mm256_mask_mov_epi32(slot, l[j].on, _mm256_setzero_si256());
		_mm256_mask_storeu_epi32(ret_slot + j * LANES, lanes_of(n, j), slot);
	}
}

inline_here void levels4(const struct fib_view *v, const struct dwcp_fib_root *root, const u32 *dst,
			 u32 *ret_slot, u32 n)
{
	struct lanes l[VECTORS];
	__m512i key[VECTORS];

	for (u32 j = 0; j < VECTORS; j++) {
		__m256i d = _mm256_maskz_loadu_epi32(lanes_of(n, j), dst + j * LANES);

		key[j] = _mm512_slli_epi64(_mm512_cvtepu32_epi64(d), 32);
	}
	start(v, root, l, key, n);
	descend(v, l, (32 - root->direct_bits + DWCP_FIB_STRIDE - 1) / DWCP_FIB_STRIDE);
	finish(l, ret_slot, n);
}

/* ---- IPv4 by two loads -------------------------------------------------------------------------------- */

/* From this many on, keys that end further down go through the vectors again, else one by one. */
#define MANY_DEEP 8u

/* A large table, as far as its keys need it. */
struct flat {
	const u64 *direct;
	const u32 *leaf;
	u32 rest; /* bits of an address after the direct ones */
};

inline_here __m128i elements2(const u64 *a, const u64 *b)
{
	return _mm_castpd_si128(_mm_loadh_pd(_mm_load_sd((const double *)a), (const double *)b));
}

inline_here __m256i elements4(const struct flat *f, const u32 *dst)
{
	__m128i a = elements2(f->direct + (dst[0] >> f->rest), f->direct + (dst[1] >> f->rest)),
		b = elements2(f->direct + (dst[2] >> f->rest), f->direct + (dst[3] >> f->rest));

	return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
}

inline_here __m512i elements8(const struct flat *f, const u32 *dst)
{
	return _mm512_inserti64x4(_mm512_castsi256_si512(elements4(f, dst)), elements4(f, dst + 4),
				  1);
}

/* The words at four addresses. Taking these out of the vector beats storing it and loading them. */
inline_here __m128i words4(__m256i from)
{
	__m128i a = _mm256_castsi256_si128(from), b = _mm256_extracti128_si256(from, 1), w;

	w = _mm_cvtsi32_si128(*(const s32 *)_mm_cvtsi128_si64(a));
	w = _mm_insert_epi32(w, *(const s32 *)_mm_extract_epi64(a, 1), 1);
	w = _mm_insert_epi32(w, *(const s32 *)_mm_cvtsi128_si64(b), 2);
	return _mm_insert_epi32(w, *(const s32 *)_mm_extract_epi64(b, 1), 3);
}

inline_here __m256i words8(__m512i from)
{
	__m128i a = words4(_mm512_castsi512_si256(from)),
		b = words4(_mm512_extracti64x4_epi64(from, 1));

	return _mm256_inserti128_si256(_mm256_castsi128_si256(a), b, 1);
}

/* Slots of eight keys whose direct elements are @e. Return: lanes that go on in the node array. */
inline_here u32 leaves8(const struct flat *f, __m512i e, const u32 *dst, u32 *ret_slot)
{
	const __m128i after = _mm_cvtsi32_si128((int)f->rest - DWCP_FIB_STRIDE);
	const __m512i slice = _mm512_set1_epi64((1 << DWCP_FIB_STRIDE) - 1);
	__m512i key = _mm512_cvtepu32_epi64(_mm256_loadu_si256((const __m256i *)dst));
	/* 63 - slice */
	__m512i up = _mm512_xor_si512(_mm512_and_si512(_mm512_srl_epi64(key, after), slice),
				      _mm512_set1_epi64(63));
	__m512i k = _mm512_popcnt_epi64(_mm512_srlv_epi64(e, up));
	__m512i at = _mm512_add_epi64(_mm512_and_si512(e, _mm512_set1_epi64(DWCP_FIB_INDEX)), k);
	__mmask8 on = _mm512_movepi64_mask(e);
	__mmask8 leaf = _mm512_mask_test_epi64_mask(on, e, _mm512_set1_epi64((s64)DWCP_FIB_LEAVES));
	/* The other lanes read what is always there, and drop it. */
	__m512i from = _mm512_mask_add_epi64(_mm512_set1_epi64((s64)(uintptr_t)f->direct), leaf,
					     _mm512_set1_epi64((s64)(uintptr_t)f->leaf - 4),
					     _mm512_slli_epi64(at, 2));
	__m256i slot = _mm256_mask_mov_epi32(_mm512_cvtepi64_epi32(e), leaf, words8(from));

	_mm256_storeu_si256((__m256i *)ret_slot, slot);
	return on & ~leaf;
}

/* All slots are in the direct array: uniform addresses in a small table, or a default route for most. */
inline_here bool flat_ends(const __m512i *e, u32 n_vectors, u32 *ret_slot)
{
	__m512i any = e[0];

	for (u32 j = 1; j < n_vectors; j++)
		any = _mm512_or_si512(any, e[j]);
	if (_mm512_movepi64_mask(any))
		return false;
	for (u32 j = 0; j < n_vectors; j++)
		_mm256_storeu_si256((__m256i *)(ret_slot + j * LANES), _mm512_cvtepi64_epi32(e[j]));
	return true;
}

/* The keys of @deep from the start, @n ≤ 32 in all. */
TARGET static __attribute__((noinline)) void deep4(const struct fib_view *v,
						   const struct dwcp_fib_root *root, const u32 *dst,
						   u32 *ret_slot, u32 n, u32 deep)
{
	if ((u32)__builtin_popcount(deep) >= MANY_DEEP) {
		levels4(v, root, dst, ret_slot, n);
		return;
	}
	for (; deep; deep &= deep - 1) {
		u32 i = (u32)__builtin_ctz(deep);

		lookup4(v, root, dst + i, ret_slot + i, 1);
	}
}

inline_here void flat4(const struct fib_view *v, const struct dwcp_fib_root *root,
		       const struct flat *f, const u32 *dst, u32 *ret_slot, u32 n_vectors)
{
	__m512i e[VECTORS];
	u32 deep = 0;

	for (u32 j = 0; j < n_vectors; j++)
		e[j] = elements8(f, dst + j * LANES);
	if (flat_ends(e, n_vectors, ret_slot))
		return;
	for (u32 j = 0; j < n_vectors; j++)
		deep |= leaves8(f, e[j], dst + j * LANES, ret_slot + j * LANES) << j * LANES;
	if (dwcp_unlikely(deep))
		deep4(v, root, dst, ret_slot, n_vectors * LANES, deep);
}

/* @n ≤ LANES keys. */
inline_here void flat4_some(const struct fib_view *v, const struct dwcp_fib_root *root,
			    const struct flat *f, const u32 *dst, u32 *ret_slot, u32 n)
{
	_Alignas(32) u32 key[LANES], slot[LANES];

	_mm256_store_si256((__m256i *)key, _mm256_maskz_loadu_epi32(lanes_of(n, 0), dst));
	flat4(v, root, f, key, slot, 1);
	_mm256_mask_storeu_epi32(ret_slot, lanes_of(n, 0),
				 _mm256_load_si256((const __m256i *)slot));
}

TARGET static void lookup4_flat(const struct fib_view *v, const struct dwcp_fib_root *root,
				const u32 *dst, u32 *ret_slot, unsigned int n)
{
	const struct flat f = {
		.direct = v->direct + root->direct_base,
		.leaf = v->leaf,
		.rest = 32 - root->direct_bits,
	};

	for (; n >= BURST; n -= BURST, dst += BURST, ret_slot += BURST)
		flat4(v, root, &f, dst, ret_slot, VECTORS);
	for (; n >= LANES; n -= LANES, dst += LANES, ret_slot += LANES)
		flat4(v, root, &f, dst, ret_slot, 1);
	if (n)
		flat4_some(v, root, &f, dst, ret_slot, n);
}

TARGET void fib_lookup4_avx512(const struct fib_view *v, const struct dwcp_fib_root *root,
			       const u32 *dst, u32 *ret_slot, unsigned int n)
{
	if (dwcp_likely(root->direct_bits >= FLAT_BITS)) {
		lookup4_flat(v, root, dst, ret_slot, n);
		return;
	}
	for (; n >= BURST; n -= BURST, dst += BURST, ret_slot += BURST)
		levels4(v, root, dst, ret_slot, BURST);
	if (n)
		levels4(v, root, dst, ret_slot, n);
}

/* ---- IPv6 ---------------------------------------------------------------------------------------------- */

/* One half of each of the first @n addresses, 0 … LANES. */
inline_here __m512i half6(const struct fib_addr *dst, u32 n, bool low)
{
	const __m512i even = _mm512_setr_epi64(0, 2, 4, 6, 8, 10, 12, 14);
	u32 words = (1u << (2 * n)) - 1;
	__m512i a = _mm512_maskz_loadu_epi64(words & 0xff, dst),
		b = _mm512_maskz_loadu_epi64(words >> 8, dst + 4);

	return _mm512_permutex2var_epi64(a,
					 low ? _mm512_add_epi64(even, _mm512_set1_epi64(1)) : even,
					 b);
}

/* Keys in vector @j of a burst of @n. */
inline_here u32 keys_of(u32 n, u32 j)
{
	return n <= j * LANES ? 0 : DWCP_MIN(n - j * LANES, LANES);
}

/* The 64 bits of the inverted addresses at @depth. */
inline_here void rewind6(struct lanes *l, const struct fib_addr *dst, u32 n, u32 depth)
{
	const __m128i left = _mm_cvtsi32_si128(depth & 63),
		      right = _mm_cvtsi32_si128(64 - (depth & 63));

	for (u32 j = 0; j < VECTORS; j++) {
		__m512i hi = half6(dst + j * LANES, keys_of(n, j), depth >= 64);
		__m512i lo = half6(dst + j * LANES, keys_of(n, j), true);
		__m512i key = _mm512_sll_epi64(hi, left);

		if (depth < 64)
			key = _mm512_or_si512(key, _mm512_srl_epi64(lo, right));
		l[j].not_key = _mm512_xor_si512(key, _mm512_set1_epi64(-1));
	}
}

inline_here void levels6(const struct fib_view *v, const struct dwcp_fib_root *root,
			 const struct fib_addr *dst, u32 *ret_slot, u32 n)
{
	struct lanes l[VECTORS];
	__m512i key[VECTORS];
	u32 depth = root->direct_bits, n_levels = (64 - depth) / DWCP_FIB_STRIDE;

	for (u32 j = 0; j < VECTORS; j++)
		key[j] = half6(dst + j * LANES, keys_of(n, j), false);
	start(v, root, l, key, n);
	descend(v, l, n_levels);
	for (depth += n_levels * DWCP_FIB_STRIDE; any_on(l) && depth < 128;
	     depth += n_levels * DWCP_FIB_STRIDE) {
		rewind6(l, dst, n, depth);
		n_levels = DWCP_MIN(64u, 128 - depth + DWCP_FIB_STRIDE - 1) / DWCP_FIB_STRIDE;
		descend(v, l, n_levels);
	}
	finish(l, ret_slot, n);
}

TARGET void fib_lookup6_avx512(const struct fib_view *v, const struct dwcp_fib_root *root,
			       const struct fib_addr *dst, u32 *ret_slot, unsigned int n)
{
	for (; n >= BURST; n -= BURST, dst += BURST, ret_slot += BURST)
		levels6(v, root, dst, ret_slot, BURST);
	if (n)
		levels6(v, root, dst, ret_slot, n);
}

bool fib_avx512_supported(void)
{
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
	       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
	       __builtin_cpu_supports("avx512vpopcntdq");
}
#endif
