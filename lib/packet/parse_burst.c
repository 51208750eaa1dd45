/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse_burst.c - parse_burst4() for CPUs with AVX2: headers of eight frames turned into columns, then every check of
 * parse_ip4_fast() and pkt_forward_check4() on eight packets at once. Any thread; no state.
 *
 * Three 16-byte loads a frame and a 4 × 4 transposition of each: bytes 0, 14 and 30 are chosen so that every field that is
 * compared is whole within a column. TCP's flags are a fourth, loaded only when there is TCP among the eight.
 */
#include <dwcp/util/parse_burst.h>
#include <dwcp/util/parse_inline.h>

static u64 parse_burst4_none(const struct parse_cfg *cfg, const u8 *const *frame,
			     const u32 *seg_len, u32 n, struct pkt_columns *ret)
{
	return 0;
}

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET	    __attribute__((target("avx2")))
#define inline_here TARGET static inline __attribute__((always_inline))
#define LANES	    8u
#define TAIL_MIN    3u /* one or two are cheaper one by one */

struct columns {
	__m256i c0, c1, c2, c3;
};

/* The 32-bit words at @at, @at + 4, + 8, + 12 of eight frames. */
inline_here struct columns columns_load(const u8 *const *frame, u32 at)
{
	__m256i y[4], t[4];

	for (u32 i = 0; i < 4; i++)
		y[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(
						       (const __m128i *)(frame[i] + at))),
					       _mm_loadu_si128(
						       (const __m128i *)(frame[i + 4] + at)),
					       1);
	t[0] = _mm256_unpacklo_epi32(y[0], y[1]);
	t[1] = _mm256_unpacklo_epi32(y[2], y[3]);
	t[2] = _mm256_unpackhi_epi32(y[0], y[1]);
	t[3] = _mm256_unpackhi_epi32(y[2], y[3]);
	return (struct columns){_mm256_unpacklo_epi64(t[0], t[1]),
				_mm256_unpackhi_epi64(t[0], t[1]),
				_mm256_unpacklo_epi64(t[2], t[3]),
				_mm256_unpackhi_epi64(t[2], t[3])};
}

inline_here __m256i word_load(const u8 *const *frame, u32 at)
{
	return _mm256_setr_epi32((int)checksum_load32(frame[0] + at),
				 (int)checksum_load32(frame[1] + at),
				 (int)checksum_load32(frame[2] + at),
				 (int)checksum_load32(frame[3] + at),
				 (int)checksum_load32(frame[4] + at),
				 (int)checksum_load32(frame[5] + at),
				 (int)checksum_load32(frame[6] + at),
				 (int)checksum_load32(frame[7] + at));
}

inline_here __m256i and32(__m256i v, u32 mask)
{
	return _mm256_and_si256(v, _mm256_set1_epi32((int)mask));
}

inline_here __m256i equals32(__m256i v, u32 x)
{
	return _mm256_cmpeq_epi32(v, _mm256_set1_epi32((int)x));
}

/* All values compared are below 2^31. */
inline_here __m256i above32(__m256i v, __m256i bound)
{
	return _mm256_cmpgt_epi32(v, bound);
}

inline_here __m256i bswap32(__m256i v)
{
	const __m256i order =
		_mm256_setr_epi8(3, 2, 1, 0, 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12, 3, 2, 1, 0,
				 7, 6, 5, 4, 11, 10, 9, 8, 15, 14, 13, 12);

	return _mm256_shuffle_epi8(v, order);
}

/* The low two bytes of each word are a big-endian number. */
inline_here __m256i be16_low(__m256i v)
{
	const char z = (char)0x80;
	const __m256i order = _mm256_setr_epi8(1, 0, z, z, 5, 4, z, z, 9, 8, z, z, 13, 12, z, z, 1,
					       0, z, z, 5, 4, z, z, 9, 8, z, z, 13, 12, z, z);

	return _mm256_shuffle_epi8(v, order);
}

/* Ours; on a promiscuous port any that is no group. */
inline_here __m256i mac_bad(const struct parse_cfg *cfg, __m256i lo, __m256i hi)
{
	__m256i differ =
		_mm256_or_si256(_mm256_xor_si256(lo,
						 _mm256_set1_epi32((int)checksum_load32(cfg->mac))),
				_mm256_xor_si256(and32(hi, 0xffff),
						 _mm256_set1_epi32(cfg->mac[4] | cfg->mac[5]
											 << 8)));
	__m256i same = _mm256_cmpeq_epi32(differ, _mm256_setzero_si256());

	if (cfg->promiscuous)
		return _mm256_andnot_si256(same, equals32(and32(lo, 1), 1));
	return _mm256_xor_si256(same, _mm256_set1_epi32(-1));
}

