/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * source.h - the bytes of a configuration with its includes in place, and whose line each line was.
 *
 * We expand @include ourselves, before libconfig sees the text, because libconfig 1.5 opens whatever it is told
 * (a FIFO hangs it), resolves nested names against one directory, and cannot name a loop. The same pass finds what
 * libconfig would take in silence: "\x00" (cuts the string) and decimals over 32 bits (wrap around; here they
 * get the suffix that makes them 64 bits wide).
 */
#pragma once

#include <dwcp/util/config.h>

struct source_segment {
	u32 first_line; /* of the expanded text */
	u32 file;
	u32 file_line; /* what first_line is there */
};

struct source {
	char *text; /* expanded, ends with 0 */
	size_t len, cap;
	char **files; /* [n_files] as named in errors */
	u32 n_files, cap_files;
	struct source_segment *segments;
	u32 n_segments, cap_segments;
	u32 n_lines;
	u64 hash; /* XXH3 of all bytes read */
};

/**
 * source_load() - expand @text.
 * @name: in errors. @dir: where relative includes are, NULL = no includes at all.
 * Return: 0; -EINVAL (errors appended); -ENOMEM. source_fini() in any case.
 */
int source_load(struct source *s, const char *text, size_t len, const char *name, const char *dir,
		struct config_errors *errors);
void source_fini(struct source *s);
/** source_where() - file and line of a line of the expanded text. */
const char *source_where(const struct source *s, u32 line, u32 *ret_line);

/** file_open() - @ret_fd: -1 on failure. Return: 0, -errno, -EINVAL (no regular file). */
int file_open(const char *path, int *ret_fd, u64 *ret_size);
/** file_read() - a regular file whole, 0-terminated. @ret_text: owned. Return: 0, -errno, -EFBIG, -EINVAL (no file). */
int file_read(const char *path, size_t max_bytes, char **ret_text, size_t *ret_len);
