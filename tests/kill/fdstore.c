/* SPDX-License-Identifier: BSD-3-Clause */
/* fdstore.c - see fdstore.h */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <signal.h>

#include "fdstore.h"

#define FIRST_FD    3
#define MESSAGE_FDS 16

static void kept_remove(struct fdstore *s, const char *name)
{
	u32 n = 0;

	for (u32 i = 0; i < s->n; i++) {
		if (strcmp(s->kept[i].name, name) == 0) {
			close(s->kept[i].fd);
			continue;
		}
		s->kept[n++] = s->kept[i];
	}
	s->n = n;
}

static void message_apply(struct fdstore *s, char *text, const int *fds, u32 n_fds)
{
	char *name = strstr(text, "FDNAME=");
	bool store = strstr(text, "FDSTORE=1"), removes = strstr(text, "FDSTOREREMOVE=1");

	if (name) {
		name += strlen("FDNAME=");
		name[strcspn(name, "\n")] = 0;
	}
	if (removes && name)
		kept_remove(s, name);
	for (u32 i = 0; i < n_fds; i++) {
		if (!store || !name || s->n == FDSTORE_MAX) {
			close(fds[i]);
			continue;
		}
		snprintf(s->kept[s->n].name, sizeof(s->kept[s->n].name), "%s", name);
		s->kept[s->n++].fd = fds[i];
	}
}

static bool message_take(struct fdstore *s)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int) * MESSAGE_FDS)];
		struct cmsghdr align;
	} control;
	char text[1024];
	struct iovec iov = {text, sizeof(text) - 1};
	struct msghdr mh = {.msg_iov = &iov,
			    .msg_iovlen = 1,
			    .msg_control = control.bytes,
			    .msg_controllen = sizeof(control.bytes)};
	ssize_t n = recvmsg(s->fd, &mh, MSG_CMSG_CLOEXEC);
	int fds[MESSAGE_FDS];
	u32 n_fds = 0;

	if (n < 0)
		return false;
	text[n] = 0;
	for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n_fds = (u32)((c->cmsg_len - CMSG_LEN(0)) / sizeof(int));
		memcpy(fds, CMSG_DATA(c), n_fds * sizeof(int));
	}
	message_apply(s, text, fds, n_fds);
	return true;
}

static void *fdstore_main(void *arg)
{
	struct fdstore *s = arg;
	struct pollfd pfd = {s->fd, POLLIN, 0};

	while (!__atomic_load_n(&s->stop, __ATOMIC_ACQUIRE)) {
		if (poll(&pfd, 1, 20) != 1)
			continue;
		pthread_mutex_lock(&s->mutex);
		while (message_take(s))
			s->messages++;
		pthread_mutex_unlock(&s->mutex);
	}
	return NULL;
}

u32 fdstore_settle(struct fdstore *s)
{
	u64 before;
	u32 n;

	do {
		before = __atomic_load_n(&s->messages, __ATOMIC_RELAXED);
		sleep_ms(100);
	} while (before != __atomic_load_n(&s->messages, __ATOMIC_RELAXED));
	pthread_mutex_lock(&s->mutex);
	n = s->n;
	pthread_mutex_unlock(&s->mutex);
	return n;
}

void fdstore_open(struct fdstore *s, const struct lab *lab)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int size = 4 << 20;

	memset(s, 0, sizeof(*s));
	snprintf(s->path, sizeof(s->path), "%.90s/notify", lab->dir);
	memcpy(addr.sun_path, s->path, sizeof(addr.sun_path));
	s->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	setsockopt(s->fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size));
	if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&addr, sizeof(addr)))
		abort();
	pthread_mutex_init(&s->mutex, NULL);
	if (pthread_create(&s->thread, NULL, fdstore_main, s))
		abort();
}

void fdstore_close(struct fdstore *s)
{
	__atomic_store_n(&s->stop, true, __ATOMIC_RELEASE);
	pthread_join(s->thread, NULL);
	for (u32 i = 0; i < s->n; i++)
		close(s->kept[i].fd);
	close(s->fd);
	unlink(s->path);
}

/* In the child: kept fds go to 3, 4, … by way of numbers that none of them has. */
static void child_fds(const struct fdstore *s)
{
	char number[16], names[FDSTORE_MAX * 40] = "";
	size_t at = 0;

	for (u32 i = 0; i < s->n; i++)
		fcntl(s->kept[i].fd, F_DUPFD, 2000 + (int)i);
	for (u32 i = 0; i < s->n; i++) {
		dup2(2000 + (int)i, FIRST_FD + (int)i);
		close(2000 + (int)i);
		at += (size_t)snprintf(names + at, sizeof(names) - at, "%s%s", i ? ":" : "",
				       s->kept[i].name);
	}
	snprintf(number, sizeof(number), "%u", s->n);
	setenv("LISTEN_FDS", number, 1);
	setenv("LISTEN_FDNAMES", names, 1);
	snprintf(number, sizeof(number), "%d", getpid());
	setenv("LISTEN_PID", number, 1);
}

void fdstore_start(struct fdstore *s, struct lab *lab, struct proc *p, const char *name,
		   const char *const *argv)
{
	int fd;

	p->name = name;
	snprintf(p->log_path, sizeof(p->log_path), "%s/%s.log", lab->dir, name);
	fd = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	p->pid = fd < 0 ? -1 : fork();
	if (p->pid < 0)
		abort();
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		dup2(fd, 1);
		dup2(fd, 2);
		setenv("NOTIFY_SOCKET", s->path, 1);
		if (s->n)
			child_fds(s);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fd);
	proc_hurry(p);
}
