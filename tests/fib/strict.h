/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * strict.h - a reader of the arrays that trusts nothing: it says what a lookup would read out of bounds, instead
 * of reading it. Written from abi/fib.h alone, without the code of lib/fib.
 */
#pragma once

#include <dwcp/base.h>
#include <dwcp/util/fib.h>

/**
 * strict_walk() - follow every slice of every element that a lookup can reach from any root.
 * @n_slots: slots from here on are a fault too.
 * Return: NULL, or what is wrong.
 */
const char *strict_walk(const struct fib_view *v, u32 n_slots);

/** strict_form() - is every root and element spelled as abi/fib.h says, used or not? Return: NULL, or what is wrong. */
const char *strict_form(const struct fib_view *v);

/** strict_lookup() - one address. Return: its slot; *ret_fault becomes what was out of bounds, if anything was. */
u32 strict_lookup(const struct fib_view *v, const struct dwcp_fib_root *root,
		  const struct fib_addr *a, const char **ret_fault);
