/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_hash.c - the keyed hash of addresses, as a table of the block section uses it: half full, entries of each
 * pattern that sources come in must stand within DWCP_HASH_MAX_PROBES whatever the salt.
 *
 *	test_hash            all patterns; exit 1 if one needs more probes
 *	test_hash weak       the same with the low half of one product: must fail, or the patterns prove nothing
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/abi/tables.h>

#define LOG2_SIZE 16
#define SIZE	  (1u << LOG2_SIZE)
#define N_ENTRIES (SIZE / 2)
#define N_SALTS	  32

static bool used[1 + SIZE];

static u64 (*hash)(const u8 addr[16], const u64 salt[2]);

static u64 hash_real(const u8 addr[16], const u64 salt[2])
{
	return dwcp_addr_hash(addr, salt);
}

static u64 hash_weak(const u8 addr[16], const u64 salt[2])
{
	u64 half[2];

	memcpy(half, addr, sizeof(half));
	return (half[0] ^ salt[0]) * (half[1] ^ salt[1]);
}

static u64 random_next(u64 *state)
{
	u64 z = *state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static void ip4_put(u8 addr[16], u32 a)
{
	memset(addr, 0, 10);
	memset(addr + 10, 0xff, 2);
	for (u32 i = 0; i < 4; i++)
		addr[12 + i] = (u8)(a >> (24 - 8 * i));
}

static void ip4_neighbours(u8 addr[16], u32 i)
{
	ip4_put(addr, 0x0a000000 + i);
}

static void ip4_one_a_net(u8 addr[16], u32 i)
{
	ip4_put(addr, i << 16 | 1);
}

static void ip4_one_a_24(u8 addr[16], u32 i)
{
	ip4_put(addr, 0x20000000 + (i << 8));
}

static void ip6_hosts(u8 addr[16], u32 i)
{
	memset(addr, 0, 16);
	memcpy(addr, "\x20\x01\x0d\xb8", 4);
	addr[14] = (u8)(i >> 8);
	addr[15] = (u8)i;
}

static void ip6_networks(u8 addr[16], u32 i)
{
	memset(addr, 0, 16);
	memcpy(addr, "\x20\x01\x0d\xb8", 4);
	addr[4] = (u8)(i >> 8);
	addr[5] = (u8)i;
}

static void ip6_both(u8 addr[16], u32 i)
{
	ip6_hosts(addr, i & 0xff);
	addr[6] = (u8)(i >> 8);
}

static const struct pattern {
	const char *name;
	void (*put)(u8 addr[16], u32 i);
} patterns[] = {
	{"IPv4 neighbours", ip4_neighbours}, {"IPv4, one a /16", ip4_one_a_net},
	{"IPv4, one a /24", ip4_one_a_24},   {"IPv6 hosts", ip6_hosts},
	{"IPv6 networks", ip6_networks},     {"IPv6 hosts of networks", ip6_both},
};

/* Return: the most elements looked at for one entry, or DWCP_HASH_MAX_PROBES + 1 when one didn't fit. */
static u32 table_fill(const struct pattern *p, const u64 salt[2])
{
	u32 worst = 0;

	memset(used, 0, sizeof(used));
	for (u32 i = 0; i < N_ENTRIES; i++) {
		u32 probe = 0;
		u8 addr[16];
		u64 h;

		p->put(addr, i);
		h = hash(addr, salt);
		while (probe < DWCP_HASH_MAX_PROBES &&
		       used[dwcp_hash_position(h, LOG2_SIZE, probe)])
			probe++;
		if (probe == DWCP_HASH_MAX_PROBES)
			return DWCP_HASH_MAX_PROBES + 1;
		used[dwcp_hash_position(h, LOG2_SIZE, probe)] = true;
		worst = DWCP_MAX(worst, probe + 1);
	}
	return worst;
}

/* A salt that doesn't fit is drawn anew by the agent: one in N_SALTS may, a pattern that often does is a weakness. */
static bool pattern_holds(const struct pattern *p)
{
	u32 worst = 0, n_failed = 0;
	u64 state = 1;

	for (u32 i = 0; i < N_SALTS; i++) {
		u64 salt[2] = {random_next(&state) | 1, random_next(&state) | 1};
		u32 n = table_fill(p, salt);

		if (n > DWCP_HASH_MAX_PROBES)
			n_failed++;
		else
			worst = DWCP_MAX(worst, n);
	}
	printf("%s: at most %u probes, %u of %u salts drawn again\n", p->name, worst, n_failed,
	       N_SALTS);
	return n_failed <= 1;
}

/* The header is never probed, and the walk comes back to the first element behind it. */
static bool positions_hold(void)
{
	return dwcp_hash_position(SIZE - 1, LOG2_SIZE, 0) == SIZE &&
	       dwcp_hash_position(SIZE - 1, LOG2_SIZE, 1) == 1 &&
	       dwcp_hash_position(UINT64_MAX, LOG2_SIZE, 1) == 1 &&
	       dwcp_hash_position(12345, 0, 63) == 1;
}

int main(int argc, char **argv)
{
	bool good = positions_hold();

	hash = argc > 1 && strcmp(argv[1], "weak") == 0 ? hash_weak : hash_real;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(patterns); i++)
		good &= pattern_holds(&patterns[i]);
	return good ? EXIT_SUCCESS : EXIT_FAILURE;
}
