/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * parse_burst.c - parse_burst() for CPUs with AVX2: headers of eight frames turned into columns, then every check of
 * parse_ip4_fast() or parse_ip6_fast() and of pkt_forward_check() on eight packets at once. Any thread; no state.
 *
 * IPv4 is three 16-byte loads a frame and a 4 × 4 transposition of each: bytes 0, 14 and 30 are chosen so that every field
 * that is compared is whole within a column. IPv6's addresses are not transposed: the FIB takes them whole, and of
 * each only the first half is looked at. TCP's flags are one load more, made only when there is TCP among the eight.
 */
#include <dwcp/util/parse_burst.h>
#include <dwcp/util/parse_inline.h>

static struct parse_common parse_burst_none(const struct parse_cfg *cfg, const u8 *const *frame,
					    const u32 *seg_len, u32 from, u32 to,
					    struct pkt_columns *ret)
{
	return (struct parse_common){0};
}

#if defined(__x86_64__)
#include <immintrin.h>

#define TARGET	    __attribute__((target("avx2")))
#define inline_here TARGET static inline __attribute__((always_inline))
#define LANES	    8u

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

inline_here __m256i not(__m256i v)
{
	return _mm256_xor_si256(v, _mm256_set1_epi32(-1));
}

inline_here u32 lanes_mask(__m256i v)
{
	return (u32)_mm256_movemask_ps(_mm256_castsi256_ps(v));
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
	return not(same);
}

/* @word12: EtherType, version and IHL: 08 00 45. */
inline_here __m256i is_ip4(__m256i word12)
{
	return equals32(and32(word12, 0xffffff), 0x450008);
}

