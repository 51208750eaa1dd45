/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * arena.h - memory that is given back whole: everything that one loaded configuration points at.
 * Not thread safe; an arena belongs to whoever builds the object in it, and is read only afterwards.
 */
#pragma once

#include <dwcp/base.h>

struct arena_block;

struct arena {
	struct arena_block *head;
	size_t used; /* of the head block */
};

/** arena_alloc() - zeroed memory, aligned for any type. Return: NULL when there is none, or n * bytes overflows. */
void *arena_alloc(struct arena *a, size_t n, size_t bytes);
char *arena_strndup(struct arena *a, const char *text, size_t len);
void arena_fini(struct arena *a);
