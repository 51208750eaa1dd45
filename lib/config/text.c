/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * text.c - addresses, prefixes, MACs as text. IPv6 is the C library's work; IPv4 is parsed here because route files
 * are mostly IPv4 and a million of them must load in a blink.
 * Pure functions, any thread. Output only on success.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <dwcp/endian.h>

#include "text.h"

u8 addr_bits(u8 family)
{
	return family == FIB_IP4 ? 32 : 128;
}

bool addr_equal(const struct fib_addr *a, const struct fib_addr *b)
{
	return a->hi == b->hi && a->lo == b->lo;
}

struct fib_addr addr_mask(u8 family, struct fib_addr a, u8 len)
{
	if (family == FIB_IP4)
		return (struct fib_addr){0, len ? a.lo & ~0ull << (32 - len) & UINT32_MAX : 0};
	if (len < 64)
		return (struct fib_addr){len ? a.hi & ~0ull << (64 - len) : 0, 0};
	return (struct fib_addr){a.hi, len == 64 ? 0 : a.lo & ~0ull << (128 - len)};
}

bool addr_covers(u8 family, struct fib_addr net, u8 len, struct fib_addr a)
{
	struct fib_addr x = addr_mask(family, net, len), y = addr_mask(family, a, len);

	return addr_equal(&x, &y);
}

int u32_parse_span(struct span s, u32 max, u32 *ret_value)
{
	u64 v = 0;
	const char *p;

	if (s.at == s.end || (s.end - s.at > 1 && *s.at == '0'))
		return -EINVAL;
	for (p = s.at; p < s.end; p++) {
		if (*p < '0' || *p > '9')
			return -EINVAL;
		if (v <= UINT32_MAX)
			v = v * 10 + (u64)(*p - '0');
	}
	if (v > max)
		return -ERANGE;
	*ret_value = (u32)v;
	return 0;
}

/* Four decimal parts without leading zeros: what inet_pton(3) takes, and nothing else. */
static int ip4_parse(struct span s, u32 *ret)
{
	const char *p = s.at;
	u32 addr = 0, part, digits;
	int i;

	for (i = 0; i < 4; i++) {
		if (i && (p == s.end || *p++ != '.'))
			return -EINVAL;
		part = 0;
		for (digits = 0; p < s.end && *p >= '0' && *p <= '9' && digits < 4; digits++) {
			if (digits && !part)
				return -EINVAL;
			part = part * 10 + (u32)(*p++ - '0');
		}
		if (!digits || part > 255)
			return -EINVAL;
		addr = addr << 8 | part;
	}
	if (p != s.end)
		return -EINVAL;
	*ret = addr;
	return 0;
}

static int ip6_parse(struct span s, struct fib_addr *ret)
{
	char text[INET6_ADDRSTRLEN];
	u8 bytes[16];
	size_t len = (size_t)(s.end - s.at);

	if (len >= sizeof(text) || memchr(s.at, 0, len))
		return -EINVAL;
	memcpy(text, s.at, len);
	text[len] = 0;
	if (inet_pton(AF_INET6, text, bytes) != 1)
		return -EINVAL;
	*ret = (struct fib_addr){be64_load(bytes), be64_load(bytes + 8)};
	return 0;
}

int addr_parse_span(struct span s, struct fib_addr *ret_addr, u8 *ret_family)
{
	struct fib_addr a = {0};
	u32 ip4;

	if (!memchr(s.at, ':', (size_t)(s.end - s.at))) {
		if (ip4_parse(s, &ip4))
			return -EINVAL;
		*ret_addr = (struct fib_addr){0, ip4};
		*ret_family = FIB_IP4;
		return 0;
	}
	if (ip6_parse(s, &a))
		return -EINVAL;
	*ret_addr = a;
	*ret_family = FIB_IP6;
	return 0;
}

int prefix_parse_span(struct span s, struct fib_prefix *ret_prefix)
{
	const char *slash = memchr(s.at, '/', (size_t)(s.end - s.at));
	struct fib_prefix p = {0};
	struct fib_addr masked;
	u32 len;

	if (addr_parse_span((struct span){s.at, slash ? slash : s.end}, &p.addr, &p.family))
		return -EINVAL;
	len = addr_bits(p.family);
	if (slash && u32_parse_span((struct span){slash + 1, s.end}, len, &len))
		return -EINVAL;
	p.len = (u8)len;
	masked = addr_mask(p.family, p.addr, p.len);
	if (!addr_equal(&masked, &p.addr)) {
		p.addr = masked;
		*ret_prefix = p;
		return -ERANGE;
	}
	*ret_prefix = p;
	return 0;
}

int addr_parse(const char *text, struct fib_addr *ret_addr, u8 *ret_family)
{
	return addr_parse_span(span_of(text), ret_addr, ret_family);
}

int prefix_parse(const char *text, struct fib_prefix *ret_prefix)
{
	struct fib_prefix p;

	if (prefix_parse_span(span_of(text), &p))
		return -EINVAL;
	*ret_prefix = p;
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

int mac_parse(const char *text, u8 ret_mac[6])
{
	u8 mac[6];
	int i, hi, lo;

	if (strlen(text) != 17)
		return -EINVAL;
	for (i = 0; i < 6; i++) {
		hi = hex_digit(text[3 * i]);
		lo = hex_digit(text[3 * i + 1]);
		if (hi < 0 || lo < 0 || text[3 * i + 2] != (i < 5 ? ':' : 0))
			return -EINVAL;
		mac[i] = (u8)(hi << 4 | lo);
	}
	memcpy(ret_mac, mac, sizeof(mac));
	return 0;
}

const char *addr_format(u8 family, const struct fib_addr *a, char *buf, size_t len)
{
	u8 bytes[16];

	if (!len)
		return buf;
	buf[0] = 0;
	if (family == FIB_IP4) {
		be32_store(bytes, (u32)a->lo);
		inet_ntop(AF_INET, bytes, buf, (socklen_t)len);
	} else if (family == FIB_IP6) {
		be32_store(bytes, (u32)(a->hi >> 32));
		be32_store(bytes + 4, (u32)a->hi);
		be32_store(bytes + 8, (u32)(a->lo >> 32));
		be32_store(bytes + 12, (u32)a->lo);
		inet_ntop(AF_INET6, bytes, buf, (socklen_t)len);
	}
	return buf;
}

const char *prefix_format(const struct fib_prefix *p, char *buf, size_t len)
{
	char addr[INET6_ADDRSTRLEN];

	snprintf(buf, len, "%s/%u", addr_format(p->family, &p->addr, addr, sizeof(addr)), p->len);
	return buf;
}

const char *mac_format(const u8 mac[6], char *buf, size_t len)
{
	snprintf(buf, len, "%02x:%02x:%02x:%02x:%02x:%02x", mac[0], mac[1], mac[2], mac[3], mac[4],
		 mac[5]);
	return buf;
}

const char *route_type_name(enum route_type t)
{
	static const char *const names[] = {"unicast", "blackhole", "unreachable", "prohibit",
					    "local"};

	return (unsigned int)t < DWCP_ARRAY_LEN(names) ? names[t] : "unknown";
}