/* @addr in host order: 0/8, 224/4 and above, 127/8, 169.254/16. */
inline_here __m256i addr_bad(__m256i addr)
{
	__m256i top = _mm256_srli_epi32(addr, 24);
	__m256i bad = equals32(top, 0);

	bad = _mm256_or_si256(bad, above32(top, _mm256_set1_epi32(223)));
	bad = _mm256_or_si256(bad, equals32(top, 127));
	return _mm256_or_si256(bad, equals32(_mm256_srli_epi32(addr, 16), 0xa9fe));
}

inline_here __m256i halves_add(__m256i sum, __m256i v)
{
	return _mm256_add_epi32(sum, _mm256_add_epi32(and32(v, 0xffff), _mm256_srli_epi32(v, 16)));
}

/* One's complement sum of the ten halves, which is 0xffff when the checksum is right. */
inline_here __m256i checksum_bad(struct columns ip, __m256i dst)
{
	__m256i sum = halves_add(_mm256_setzero_si256(), ip.c0);

	sum = halves_add(sum, ip.c1);
	sum = halves_add(sum, ip.c2);
	sum = halves_add(sum, ip.c3);
	sum = halves_add(sum, dst);
	sum = halves_add(_mm256_setzero_si256(), sum);
	sum = halves_add(_mm256_setzero_si256(), sum);
	return _mm256_xor_si256(equals32(sum, 0xffff), _mm256_set1_epi32(-1));
}

/* RFC 1624, equation 3, as ip4_ttl_decrement(): ~(~checksum + 0xfffe), carry going round; TTL is the low byte. */
inline_here __m256i ttl_word_decrement(__m256i w)
{
	__m256i sum =
		_mm256_add_epi32(_mm256_srli_epi32(_mm256_xor_si256(w, _mm256_set1_epi32(-1)), 16),
				 _mm256_set1_epi32(0xfffe));

	sum = halves_add(_mm256_setzero_si256(), sum);
	sum = _mm256_slli_epi32(_mm256_xor_si256(sum, _mm256_set1_epi32(-1)), 16);
	return _mm256_or_si256(sum, _mm256_sub_epi32(and32(w, 0xffff), _mm256_set1_epi32(1)));
}

/* @room: bytes behind the IP header. Bad unless TCP with a whole header and possible flags, or UDP with a whole length. */
inline_here __m256i l4_bad(const u8 *const *frame, __m256i protocol, __m256i word38, __m256i room)
{
	__m256i udp = equals32(protocol, IP_PROTO_UDP), tcp = equals32(protocol, IP_PROTO_TCP);
	__m256i len = be16_low(word38), bad, tcp_bad, word46, flags;

	bad = _mm256_or_si256(above32(_mm256_set1_epi32(UDP_HDR_BYTES), len), above32(len, room));
	bad = _mm256_or_si256(bad, _mm256_xor_si256(udp, _mm256_set1_epi32(-1)));
	if (!_mm256_movemask_epi8(tcp))
		return bad;
	word46 = word_load(frame, ETH_HDR_BYTES + IP4_HDR_BYTES + 12);
	len = _mm256_slli_epi32(_mm256_srli_epi32(and32(word46, 0xf0), 4), 2);
	flags = and32(_mm256_srli_epi32(word46, 8), 0x3f);
	tcp_bad =
		_mm256_or_si256(above32(_mm256_set1_epi32(TCP_HDR_BYTES), len), above32(len, room));
	tcp_bad = _mm256_or_si256(tcp_bad, equals32(flags, 0));
	/* SYN with FIN or RST */
	tcp_bad = _mm256_or_si256(tcp_bad,
				  _mm256_andnot_si256(equals32(and32(flags, TCP_FIN | TCP_RST), 0),
						      equals32(and32(flags, TCP_SYN), TCP_SYN)));
	return _mm256_blendv_epi8(bad, tcp_bad, tcp);
}

