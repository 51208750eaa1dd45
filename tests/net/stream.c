/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * stream - numbered UDP datagrams at a steady rate, and what came of them: how many were lost, and the longest time
 * without one, to the microsecond of the kernel's clock. For tests that switch something over under traffic.
 *
 *   stream send ADDRESS PORT RATE_PPS SECONDS [N_FLOWS]   prints {"sent": N, "refused": N}; SIGTERM ends it before
 *   stream receive PORT                                   prints a line of JSON at SIGUSR1 and, at SIGTERM, the last one;
 *                                                         the longest time without one is that since the line before
 *
 * Datagram i goes by flow i mod N_FLOWS (a source port each), so that several paths of one route are used. The sender
 * keeps its schedule: it makes up for time that it was off the CPU, so that RATE × SECONDS are sent in all.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "dwcp/base.h"

enum {
	FLOWS_MAX = 64,
	SEQ_MAX = 1 << 26,
	RCVBUF_BYTES = 64 << 20,
	MAGIC = 0x64776370,
};

struct datagram {
	u32 magic;
	u32 pad;
	u64 seq;
	u8 fill[48];
};

static volatile sig_atomic_t stop, tell;

static void on_signal(int sig)
{
	if (sig == SIGUSR1)
		tell = 1;
	else
		stop = 1;
}

static void signals_init(void)
{
	struct sigaction sa = {.sa_handler = on_signal}; /* no SA_RESTART: recvmsg must end */

	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
}

static u64 now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void sleep_until(u64 ns)
{
	struct timespec t = {.tv_sec = ns / 1000000000, .tv_nsec = ns % 1000000000};

	clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL);
}

static int address_parse(const char *text, u16 port, struct sockaddr_in6 *ret_to)
{
	char mapped[64];

	*ret_to = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = htons(port)};
	snprintf(mapped, sizeof(mapped), "%s%s", strchr(text, ':') ? "" : "::ffff:", text);
	return inet_pton(AF_INET6, mapped, &ret_to->sin6_addr) == 1 ? 0 : -EINVAL;
}

/* Unconnected: ICMP errors about one datagram must not keep the next one from being sent. */
static int flows_open(int *fd, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		struct sockaddr_in6 any = {.sin6_family = AF_INET6};

		fd[i] = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
		if (fd[i] < 0 || bind(fd[i], (struct sockaddr *)&any, sizeof(any)) < 0)
			return -errno;
	}
	return 0;
}

static int stream_send(const char *to_text, u16 port, u64 rate, u64 seconds, u32 n_flows)
{
	struct datagram d = {.magic = MAGIC};
	struct sockaddr_in6 to;
	int fd[FLOWS_MAX], err;
	u64 start, n = rate * seconds, refused = 0;

	err = address_parse(to_text, port, &to);
	if (!err)
		err = flows_open(fd, n_flows);
	if (err) {
		fprintf(stderr, "stream: %s: %s\n", to_text, strerror(-err));
		return 1;
	}
	start = now_ns();
	for (; d.seq < n && !stop; d.seq++) {
		u64 due = start + d.seq * 1000000000 / rate;

		if (now_ns() < due)
			sleep_until(due);
		if (sendto(fd[d.seq % n_flows], &d, sizeof(d), 0, (struct sockaddr *)&to,
			   sizeof(to)) < 0)
			refused++;
	}
	printf("{\"sent\": %llu, \"refused\": %llu}\n", (unsigned long long)(d.seq - refused),
	       (unsigned long long)refused);
	return 0;
}

struct seen {
	u8 bits[SEQ_MAX / 8];
	u64 received, duplicates, first_us, last_us, gap_us, gap_from_us;
};

static void seen_print(const struct seen *s)
{
	printf("{\"received\": %llu, \"duplicates\": %llu, \"first_unix_us\": %llu, "
	       "\"last_unix_us\": %llu, "
	       "\"gap_us\": %llu, \"gap_from_unix_us\": %llu}\n",
	       (unsigned long long)s->received, (unsigned long long)s->duplicates,
	       (unsigned long long)s->first_us, (unsigned long long)s->last_us,
	       (unsigned long long)s->gap_us, (unsigned long long)s->gap_from_us);
	fflush(stdout);
}

static void seen_take(struct seen *s, u64 seq, u64 us)
{
	u8 *byte = &s->bits[seq / 8 % sizeof(s->bits)], bit = 1 << seq % 8;

	if (*byte & bit) {
		s->duplicates++;
		return;
	}
	*byte |= bit;
	if (!s->received++)
		s->first_us = us;
	else if (us > s->last_us && us - s->last_us > s->gap_us) {
		s->gap_us = us - s->last_us;
		s->gap_from_us = s->last_us;
	}
	s->last_us = us;
}

/* When the kernel had it, not when this process came to run. */
static u64 message_us(struct msghdr *m)
{
	struct timespec t = {0};

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
			memcpy(&t, CMSG_DATA(c), sizeof(t));
	return (u64)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int receiver_open(u16 port)
{
	struct sockaddr_in6 any = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1, room = RCVBUF_BYTES;

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on)) < 0)
		return -errno;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) < 0)
		setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	return fd;
}

static int stream_receive(u16 port)
{
	struct seen *s = calloc(1, sizeof(*s));
	int fd = receiver_open(port);

	if (!s || fd < 0) {
		fprintf(stderr, "stream: cannot receive on port %u: %s\n", port,
			strerror(fd < 0 ? -fd : ENOMEM));
		free(s);
		return 1;
	}
	while (!stop) {
		struct datagram d;
		char control[256];
		struct iovec iov = {&d, sizeof(d)};
		struct msghdr m = {.msg_iov = &iov,
				   .msg_iovlen = 1,
				   .msg_control = control,
				   .msg_controllen = sizeof(control)};
		ssize_t got = recvmsg(fd, &m, 0);

		if (got == sizeof(d) && d.magic == MAGIC && d.seq < SEQ_MAX)
			seen_take(s, d.seq, message_us(&m));
		if (tell) {
			tell = 0;
			seen_print(s);
			s->gap_us = 0;
		}
	}
	seen_print(s);
	free(s);
	return 0;
}

static bool number(const char *text, u64 max, u64 *ret_n)
{
	char *end;

	errno = 0;
	*ret_n = strtoull(text, &end, 10);
	return !errno && end != text && !*end && *ret_n > 0 && *ret_n <= max;
}

int main(int argc, char **argv)
{
	u64 port, rate, seconds, n_flows = 1;

	signals_init();
	if (argc == 3 && strcmp(argv[1], "receive") == 0 && number(argv[2], 65535, &port))
		return stream_receive(port);
	if ((argc == 6 || argc == 7) && strcmp(argv[1], "send") == 0 &&
	    number(argv[3], 65535, &port) && number(argv[4], 1000000, &rate) &&
	    number(argv[5], 3600, &seconds) && (argc == 6 || number(argv[6], FLOWS_MAX, &n_flows)))
		return stream_send(argv[2], port, rate, seconds, n_flows);
	fprintf(stderr,
		"usage: stream send ADDRESS PORT RATE_PPS SECONDS [N_FLOWS] | receive PORT\n");
	return 2;
}
