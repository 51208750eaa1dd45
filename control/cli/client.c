/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.c - one request and its answer over a unix socket, by libcurl. What a command makes of it is in call.c.
 */
#include <ctype.h>
#include <curl/curl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "client.h"

#define REPLY_MAX_BYTES (256u << 20) /* a listing is paged: more than this is a peer gone wild */

struct client {
	CURL *curl;
};

struct reply_buffer {
	char *bytes;
	size_t len, cap;
	u64 etag;
};

struct client *client_create(void)
{
	struct client *client = calloc(1, sizeof(*client));

	if (!client || curl_global_init(CURL_GLOBAL_NOTHING) != CURLE_OK) {
		free(client);
		return NULL;
	}
	client->curl = curl_easy_init();
	if (!client->curl) {
		client_free(client);
		return NULL;
	}
	return client;
}

void client_free(struct client *client)
{
	if (!client)
		return;
	curl_easy_cleanup(client->curl);
	curl_global_cleanup();
	free(client);
}

u64 client_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

const char *client_escape(const char *text, char *buf, size_t len)
{
	size_t n = 0;

	for (; *text && n + 4 <= len; text++) {
		unsigned char c = (unsigned char)*text;

		if (isalnum(c) || strchr("-._~:", c))
			buf[n++] = (char)c;
		else
			n += (size_t)snprintf(buf + n, 4, "%%%02X", c);
	}
	buf[n] = 0;
	return buf;
}

const char *client_socket(const struct cli *cli, enum client_peer peer, char *buf, size_t len)
{
	if (cli->socket_path)
		snprintf(buf, len, "%s", cli->socket_path);
	else
		snprintf(buf, len, "%s/%s.sock", cli->run_dir,
			 peer == CLIENT_AGENT ? "agent" : "dataplane");
	return buf;
}

void client_reply_fini(struct client_reply *reply)
{
	json_decref(reply->body);
	reply->body = NULL;
}

static size_t reply_receive(char *data, size_t size, size_t n, void *arg)
{
	struct reply_buffer *b = arg;
	size_t cap = b->cap ? b->cap : 4096;
	char *bytes;

	n *= size;
	if (n > REPLY_MAX_BYTES - b->len)
		return 0;
	while (cap < b->len + n)
		cap *= 2;
	if (cap != b->cap) {
		bytes = realloc(b->bytes, cap);
		if (!bytes)
			return 0;
		b->bytes = bytes;
		b->cap = cap;
	}
	memcpy(b->bytes + b->len, data, n);
	b->len += n;
	return n;
}

/* ETag: "7" */
static size_t header_receive(char *data, size_t size, size_t n, void *arg)
{
	static const char name[] = "etag: \"";
	struct reply_buffer *b = arg;
	char value[32];
	size_t len = strlen(name);

	n *= size;
	if (n > len && strncasecmp(data, name, len) == 0) {
		snprintf(value, sizeof(value), "%.*s", (int)DWCP_MIN(n - len, sizeof(value) - 1),
			 data + len);
		b->etag = strtoull(value, NULL, 10);
	}
	return n;
}

static struct curl_slist *req_headers(const struct client_req *req)
{
	struct curl_slist *list = curl_slist_append(NULL, "Accept: application/json"), *more;
	char line[96];

	/* a body is small and local: waiting for "100 Continue" would only cost time */
	more = list ? curl_slist_append(list, "Expect:") : NULL;
	if (more && req->body)
		more = curl_slist_append(list, "Content-Type: application/json");
	if (more && req->if_match) {
		snprintf(line, sizeof(line), "If-Match: \"%s\"", req->if_match);
		more = curl_slist_append(list, line);
	}
	if (!more)
		curl_slist_free_all(list);
	return more ? list : NULL;
}

static int client_errno(CURL *curl, CURLcode code)
{
	long os = 0;

	switch (code) {
	case CURLE_OK:
		return 0;
	case CURLE_COULDNT_CONNECT:
		curl_easy_getinfo(curl, CURLINFO_OS_ERRNO, &os);
		return os ? -(int)os : -ECONNREFUSED;
	case CURLE_OPERATION_TIMEDOUT:
		return -ETIMEDOUT;
	case CURLE_OUT_OF_MEMORY:
		return -ENOMEM;
	case CURLE_UNSUPPORTED_PROTOCOL: /* "HTTP/0.9 when not allowed" and the like */
	case CURLE_WEIRD_SERVER_REPLY:
		return -EPROTO;
	default:
		return -EIO;
	}
}

static int client_perform(struct client *client, const char *socket_path,
			  const struct client_req *req, struct reply_buffer *ret_buffer,
			  long *ret_status)
{
	char url[2048];
	struct curl_slist *headers = req_headers(req);
	char *body = req->body ? json_dumps(req->body, JSON_COMPACT) : NULL;
	CURL *curl = client->curl;
	CURLcode code = CURLE_OUT_OF_MEMORY;

	snprintf(url, sizeof(url), "http://dwcp%s", req->path);
	if (headers && (body || !req->body)) {
		curl_easy_reset(curl);
		curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, socket_path);
		curl_easy_setopt(curl, CURLOPT_URL, url);
		curl_easy_setopt(curl, CURLOPT_PROXY, "");
		curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
		curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
		curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, req->method);
		/* a POST without body still says Content-Length: 0 */
		if (body || strcmp(req->method, "GET") != 0)
			curl_easy_setopt(curl, CURLOPT_POSTFIELDS, body ? body : "");
		curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)req->timeout_ms);
		curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, reply_receive);
		curl_easy_setopt(curl, CURLOPT_WRITEDATA, ret_buffer);
		curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, header_receive);
		curl_easy_setopt(curl, CURLOPT_HEADERDATA, ret_buffer);
		code = curl_easy_perform(curl);
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, ret_status);
	}
	curl_slist_free_all(headers);
	free(body);
	return client_errno(curl, code);
}

int client_send(struct cli *cli, enum client_peer peer, const struct client_req *req,
		struct client_reply *ret_reply)
{
	struct reply_buffer buffer = {0};
	char path[512];
	long status = 0;
	json_t *body = NULL;
	int rc;

	rc = client_perform(cli->client, client_socket(cli, peer, path, sizeof(path)), req, &buffer,
			    &status);
	if (rc == 0) {
		body = buffer.len ? json_loadb(buffer.bytes, buffer.len, 0, NULL) : NULL;
		if (!json_is_object(body))
			rc = -EPROTO;
	}
	free(buffer.bytes);
	if (rc < 0) {
		json_decref(body);
		return rc;
	}
	*ret_reply = (struct client_reply){
		.status = status,
		.body = body,
		.peer = peer,
		.etag = buffer.etag,
		.at_ns = client_now_ns(),
	};
	return 0;
}
