/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * refusal_fds.h - rows that need an fd or a file of their own. Each gets a set and a good table. Return: 0 = accepted.
 */
#pragma once

#include "table_small.h"

typedef int refusal_fn(struct segment_set *s, struct sealed *x, char *ret_reason);

refusal_fn run_segment_file;
refusal_fn run_segment_pipe;
refusal_fn run_segment_socket;
refusal_fn run_segment_device;
refusal_fn run_segment_directory;
refusal_fn run_segment_path;
refusal_fn run_segment_closed;
refusal_fn run_segment_eventfd;
refusal_fn run_manifest_file;
refusal_fn run_manifest_pipe;
refusal_fn run_segment_no_write;
refusal_fn run_segment_no_shrink;
refusal_fn run_segment_no_grow;
refusal_fn run_segment_future;
refusal_fn run_segment_shm;
refusal_fn run_manifest_no_write;
refusal_fn run_manifest_no_shrink;
refusal_fn run_manifest_no_grow;
refusal_fn run_manifest_size;
refusal_fn run_segment_longer;
refusal_fn run_segment_shorter;
refusal_fn run_segment_empty;
refusal_fn run_segment_odd;
refusal_fn run_segment_zero;
refusal_fn run_segment_max;
refusal_fn run_segment_hash;
refusal_fn run_segment_flags;
refusal_fn run_segment_held;
refusal_fn run_segment_unknown;
refusal_fn run_segment_not_read;
refusal_fn run_file_directory;
refusal_fn run_file_fifo;
refusal_fn run_file_longer;
refusal_fn run_file_shorter;
refusal_fn run_file_header;
refusal_fn run_file_empty;
refusal_fn run_file_padding;
refusal_fn run_file_segment;
refusal_fn run_file_manifest;
refusal_fn run_file_manifest_short;
