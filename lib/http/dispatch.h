/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <dwcp/util/http.h>

/* An answer that is still owed. Freed by http_complete(), always called once. */
struct http_deferred {
	struct http_response rsp;  /* when it came before the handler returned */
	bool completed, abandoned; /* abandoned: the client has gone */
	void (*send)(struct http_deferred *d,
		     const struct http_response *rsp); /* NULL = not yet waiting */
	void *transport;
};
