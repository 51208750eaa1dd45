/* SPDX-License-Identifier: BSD-3-Clause */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define RESPONSE_MAX (4u << 20)

int client_connect(const char *path)
{
	struct timeval tv = {CLIENT_TIMEOUT_MS / 1000, 0};
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) < 0) {
		int err = -errno;

		close(fd);
		return err;
	}
	return fd;
}

int client_send(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = send(fd, bytes, len, MSG_NOSIGNAL);

		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static size_t content_length(const char *head)
{
	const char *at = strcasestr(head, "\r\nContent-Length:");

	return at ? strtoul(at + 17, NULL, 10) : 0;
}

/* Return: bytes of the whole response once the head is complete, else 0. */
static size_t response_len(const char *buf)
{
	const char *end = strstr(buf, "\r\n\r\n");

	return end ? (size_t)(end - buf) + 4 + content_length(buf) : 0;
}

int client_read(int fd, char **ret_head, char **ret_body)
{
	char *buf = calloc(1, RESPONSE_MAX + 1), *end;
	size_t len = 0, want = 0;
	int status = -EPROTO;

	while (len < RESPONSE_MAX && (!want || len < want)) {
		/* one byte at a time up to the end of the head: what follows may be the next response */
		ssize_t n = recv(fd, buf + len, want ? want - len : 1, 0);

		if (n <= 0) {
			status = n < 0 ? -errno : -ECONNRESET;
			free(buf);
			return status;
		}
		len += (size_t)n;
		if (!want)
			want = response_len(buf);
	}
	if (sscanf(buf, "HTTP/1.1 %d", &status) != 1)
		status = -EPROTO;
	end = strstr(buf, "\r\n\r\n");
	if (end && ret_body)
		*ret_body = strdup(end + 4);
	if (end)
		end[2] = 0;
	if (ret_head)
		*ret_head = strdup(buf);
	free(buf);
	return status;
}

int client_call(const char *path, const char *method, const char *uri, const char *if_match,
		const char *body, json_t **ret_body)
{
	char *request, *text = NULL, match[64] = "";
	int fd = client_connect(path), status, len;

	if (fd < 0)
		return fd;
	if (if_match)
		snprintf(match, sizeof(match), "If-Match: \"%s\"\r\n", if_match);
	len = asprintf(&request, "%s %s HTTP/1.1\r\nHost: dwcp\r\n%sContent-Length: %zu\r\n\r\n%s",
		       method, uri, match, body ? strlen(body) : 0, body ? body : "");
	status = client_send(fd, request, (size_t)len);
	free(request);
	if (status == 0)
		status = client_read(fd, NULL, &text);
	close(fd);
	if (ret_body)
		*ret_body = text ? json_loads(text, 0, NULL) : NULL;
	free(text);
	return status;
}
