/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * grace.h - see grace.c
 */
#pragma once

struct rte_rcu_qsbr;

/** grace_open() - from now on drivers wait for this before they unmap; NULL: no more. Control thread. */
void grace_open(struct rte_rcu_qsbr *qsbr);
