/* SPDX-License-Identifier: BSD-3-Clause */
/* client.h - the tests' HTTP client: bytes on a unix socket, every wait bounded. */
#pragma once

#include <jansson.h>

#include <dwcp/base.h>

#define CLIENT_TIMEOUT_MS 10000

/** client_connect() - Return: fd with timeouts, -errno. */
int client_connect(const char *path);
/** client_send() - Return: 0, -errno. */
int client_send(int fd, const char *bytes, size_t len);
/** client_read() - one response. @ret_body: heap, may be NULL. Return: its status, -errno (-ECONNRESET: closed). */
int client_read(int fd, char **ret_head, char **ret_body);
/** client_call() - a connection for one request. @ret_body: NULL = not wanted; parsed. Return: status, -errno. */
int client_call(const char *path, const char *method, const char *uri, const char *if_match,
		const char *body, json_t **ret_body);
