/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * store.h - where generations survive us: a file in the state directory and the service manager's fd store.
 */
#pragma once

#include <jansson.h>

#include <dwcp/util/generation.h>

struct dataplane;
struct store;

int store_open(struct dataplane *dp);
/** store_close() - writes what is newer than the file, so that a clean stop loses nothing. */
void store_close(struct dataplane *dp);
const char *store_path(const struct store *s);

/** store_request() - a new generation is in force: push its fds, write it when the interval allows. Control thread. */
void store_request(struct store *s, const struct generation *g);
/** store_adopted() - the same for one that came from the store itself. @on_disk: the file already holds it. */
void store_adopted(struct store *s, const struct generation *g, bool on_disk);
/** store_tick() - start a write that was put off. Control thread, every 100 ms. */
void store_tick(struct store *s);
json_t *store_json(struct store *s);

/**
 * store_fds_load() - open the generation whose fds the service manager kept for us (sd_listen_fds_with_names).
 * Return: 0, -ENOENT (none kept), as generation_open() otherwise.
 */
int store_fds_load(struct store *s, struct segment_set *set, const struct generation_limits *limits,
		   struct generation **ret_generation, char *ret_reason);