inline_here u32 parse_eight(const struct parse_cfg *cfg, const u8 *const *frame, const u32 *seg_len,
			    struct pkt_columns *ret, u32 at)
{
	struct columns eth = columns_load(frame, 0), ip, l4;
	__m256i seg = _mm256_loadu_si256((const __m256i *)seg_len), ip_len, src, dst, bad;
	/* EtherType, version and IHL: 08 00 45 */
	__m256i other = _mm256_xor_si256(and32(eth.c3, 0xffffff), _mm256_set1_epi32(0x450008));

	if (!_mm256_movemask_epi8(equals32(other, 0)))
		return 0; /* eight of IPv6, say */
	ip = columns_load(frame, 14);
	l4 = columns_load(frame, 30);
	ip_len = be16_low(_mm256_srli_epi32(ip.c0, 16));
	src = bswap32(ip.c3);
	dst = bswap32(l4.c0);
	bad = _mm256_or_si256(mac_bad(cfg, eth.c0, eth.c1), other);
	bad = _mm256_or_si256(bad, and32(ip.c1, 0xff3f0000));
	bad = _mm256_or_si256(bad,
			      above32(_mm256_add_epi32(ip_len, _mm256_set1_epi32(ETH_HDR_BYTES)),
				      seg));
	bad = _mm256_or_si256(bad, addr_bad(src));
	bad = _mm256_or_si256(bad, addr_bad(dst));
	bad = _mm256_or_si256(bad, above32(_mm256_set1_epi32(2), and32(ip.c2, 0xff)));
	bad = _mm256_or_si256(bad, checksum_bad(ip, l4.c0));
	bad = _mm256_or_si256(bad,
			      l4_bad(frame, and32(_mm256_srli_epi32(ip.c2, 8), 0xff), l4.c2,
				     _mm256_sub_epi32(ip_len, _mm256_set1_epi32(IP4_HDR_BYTES))));
	_mm256_storeu_si256((__m256i *)&ret->dst4[at], dst);
	_mm256_storeu_si256((__m256i *)&ret->src4[at], src);
	_mm256_storeu_si256((__m256i *)&ret->ports[at], l4.c1);
	_mm256_storeu_si256((__m256i *)&ret->ttl_word[at], ttl_word_decrement(ip.c2));
	return (u32)_mm256_movemask_ps(_mm256_castsi256_ps(equals32(bad, 0)));
}

/* Loads reach byte 50: frames too short for them are none of ours. */
TARGET static bool long_enough(const u32 *seg_len)
{
	u32 ok = 1;

	for (u32 i = 0; i < LANES; i++)
		ok &= seg_len[i] >= ETH_HDR_BYTES + IP4_HDR_BYTES + TCP_HDR_BYTES;
	return ok;
}

/* Fewer than eight: the last one fills the places that are left, and its answers there are not looked at. */
TARGET static u64 parse_tail(const struct parse_cfg *cfg, const u8 *const *frame,
			     const u32 *seg_len, u32 n, struct pkt_columns *ret, u32 at)
{
	const u8 *eight[LANES];
	u32 lens[LANES];

	for (u32 i = 0; i < LANES; i++) {
		eight[i] = frame[DWCP_MIN(i, n - 1)];
		lens[i] = seg_len[DWCP_MIN(i, n - 1)];
	}
	if (!long_enough(lens))
		return 0;
	return parse_eight(cfg, eight, lens, ret, at) & ((1u << n) - 1);
}

TARGET static u64 parse_burst4_avx2(const struct parse_cfg *cfg, const u8 *const *frame,
				    const u32 *seg_len, u32 n, struct pkt_columns *ret)
{
	u64 common = 0;
	u32 at;

	for (at = 0; at + LANES <= n; at += LANES) {
		if (dwcp_likely(long_enough(seg_len + at)))
			common |= (u64)parse_eight(cfg, frame + at, seg_len + at, ret, at) << at;
	}
	if (n - at >= TAIL_MIN)
		common |= parse_tail(cfg, frame + at, seg_len + at, n - at, ret, at) << at;
	return common;
}
#endif

static u64 (*chosen)(const struct parse_cfg *, const u8 *const *, const u32 *, u32,
		     struct pkt_columns *) = parse_burst4_none;

/* Before main(), as fib/lookup.c. */
__attribute__((constructor)) static void variant_choose(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		chosen = parse_burst4_avx2;
#endif
}

u64 parse_burst4(const struct parse_cfg *cfg, const u8 *const *frame, const u32 *seg_len, u32 n,
		 struct pkt_columns *ret)
{
	return chosen(cfg, frame, seg_len, n, ret);
}
