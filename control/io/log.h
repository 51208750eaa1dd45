/* SPDX-License-Identifier: BSD-3-Clause */
/* log.h - one line an event on stderr: `event.name key=value …`, no prose. What we do instead ends the line. */
#pragma once

#include <dwcp/base.h>

/** log_event() - one line, written whole. Control characters in values become '?'. Thread: any. */
void log_event(const char *fmt, ...) dwcp_printf(1, 2);
/** log_to() - another descriptor than stderr's; -1 = nowhere. Before there are threads. */
void log_to(int fd);
