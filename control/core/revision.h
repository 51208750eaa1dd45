/* SPDX-License-Identifier: BSD-3-Clause */
/* revision.h - a mutation carries the revision of the intent that it was planned on. */
#pragma once

#include <dwcp/base.h>

enum revision_verdict {
	REVISION_OK,
	REVISION_MISSING, /* no If-Match: 428 */
	REVISION_STALE,	  /* somebody was faster: 412 */
};

/** revision_check() - @if_match: the header's value without quotes, or NULL; `*` does not count as one. */
enum revision_verdict revision_check(u64 current, const char *if_match);
