/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c - reason tokens of the table checks, and how a refusal reads: token first, then where.
 */
#include <stdio.h>

#include <dwcp/util/generation.h>

#include "check.h"

const char *const gen_check_token[GEN_N_CHECKS] = {[GEN_NONE] = "none",
#define X(name, text) [GEN_##name] = text,
						   GEN_CHECKS(X)
#undef X
};

#ifdef GEN_CHECK_TESTED
enum gen_check gen_check_off;
#endif

int refusal_set(struct refusal *r, enum gen_check check, int ret)
{
	r->token = gen_check_token[check];
	return ret;
}

int refusal_set_errno(struct refusal *r, const char *token, int err)
{
	r->token = token;
	r->err = err;
	return -err;
}

void refusal_format(const struct refusal *r, char *ret_reason)
{
	char where[64] = "";
	size_t n = 0;

	if (r->section)
		n += (size_t)snprintf(where, sizeof(where), " section=%s",
				      section_name(r->section));
	if (r->in_segment)
		n += (size_t)snprintf(where + n, sizeof(where) - n, " segment=%u", r->segment);
	if (r->in_element)
		n += (size_t)snprintf(where + n, sizeof(where) - n, " element=%u", r->element);
	if (r->err)
		snprintf(where + n, sizeof(where) - n, " errno=%d", r->err);
	/* the token always fits whole; a long place is cut */
	snprintf(ret_reason, GENERATION_REASON_MAX, "%s%s%s%s", r->token ? r->token : "none",
		 r->detail ? " what=" : "", r->detail ? r->detail : "", where);
}
