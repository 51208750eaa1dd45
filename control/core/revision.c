/* SPDX-License-Identifier: BSD-3-Clause */
#include "revision.h"

enum revision_verdict revision_check(u64 current, const char *if_match)
{
	u64 v = 0;

	if (!if_match || !*if_match)
		return REVISION_MISSING;
	for (const char *c = if_match; *c; c++) {
		u64 digit = (u64)(*c - '0');

		if (*c < '0' || *c > '9' || v > (UINT64_MAX - digit) / 10)
			return REVISION_STALE; /* not a revision that ever was */
		v = v * 10 + digit;
	}
	return v == current ? REVISION_OK : REVISION_STALE;
}
