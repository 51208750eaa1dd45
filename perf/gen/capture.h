/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.h - the frames of a capture as templates.
 */
#pragma once

#include "gen.h"

/**
 * capture_load() - a pcap file of Ethernet frames, either byte order. Each frame is cut to its headers' end of the
 * wire (60 bytes at least) and gets GEN_STAMP_BYTES behind it.
 *
 * @ret: [*ret_n], owned, as each frame is.
 * Return: 0; -ENOMEM; other errors have been said on stderr.
 */
int capture_load(const char *path, struct gen_template **ret, u32 *ret_n);
