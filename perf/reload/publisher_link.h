/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * publisher_link.h - the agent's side of abi/link.h for a caller that waits: connect, send a generation, get its answer.
 */
#pragma once

#include <dwcp/abi/link.h>
#include <dwcp/base.h>

/** publisher_connect() - to <run_dir>/dataplane.link. @ret_generation: in force there. Return: fd or -errno. */
int publisher_connect(const char *run_dir, u64 *ret_generation);

/**
 * publisher_send() - all segments that the manifest names, then the manifest.
 *
 * @segment_fds: in the manifest's order, borrowed.
 * @skip:        [n_segments] those the dataplane holds already.
 * @event_ns:    CLOCK_MONOTONIC of what the publish answers to.
 * Return: 0, -errno.
 */
int publisher_send(int fd, const struct dwcp_manifest *m, const int *segment_fds, const bool *skip,
		   u64 event_ns);

/**
 * publisher_wait() - the answer to a publish of @generation.
 * @ret_reason: [DWCP_LINK_REASON_MAX] why it was refused.
 * Return: 0 adopted; -EINVAL refused; -errno.
 */
int publisher_wait(int fd, u64 generation, struct dwcp_link_adopted *ret, char *ret_reason);
