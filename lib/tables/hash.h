/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hash.h - XXH3-64, never 0: the id of a segment, the hash of a manifest. Private to the folder.
 */
#pragma once

#include <dwcp/base.h>

u64 table_hash(const void *bytes, size_t len);
/* Of two pieces as if they were one. */
u64 table_hash_parts(const void *head, size_t head_len, const void *rest, size_t rest_len);
/* Of the bytes followed by zeros up to padded. */
u64 table_hash_padded(const void *bytes, size_t len, size_t padded);
