/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi/atomic.h - the only way a shared field is read or written. One writer a field, so stores are plain stores with
 * an order; nothing here is a read-modify-write.
 */
#pragma once

#include <dwcp/base.h>

/* Counters: the reader may see any recent value, never a torn one. */
#define dwcp_load_relaxed(p)	 __atomic_load_n((p), __ATOMIC_RELAXED)
#define dwcp_store_relaxed(p, v) __atomic_store_n((p), (v), __ATOMIC_RELAXED)
/* Publication: what was written before the store is seen after the load. */
#define dwcp_load_acquire(p)	 __atomic_load_n((p), __ATOMIC_ACQUIRE)
#define dwcp_store_release(p, v) __atomic_store_n((p), (v), __ATOMIC_RELEASE)
/* Add by the only writer: no lock prefix needed. */
#define dwcp_count(p, n)	 dwcp_store_relaxed((p), *(p) + (n))
