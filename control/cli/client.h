/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * client.h - HTTP and JSON over the unix sockets of the agent and the dataplane. Blocking, one request at a time, each
 * with a deadline.
 */
#pragma once

#include <jansson.h>

#include "cli.h"

enum client_peer { CLIENT_AGENT, CLIENT_DATAPLANE, CLIENT_N_PEERS };

struct client_req {
	const char *method, *path; /* path with query */
	const char *if_match;	   /* NULL = none */
	const json_t *body;	   /* borrowed; NULL = none */
	u32 timeout_ms;
};

struct client_reply {
	long status;
	json_t *body; /* always an object; owned by the caller: client_reply_fini() */
	enum client_peer peer;
	u64 etag;  /* the revision that the answer speaks of; 0 = not said */
	u64 at_ns; /* CLOCK_MONOTONIC of the answer */
};

/** client_create() - Return: NULL without memory. */
struct client *client_create(void);
void client_free(struct client *client);

/**
 * client_send() - ask one peer. Nothing is printed.
 * @ret_reply: written on success, whatever the HTTP status.
 * Return: 0; -ENOENT, -ECONNREFUSED, -EACCES (no connection); -ETIMEDOUT (connected, no answer); -EIO (broken off);
 * -EPROTO (what answered is not version 1 of this API); -ENOMEM.
 */
int client_send(struct cli *cli, enum client_peer peer, const struct client_req *req,
		struct client_reply *ret_reply);
void client_reply_fini(struct client_reply *reply);
/** client_socket() - the path a peer is asked at. @buf: [len]. Return: @buf. */
const char *client_socket(const struct cli *cli, enum client_peer peer, char *buf, size_t len);

/**
 * client_get() - GET for a command: the agent, else (where the table says so) the dataplane, with a note.
 * Errors are printed. Return: CLI_OK and @ret_reply, or the exit code.
 */
int client_get(struct cli *cli, struct client_reply *ret_reply, const char *path_fmt, ...)
	dwcp_printf(3, 4);
/**
 * client_change() - a mutation of the agent, planned on --revision or on the revision read just before.
 * Errors are printed; of a 412 it says what happened. Return: CLI_OK and @ret_reply, or the exit code.
 */
int client_change(struct cli *cli, struct client_req *req, struct client_reply *ret_reply);
/** client_reply_error() - report an error status that the peer sent. Return: the exit code. */
int client_reply_error(const struct cli *cli, const struct client_reply *reply);
/** client_escape() - percent-encode into @buf; longer input is cut (the peer refuses it then). Return: @buf. */
const char *client_escape(const char *text, char *buf, size_t len);
/** client_unreachable() - report why a peer can't be asked; @rc of client_send(). Return: the exit code. */
int client_unreachable(const struct cli *cli, enum client_peer peer, int rc);
/** client_both_unreachable() - the same when neither answers. Return: the exit code. */
int client_both_unreachable(const struct cli *cli, int rc_agent, int rc_dataplane);
u64 client_now_ns(void);