/* EtherType and version: 86 dd 6. */
inline_here __m256i is_ip6(__m256i word12)
{
	return equals32(and32(word12, 0xf0ffff), 0x60dd86);
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
	return not(equals32(sum, 0xffff));
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

/* @word: bytes 4 to 7 behind the IP header, of which there are @room. Bad unless UDP with a whole length. */
inline_here __m256i udp_bad(__m256i protocol, __m256i word, __m256i room)
{
	__m256i len = be16_low(word), bad;

	bad = _mm256_or_si256(above32(_mm256_set1_epi32(UDP_HDR_BYTES), len), above32(len, room));
	return _mm256_or_si256(bad, not(equals32(protocol, IP_PROTO_UDP)));
}

/* @word: bytes 12 to 15 of what is TCP. Bad unless the header is whole and its flags possible. */
inline_here __m256i tcp_bad(__m256i word, __m256i room)
{
	__m256i len = _mm256_slli_epi32(_mm256_srli_epi32(and32(word, 0xf0), 4), 2);
	__m256i flags = and32(_mm256_srli_epi32(word, 8), 0x3f), bad;

	bad = _mm256_or_si256(above32(_mm256_set1_epi32(TCP_HDR_BYTES), len), above32(len, room));
	bad = _mm256_or_si256(bad, equals32(flags, 0));
	/* SYN with FIN or RST */
	return _mm256_or_si256(bad,
			       _mm256_andnot_si256(equals32(and32(flags, TCP_FIN | TCP_RST), 0),
						   equals32(and32(flags, TCP_SYN), TCP_SYN)));
}

/* Eight frames, of which @lanes are IPv4 and for us. Return: bit i: common. */
inline_here u32 parse_eight4(const u8 *const *frame, const u32 *seg_len, __m256i lanes,
			     struct pkt_columns *ret, u32 at)
{
	struct columns ip = columns_load(frame, 14), l4 = columns_load(frame, 30);
	__m256i ip_len = be16_low(_mm256_srli_epi32(ip.c0, 16));
	__m256i room = _mm256_sub_epi32(ip_len, _mm256_set1_epi32(IP4_HDR_BYTES));
	__m256i protocol = and32(_mm256_srli_epi32(ip.c2, 8), 0xff);
	__m256i src = bswap32(ip.c3), dst = bswap32(l4.c0), tcp = equals32(protocol, IP_PROTO_TCP);
	__m256i good, bad, l4_bad = udp_bad(protocol, l4.c2, room);

	if (lanes_mask(tcp))
		l4_bad = _mm256_blendv_epi8(l4_bad, tcp_bad(word_load(frame, 46), room), tcp);
	bad = _mm256_or_si256(and32(ip.c1, 0xff3f0000),
			      above32(_mm256_add_epi32(ip_len, _mm256_set1_epi32(ETH_HDR_BYTES)),
				      _mm256_loadu_si256((const __m256i *)seg_len)));
	bad = _mm256_or_si256(bad, addr_bad(src));
	bad = _mm256_or_si256(bad, addr_bad(dst));
	bad = _mm256_or_si256(bad, above32(_mm256_set1_epi32(2), and32(ip.c2, 0xff)));
	bad = _mm256_or_si256(bad, checksum_bad(ip, l4.c0));
	good = _mm256_and_si256(lanes, equals32(_mm256_or_si256(bad, l4_bad), 0));
	_mm256_storeu_si256((__m256i *)&ret->dst4[at], dst);
	_mm256_storeu_si256((__m256i *)&ret->src4[at], src);
	_mm256_storeu_si256((__m256i *)&ret->ports[at], l4.c1);
	_mm256_storeu_si256((__m256i *)&ret->ttl_word[at], ttl_word_decrement(ip.c2));
	return lanes_mask(good);
}

/* What IPv6's loads reach; TCP's behind it is looked at by itself. */
#define IP6_LEAST_BYTES (ETH_HDR_BYTES + IP6_HDR_BYTES + UDP_HDR_BYTES)

/* The 32-bit words at @at and @at + 4 of eight frames. */
inline_here void words_load(const u8 *const *frame, u32 at, __m256i *ret_first, __m256i *ret_second)
{
	__m128d half[4]; /* frames 0 and 1, 2 and 3, … */
	__m256 a, b;

	for (u32 i = 0; i < 4; i++)
		/* not _mm_load_sd(): that one takes its address to be a multiple of 8 */
		half[i] = _mm_loadh_pd(_mm_castsi128_pd(_mm_loadl_epi64(
					       (const __m128i *)(frame[2 * i] + at))),
				       (const double *)(frame[2 * i + 1] + at));
	a = _mm256_castpd_ps(_mm256_insertf128_pd(_mm256_castpd128_pd256(half[0]), half[2], 1));
	b = _mm256_castpd_ps(_mm256_insertf128_pd(_mm256_castpd128_pd256(half[1]), half[3], 1));
	*ret_first = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88));
	*ret_second = _mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd));
}

/* TCP's word of those that have one; what is too short for it reads another, and is no whole TCP. */
inline_here __m256i tcp_word6_load(const u8 *const *frame, const u32 *seg_len)
{
	const u32 at = ETH_HDR_BYTES + IP6_HDR_BYTES + 12;
	const u8 *word[LANES];

	for (u32 i = 0; i < LANES; i++)
		word[i] = frame[i] + DWCP_MIN(at, seg_len[i] - 4);
	return word_load(word, 0);
}

/*
 * The addresses at @at of eight frames to @ret. Return: lanes, in the order 0 2 4 6 1 3 5 7, whose first half is neither 0
 * (unspecified, loopback, mapped) nor begins with 1111111 (multicast, link-local).
 */
inline_here __m256i addr6_take(const u8 *const *frame, u32 at, struct fib_addr *ret)
{
	const __m256i order =
		_mm256_setr_epi8(7, 6, 5, 4, 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4,
				 3, 2, 1, 0, 15, 14, 13, 12, 11, 10, 9, 8);
	/* 1 … 0xfdff… as unsigned numbers, moved to where signed ones begin */
	const __m256i move = _mm256_set1_epi64x(INT64_MAX),
		      end = _mm256_set1_epi64x(INT64_C(0x7dffffffffffffff));
	__m256i two[4], a, b;

	for (u32 i = 0; i < 4; i++) {
		two[i] = _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(
							 (const __m128i *)(frame[2 * i] + at))),
						 _mm_loadu_si128(
							 (const __m128i *)(frame[2 * i + 1] + at)),
						 1);
		two[i] = _mm256_shuffle_epi8(two[i], order);
		_mm256_storeu_si256((__m256i *)&ret[2 * i], two[i]);
	}
	a = _mm256_add_epi64(_mm256_unpacklo_epi64(two[0], two[1]), move);
	b = _mm256_add_epi64(_mm256_unpacklo_epi64(two[2], two[3]), move);
	return _mm256_castps_si256(
		_mm256_shuffle_ps(_mm256_castsi256_ps(_mm256_cmpgt_epi64(end, a)),
				  _mm256_castsi256_ps(_mm256_cmpgt_epi64(end, b)), 0x88));
}

