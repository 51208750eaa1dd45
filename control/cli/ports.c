/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ports.c - `ports`: link, address and counters of every port; below them what the XDP program of each AF_XDP port says.
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

static const struct render_column xdp_columns[] = {
	{.key = "name", .header = "XDP"},
	{.key = "xdp.seen", .header = "SEEN", .kind = RENDER_COUNT},
	{.key = "xdp.redirected", .header = "TO SOCKETS", .kind = RENDER_COUNT},
	{.key = "xdp.lost", .header = "LOST THERE", .kind = RENDER_COUNT},
	{.key = "xdp.dropped", .header = "MALFORMED", .kind = RENDER_COUNT},
	{.key = "xdp.no_socket", .header = "NO SOCKET", .kind = RENDER_COUNT},
	{.key = "xdp.native", .header = "NATIVE", .kind = RENDER_YES, .rank = 1},
};

static int ports_xdp(const struct cli *cli, const json_t *ports)
{
	json_t *rows = json_array(), *port;
	int rc = CLI_OK;
	size_t i;

	json_array_foreach (ports, i, port)
		if (json_object_get(port, "xdp"))
			json_array_append(rows, port);
	if (json_array_size(rows)) {
		putchar('\n');
		rc = render_table(cli, xdp_columns, DWCP_ARRAY_LEN(xdp_columns), rows, "");
	}
	json_decref(rows);
	return rc;
}

int ports_run(struct cli *cli)
{
	struct client_reply reply;
	int rc = client_get(cli, &reply, "/v1/ports");
	const json_t *ports;

	if (rc != CLI_OK)
		return rc;
	ports = json_object_get(reply.body, "ports");
	if (cli->json)
		rc = render_json(reply.body, false);
	else
		rc = render_table(cli, columns, DWCP_ARRAY_LEN(columns), ports, "no ports");
	if (rc == CLI_OK && !cli->json)
		rc = ports_xdp(cli, ports);
	client_reply_fini(&reply);
	return rc;
}
