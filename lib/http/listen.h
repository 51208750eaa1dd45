/* SPDX-License-Identifier: BSD-3-Clause */
#pragma once

#include <sys/types.h>

/**
 * listen_open() - a listening unix stream socket at @path that never replaces a live one.
 * @ret_lock: fd of the lock that makes this safe against a second start; keep it open as long as the socket.
 * Return: the fd, -EADDRINUSE, -errno.
 */
int listen_open(const char *path, mode_t mode, gid_t gid, int *ret_lock);
/** listen_close() - unlink the socket and its lock, close both fds. */
void listen_close(const char *path, int fd, int lock);
