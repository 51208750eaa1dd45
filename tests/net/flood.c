/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flood.c - UDP datagrams from a packet socket, as fast as told, from one source address or from random ones. The sender
 * of tests that ask what a flood leaves of everything else.
 *
 * Usage: flood INTERFACE DST_MAC DST_IP DST_PORT SRC_IP|random PPS SECONDS [TTL [syn]]; prints `sent=N`. With syn they
 * ask for a TCP connection instead.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <dwcp/endian.h>

#define BATCH	    32
#define FRAME_BYTES 60

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static void checksum_set(u8 *ip)
{
	u32 sum = 0;

	be16_store(ip + 10, 0);
	for (u32 i = 0; i < 20; i += 2)
		sum += be16_load(ip + i);
	sum = (sum & 0xffff) + (sum >> 16);
	be16_store(ip + 10, (u16) ~(sum + (sum >> 16)));
}

static void frame_init(u8 *f, int argc, char **argv)
{
	struct ether_addr *mac = ether_aton(argv[2]);
	struct in_addr dst, src = {0};
	u8 *ip = f + 14;

	if (!mac || inet_pton(AF_INET, argv[3], &dst) != 1 ||
	    (strcmp(argv[5], "random") != 0 && inet_pton(AF_INET, argv[5], &src) != 1)) {
		fprintf(stderr, "flood: bad address\n");
		exit(2);
	}
	memset(f, 0, FRAME_BYTES);
	memcpy(f, mac, 6);
	memcpy(f + 6, "\x02\x00\x00\x00\x0f\x0f", 6);
	be16_store(f + 12, 0x0800);
	ip[0] = 0x45;
	be16_store(ip + 2, FRAME_BYTES - 14);
	ip[8] = argc > 8 ? (u8)strtoul(argv[8], NULL, 10) : 64;
	ip[9] = 17;
	memcpy(ip + 12, &src, 4);
	memcpy(ip + 16, &dst, 4);
	be16_store(ip + 20, 9);
	be16_store(ip + 22, (u16)strtoul(argv[4], NULL, 10));
	be16_store(ip + 24, FRAME_BYTES - 34);
	if (argc > 9) {
		ip[9] = 6;
		be16_store(ip + 24, 0);
		ip[32] = 0x50;
		ip[33] = 0x02;
	}
	checksum_set(ip);
}

static int packet_open(const char *ifname)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET,
				 .sll_ifindex = (int)if_nametoindex(ifname)};
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0 || !to.sll_ifindex || bind(fd, (struct sockaddr *)&to, sizeof(to)) < 0) {
		perror("flood: packet socket");
		exit(1);
	}
	setsockopt(fd, SOL_PACKET, PACKET_QDISC_BYPASS, &on, sizeof(on));
	return fd;
}

static void sources_draw(u8 (*frame)[FRAME_BYTES])
{
	u32 word[BATCH];

	if (getrandom(word, sizeof(word), 0) != sizeof(word))
		return;
	for (u32 i = 0; i < BATCH; i++) {
		be32_store(frame[i] + 26, 0x0a400000u | (word[i] & 0x3fffff)); /* 10.64.0.0/10 */
		checksum_set(frame[i] + 14);
	}
}

int main(int argc, char **argv)
{
	static u8 frame[BATCH][FRAME_BYTES];
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	u64 begin, end, rate, sent = 0;
	bool random_source;
	int fd;

	if (argc < 8 || argc > 10 || (argc == 10 && strcmp(argv[9], "syn") != 0)) {
		fprintf(stderr, "usage: flood INTERFACE DST_MAC DST_IP DST_PORT SRC_IP|random PPS "
				"SECONDS [TTL [syn]]\n");
		return 2;
	}
	random_source = strcmp(argv[5], "random") == 0;
	rate = strtoul(argv[6], NULL, 10);
	for (u32 i = 0; i < BATCH; i++) {
		frame_init(frame[i], argc, argv);
		iov[i] = (struct iovec){frame[i], FRAME_BYTES};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	fd = packet_open(argv[1]);
	begin = now_ns();
	end = begin + strtoul(argv[7], NULL, 10) * 1000000000u;
	for (u64 now = begin; now < end; now = now_ns()) {
		const struct timespec tick = {.tv_nsec = 50000};
		int n;

		if (sent > (now - begin) * rate / 1000000000u) {
			nanosleep(&tick, NULL);
			continue;
		}
		if (random_source)
			sources_draw(frame);
		n = sendmmsg(fd, msg, BATCH, 0);
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN) {
			perror("flood: send");
			return 1;
		}
		sent += n > 0 ? (u64)n : 0;
	}
	printf("sent=%lu\n", sent);
	close(fd);
	return 0;
}
