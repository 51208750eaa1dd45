/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash.c - XXH3-64 of table bytes, never 0. The header's own inline form: hashing in pieces needs the state's layout.
 */
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <dwcp/abi/tables.h>

#include "hash.h"

static u64 never_zero(u64 h)
{
	return h ? h : 1;
}

u64 table_hash(const void *bytes, size_t len)
{
	return never_zero(XXH3_64bits(bytes, len));
}

u64 table_hash_parts(const void *head, size_t head_len, const void *rest, size_t rest_len)
{
	XXH3_state_t state;

	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, head, head_len);
	XXH3_64bits_update(&state, rest, rest_len);
	return never_zero(XXH3_64bits_digest(&state));
}

u64 table_hash_padded(const void *bytes, size_t len, size_t padded)
{
	static const u8 zeros[DWCP_SEGMENT_ALIGN];
	XXH3_state_t state;

	if (len == padded)
		return table_hash(bytes, len);
	XXH3_64bits_reset(&state);
	XXH3_64bits_update(&state, bytes, len);
	for (size_t n; len < padded; len += n) {
		n = DWCP_MIN(padded - len, sizeof(zeros));
		XXH3_64bits_update(&state, zeros, n);
	}
	return never_zero(XXH3_64bits_digest(&state));
}
