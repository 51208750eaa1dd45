/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - every condition of the validator has a name, so that a test can take out one at a time and show
 * what it is good for. In the product FIB_CHECK() is the condition and nothing else.
 */
#pragma once

enum fib_check_id {
	FIB_CHECK_NONE,
	FIB_CHECK_LEN,
	FIB_CHECK_ROOT_FAMILY,
	FIB_CHECK_ROOT_BITS,
	FIB_CHECK_ROOT_RESERVED,
	FIB_CHECK_ROOT_UNUSED,
	FIB_CHECK_ROOT_ORDER,
	FIB_CHECK_ELEMENT_SLOT,
	FIB_CHECK_ELEMENT_LEAF,
	FIB_CHECK_NEED_DIRECT,
	FIB_CHECK_NEED_NODE,
	FIB_CHECK_NEED_LEAF,
	FIB_CHECK_MAX_SLOT,
	FIB_CHECK_N
};

#ifdef FIB_CHECK_TESTED
extern enum fib_check_id fib_check_off;
#define FIB_CHECK(id, cond) ((cond) || fib_check_off == (id))
#else
#define FIB_CHECK(id, cond) (cond)
#endif
