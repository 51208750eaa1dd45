/* SPDX-License-Identifier: BSD-3-Clause */
/* stats.c - ports, stats, drops and exceptions: straight from the dataplane's page, as the dataplane's own socket answers them. */
#include <dwcp/abi/stats.h>

#include "api.h"

void ports_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const void *page = page_get(arg, rsp);

	(void)req;
	if (page)
		rsp->body = json_pack("{s:o}", "ports", stats_ports_json(page));
}

void stats_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const void *page = page_get(arg, rsp);

	(void)req;
	if (page)
		rsp->body = json_pack("{s:I, s:o, s:o, s:o}", "tsc_hz",
				      (json_int_t)((const struct dwcp_stats_hdr *)page)->tsc_hz,
				      "workers", stats_workers_json(page), "accounting",
				      stats_accounting_json(page), "icmp", stats_icmp_json(page));
}

void drops_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const void *page = page_get(arg, rsp);

	(void)req;
	if (page)
		rsp->body = stats_drops_json(page);
}

void exceptions_get(void *arg, const struct http_request *req, struct http_response *rsp)
{
	const void *page = page_get(arg, rsp);

	(void)req;
	if (page)
		rsp->body = stats_exceptions_json(page);
}
