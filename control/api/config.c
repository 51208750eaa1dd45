/* SPDX-License-Identifier: BSD-3-Clause */
#include <errno.h>
#include <stdio.h>

#include "api.h"

void config_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const struct agent *a = arg;
	const struct bundle *b = a->current;
	json_t *text = json_string(b->text);
	char hash[17];

	(void)req;
	snprintf(hash, sizeof(hash), "%016llx", (unsigned long long)b->cfg->hash);
	rsp->etag = a->facts.intent_revision;
	rsp->body = json_pack("{s:s, s:s, s:o}", "path", b->cfg->path, "hash", hash, "text",
			      text ? text : json_null());
}

void config_reload_post(void *arg, const struct http_request *req, struct http_response *rsp)
{
	struct agent *a = arg;
	struct http_deferred *d;

	if (a->reload.running) {
		http_error(rsp, 409, "reload_running", "try again in a second",
			   "a reload is running already");
		rsp->retry_after_s = 1;
		return;
	}
	d = defer_or_fail(req, rsp);
	if (d && reload_start(a, d) < 0) {
		struct http_response failed = {0};

		http_error(&failed, 500, "no_memory", NULL, "no memory for the reload");
		http_complete(d, &failed);
	}
}