/* The others of the eight may have been IPv4, and have theirs there. */
inline_here void lanes_store(u32 *to, __m256i v, __m256i lanes)
{
	__m256i old = _mm256_loadu_si256((const __m256i *)to);

	_mm256_storeu_si256((__m256i *)to, _mm256_blendv_epi8(old, v, lanes));
}

/* Frames of at least IP6_LEAST_BYTES, @seg as @seg_len where it matters. Return: bit i: common, if one of @lanes. */
inline_here u32 headers6(const u8 *const *frame, const u32 *seg_len, __m256i seg, __m256i lanes,
			 struct pkt_columns *ret, u32 at)
{
	const __m256i order = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
	__m256i ignored, word, ports, word58, tcp, payload, protocol, bad, l4_bad, good;

	words_load(frame, 14, &ignored, &word);
	words_load(frame, 54, &ports, &word58);
	payload = be16_low(word);
	protocol = and32(_mm256_srli_epi32(word, 16), 0xff);
	tcp = equals32(protocol, IP_PROTO_TCP);
	l4_bad = udp_bad(protocol, word58, payload);
	if (lanes_mask(tcp))
		l4_bad = _mm256_blendv_epi8(l4_bad,
					    tcp_bad(tcp_word6_load(frame, seg_len), payload), tcp);
	bad = _mm256_or_si256(not(lanes), l4_bad);
	bad = _mm256_or_si256(bad,
			      above32(_mm256_add_epi32(payload, _mm256_set1_epi32(ETH_HDR_BYTES +
										  IP6_HDR_BYTES)),
				      seg));
	bad = _mm256_or_si256(bad, above32(_mm256_set1_epi32(2), _mm256_srli_epi32(word, 24)));
	good = _mm256_and_si256(addr6_take(frame, 22, &ret->src6[at]),
				addr6_take(frame, 38, &ret->dst6[at]));
	lanes_store(&ret->ports[at], ports, lanes);
	lanes_store(&ret->ttl_word[at], _mm256_sub_epi32(word, _mm256_set1_epi32(1 << 24)), lanes);
	return lanes_mask(_mm256_andnot_si256(bad, _mm256_permutevar8x32_epi32(good, order)));
}

/* As parse_eight4(). A frame that is no IPv6, or too short, has the first that is one in its place. */
inline_here u32 parse_eight6(const u8 *const *frame, const u32 *seg_len, __m256i lanes,
			     struct pkt_columns *ret, u32 at)
{
	__m256i seg = _mm256_loadu_si256((const __m256i *)seg_len);
	u32 mask, first, lens[LANES];
	const u8 *eight[LANES];

	lanes = _mm256_and_si256(lanes, above32(seg, _mm256_set1_epi32(IP6_LEAST_BYTES - 1)));
	mask = lanes_mask(lanes);
	if (dwcp_likely(mask == 0xff))
		return headers6(frame, seg_len, seg, lanes, ret, at);
	if (mask == 0)
		return 0;
	first = (u32)__builtin_ctz(mask);
	for (u32 i = 0; i < LANES; i++) {
		u32 from = mask >> i & 1 ? i : first;

		eight[i] = frame[from];
		lens[i] = seg_len[from];
	}
	return headers6(eight, lens, seg, lanes, ret, at);
}

