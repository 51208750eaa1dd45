/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz_packet.h - the input's form, shared with what writes the corpus. */
#pragma once

#include <dwcp/base.h>

#define FUZZ_KNOB_BYTES 2
#define FUZZ_OUR_MAC                                                                               \
	{                                                                                          \
		0x02, 0x00, 0x5e, 0x10, 0x20, 0x30                                                 \
	}
