/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * manifest.h - what this version reads of each section, and the manifest's checks with their place. Private to the folder.
 */
#pragma once

#include <dwcp/abi/tables.h>

#include "check.h"

struct section_spec {
	const char *name;
	u16 version; /* of the elements; 0 = no code reads this section yet */
	u16 element_bytes;
	bool required;
};

/* Return: NULL for a section nobody has numbered. */
const struct section_spec *section_spec(u16 section);
/* The section may be staged and mapped here. Return: 0, -EINVAL. */
int section_readable(u16 section, struct refusal *r);

/* Is fd a memfd that nobody can change any more? Never blocks, whatever fd is. */
int memfd_check(int fd, u64 *ret_bytes, struct refusal *r);
/* A new memfd, sealed, with len bytes and zeros up to padded. Return: fd or -errno. */
int memfd_seal(const char *name, const void *bytes, size_t len, size_t padded);

int manifest_verify(const void *bytes, size_t len, struct refusal *r);
/* Heap copy of a sealed manifest, verified. */
int manifest_read(int fd, struct dwcp_manifest **ret_manifest, struct refusal *r);
