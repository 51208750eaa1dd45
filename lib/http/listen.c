/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * listen.c - a unix socket that two starting programs cannot take from each other.
 *
 * A lock file beside the socket decides who may bind; the kernel drops the lock with its holder, so kill -9 leaves
 * nothing behind that must be cleaned by hand. A live socket without the lock (another program's) is found by
 * connecting to it. The socket is bound under another name and renamed, so it appears with its mode and owner set, and
 * there is no moment at which a client finds nothing.
 */
#include "listen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define LISTEN_BACKLOG 128
#define LISTEN_SUFFIX  16 /* room for ".lock" and ".new" */

static int addr_init(struct sockaddr_un *a, const char *path, const char *suffix)
{
	int n;

	memset(a, 0, sizeof(*a));
	a->sun_family = AF_UNIX;
	n = snprintf(a->sun_path, sizeof(a->sun_path), "%s%s", path, suffix);
	return n < 0 || (size_t)n >= sizeof(a->sun_path) ? -ENAMETOOLONG : 0;
}

/* Somebody who is on its way out may unlink the file between our open and our lock: then lock the new one. */
static int lock_open(const char *path)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + LISTEN_SUFFIX];
	struct stat mine, there;
	int fd, err;

	snprintf(name, sizeof(name), "%s.lock", path);
	for (;;) {
		fd = open(name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd < 0)
			return -errno;
		if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
			err = errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
			close(fd);
			return err;
		}
		if (fstat(fd, &mine) == 0 && stat(name, &there) == 0 &&
		    mine.st_ino == there.st_ino && mine.st_dev == there.st_dev)
			return fd;
		close(fd);
	}
}

static int live_check(const struct sockaddr_un *addr)
{
	struct stat st;
	int fd, err = 0;

	if (lstat(addr->sun_path, &st) < 0)
		return errno == ENOENT ? 0 : -errno;
	if (!S_ISSOCK(st.st_mode))
		return -EEXIST; /* somebody's file: not ours to remove */
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (const struct sockaddr *)addr, sizeof(*addr)) == 0 || errno == EAGAIN)
		err = -EADDRINUSE; /* EAGAIN: its backlog is full, so it lives */
	else if (errno != ECONNREFUSED && errno != ENOENT)
		err = -errno;
	close(fd);
	return err;
}

static int bind_at(const struct sockaddr_un *temp, const char *path, mode_t mode, gid_t gid)
{
	int err, fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	unlink(temp->sun_path); /* left by a crash; the lock says nobody else is at it */
	if (bind(fd, (const struct sockaddr *)temp, sizeof(*temp)) < 0) {
		err = -errno;
		close(fd);
		return err;
	}
	if (chmod(temp->sun_path, mode) < 0 ||
	    (gid != (gid_t)-1 && chown(temp->sun_path, (uid_t)-1, gid) < 0) ||
	    listen(fd, LISTEN_BACKLOG) < 0 || rename(temp->sun_path, path) < 0) {
		err = -errno;
		unlink(temp->sun_path);
		close(fd);
		return err;
	}
	return fd;
}

int listen_open(const char *path, mode_t mode, gid_t gid, int *ret_lock)
{
	struct sockaddr_un addr, temp;
	int fd, lock;

	fd = addr_init(&addr, path, "");
	if (fd == 0)
		fd = addr_init(&temp, path, ".new");
	if (fd < 0)
		return fd;
	lock = lock_open(path);
	if (lock < 0)
		return lock;
	fd = live_check(&addr);
	if (fd == 0)
		fd = bind_at(&temp, path, mode, gid);
	if (fd < 0) {
		close(lock);
		return fd;
	}
	*ret_lock = lock;
	return fd;
}

void listen_close(const char *path, int fd, int lock)
{
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + LISTEN_SUFFIX];

	unlink(path);
	snprintf(name, sizeof(name), "%s.lock", path);
	unlink(name); /* while it is held */
	if (fd >= 0)
		close(fd);
	close(lock);
}