/* Eight frames with IPv6 among them. IPv4 comes first: the other leaves its columns alone. */
TARGET static dwcp_noinline struct parse_common parse_eight_mixed(const u8 *const *frame,
								  const u32 *seg_len,
								  __m256i lanes4, __m256i lanes6,
								  struct pkt_columns *ret, u32 at)
{
	struct parse_common common = {0};

	if (lanes_mask(lanes4))
		common.ip4 = parse_eight4(frame, seg_len, lanes4, ret, at);
	common.ip6 = parse_eight6(frame, seg_len, lanes6, ret, at);
	return common;
}

/* Eight frames, the first of which is packet @at of the burst. */
inline_here struct parse_common parse_eight(const struct parse_cfg *cfg, const u8 *const *frame,
					    const u32 *seg_len, struct pkt_columns *ret, u32 at)
{
	struct columns eth = columns_load(frame, 0);
	__m256i not_ours = mac_bad(cfg, eth.c0, eth.c1);
	__m256i lanes4 = _mm256_andnot_si256(not_ours, is_ip4(eth.c3)),
		lanes6 = _mm256_andnot_si256(not_ours, is_ip6(eth.c3));

	if (dwcp_unlikely(lanes_mask(lanes6)))
		return parse_eight_mixed(frame, seg_len, lanes4, lanes6, ret, at);
	return (struct parse_common){.ip4 = parse_eight4(frame, seg_len, lanes4, ret, at)};
}

/* Loads reach byte 50: frames too short for them are none of ours. */
inline_here bool long_enough(const u32 *seg_len)
{
	const u32 least = ETH_HDR_BYTES + IP4_HDR_BYTES + TCP_HDR_BYTES;
	__m256i seg = _mm256_loadu_si256((const __m256i *)seg_len);

	return lanes_mask(above32(seg, _mm256_set1_epi32((int)least - 1))) == 0xff;
}

/* Fewer than eight: the last one fills the places that are left, and its answers there are not looked at. */
TARGET static dwcp_noinline struct parse_common parse_tail(const struct parse_cfg *cfg,
							   const u8 *const *frame,
							   const u32 *seg_len, u32 n,
							   struct pkt_columns *ret, u32 at)
{
	const u8 *eight[LANES];
	u32 lens[LANES];
	struct parse_common common = {0};

	for (u32 i = 0; i < LANES; i++) {
		eight[i] = frame[DWCP_MIN(i, n - 1)];
		lens[i] = seg_len[DWCP_MIN(i, n - 1)];
	}
	if (long_enough(lens))
		common = parse_eight(cfg, eight, lens, ret, at);
	common.ip4 &= (1u << n) - 1;
	common.ip6 &= (1u << n) - 1;
	return common;
}

inline_here void common_add(struct parse_common *to, struct parse_common eight, u32 at)
{
	to->ip4 |= eight.ip4 << at;
	to->ip6 |= eight.ip6 << at;
}

TARGET static struct parse_common parse_burst_avx2(const struct parse_cfg *cfg,
						   const u8 *const *frame, const u32 *seg_len,
						   u32 from, u32 to, struct pkt_columns *ret)
{
	struct parse_common common = {0};
	u32 at;

	for (at = from; at + LANES <= to; at += LANES) {
		if (dwcp_likely(long_enough(seg_len + at)))
			common_add(&common, parse_eight(cfg, frame + at, seg_len + at, ret, at),
				   at);
	}
	if (to - at >= PARSE_BURST_MIN)
		common_add(&common, parse_tail(cfg, frame + at, seg_len + at, to - at, ret, at),
			   at);
	return common;
}
#endif

static struct parse_common (*chosen)(const struct parse_cfg *, const u8 *const *, const u32 *, u32,
				     u32, struct pkt_columns *) = parse_burst_none;

/* Before main(), as fib/lookup.c. */
__attribute__((constructor)) static void variant_choose(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	if (__builtin_cpu_supports("avx2"))
		chosen = parse_burst_avx2;
#endif
}

struct parse_common parse_burst(const struct parse_cfg *cfg, const u8 *const *frame,
				const u32 *seg_len, u32 from, u32 to, struct pkt_columns *ret)
{
	return chosen(cfg, frame, seg_len, from, to, ret);
}
