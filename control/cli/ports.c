/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c - `ports`: link, address and counters of every port.
 */
#include "client.h"
#include "render.h"

static const struct render_column columns[] = {
	{.key = "name", .header = "PORT"},
	{.key = "up", .header = "LINK", .kind = RENDER_UP},
	{.key = "speed_mbps", .header = "Mbit/s", .kind = RENDER_COUNT, .rank = 2},
	{.key = "mtu", .header = "MTU", .kind = RENDER_COUNT, .rank = 3},
	{.key = "rx_packets", .header = "RX PACKETS", .kind = RENDER_COUNT},
	{.key = "tx_packets", .header = "TX PACKETS", .kind = RENDER_COUNT},
	{.key = "rx_bytes", .header = "RX BYTES", .kind = RENDER_COUNT, .rank = 4},
	{.key = "tx_bytes", .header = "TX BYTES", .kind = RENDER_COUNT, .rank = 4},
	{.key = "hw.rx_missed", .header = "MISSED", .kind = RENDER_COUNT, .rank = 1},
	{.key = "link_changes", .header = "LINK CHANGES", .kind = RENDER_COUNT, .rank = 5},
	{.key = "parent", .header = "PARENT", .optional = true, .rank = 3},
	{.key = "twin.state", .header = "TWIN", .optional = true, .rank = 3},
	{.key = "mac", .header = "MAC", .rank = 6},
	{.key = "device", .header = "DEVICE", .rank = 7},
};

int ports_run(struct cli *cli)
{
	struct client_reply reply;
	int rc = client_get(cli, &reply, "/v1/ports");

	if (rc != CLI_OK)
		return rc;
	if (cli->json)
		rc = render_json(reply.body, false);
	else
		rc = render_table(cli, columns, DWCP_ARRAY_LEN(columns),
				  json_object_get(reply.body, "ports"), "no ports");
	client_reply_fini(&reply);
	return rc;
}
