/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * flood.c - UDP datagrams or TCP connection requests from a packet socket, as fast as told, from one source address or
 * from random ones, IPv4 or IPv6, all checksums right. The sender of tests that ask what a flood leaves of everything else.
 *
 * Usage: flood INTERFACE DST_MAC DST_IP DST_PORT SRC_IP[/BITS] PPS SECONDS [TTL [syn]]; prints `sent=N`. Behind /BITS
 * (a multiple of 8) the source is random, four bytes of it at most. With syn they ask for a TCP connection.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <netinet/ether.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <dwcp/endian.h>

#define BATCH	      32
#define FRAME_MIN     60
#define FRAME_MAX     80
#define ETH_BYTES     14
#define RANDOM_BYTES  4
#define TCP_SYN_BYTES 20
#define UDP_BYTES     8

struct flood {
	u8 dst_mac[6], dst[16], src[16];
	u32 addr_bytes, random_at; /* random_at: of the source; addr_bytes: nothing is random */
	u32 frame_bytes, l4_at, l4_bytes, l4_csum_at;
	u16 port;
	u8 ttl, protocol;
};

static u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

static u32 sum16(const u8 *p, u32 bytes, u32 sum)
{
	for (u32 i = 0; i < bytes; i += 2)
		sum += be16_load(p + i);
	return sum;
}

static u16 checksum_of(u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	return (u16) ~(sum + (sum >> 16));
}

static u8 *source_of(const struct flood *fl, u8 *f)
{
	return f + ETH_BYTES + (fl->addr_bytes == 4 ? 12 : 8);
}

/* Both addresses stand behind each other in either family, and the pseudo header sums them as they are. */
static void checksums_set(const struct flood *fl, u8 *f)
{
	u8 *ip = f + ETH_BYTES, *l4 = f + fl->l4_at;

	if (fl->addr_bytes == 4) {
		be16_store(ip + 10, 0);
		be16_store(ip + 10, checksum_of(sum16(ip, 20, 0)));
	}
	be16_store(l4 + fl->l4_csum_at, 0);
	be16_store(l4 + fl->l4_csum_at,
		   checksum_of(sum16(l4, fl->l4_bytes,
				     sum16(source_of(fl, f), 2 * fl->addr_bytes,
					   fl->protocol + fl->l4_bytes))));
}

static void ip_fill(const struct flood *fl, u8 *f)
{
	u8 *ip = f + ETH_BYTES;

	if (fl->addr_bytes == 4) {
		be16_store(f + 12, 0x0800);
		ip[0] = 0x45;
		be16_store(ip + 2, (u16)(fl->l4_at + fl->l4_bytes - ETH_BYTES));
		ip[8] = fl->ttl;
		ip[9] = fl->protocol;
	} else {
		be16_store(f + 12, 0x86dd);
		ip[0] = 0x60;
		be16_store(ip + 4, (u16)fl->l4_bytes);
		ip[6] = fl->protocol;
		ip[7] = fl->ttl;
	}
	memcpy(source_of(fl, f), fl->src, fl->addr_bytes);
	memcpy(source_of(fl, f) + fl->addr_bytes, fl->dst, fl->addr_bytes);
}

static void frame_init(const struct flood *fl, u8 *f)
{
	u8 *l4 = f + fl->l4_at;

	memset(f, 0, FRAME_MAX);
	memcpy(f, fl->dst_mac, 6);
	memcpy(f + 6, "\x02\x00\x00\x00\x0f\x0f", 6);
	ip_fill(fl, f);
	be16_store(l4, 9);
	be16_store(l4 + 2, fl->port);
	if (fl->protocol == IPPROTO_TCP) {
		l4[12] = 0x50;
		l4[13] = 0x02;
		be16_store(l4 + 14, 0xffff);
	} else {
		be16_store(l4 + 4, (u16)fl->l4_bytes);
	}
	checksums_set(fl, f);
}

static void sources_draw(const struct flood *fl, u8 (*frame)[FRAME_MAX])
{
	u8 random[BATCH][RANDOM_BYTES];
	u32 n = DWCP_MIN(fl->addr_bytes - fl->random_at, (u32)RANDOM_BYTES);

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		return;
	for (u32 i = 0; i < BATCH; i++) {
		memcpy(source_of(fl, frame[i]) + fl->random_at, random[i], n);
		checksums_set(fl, frame[i]);
	}
}

/* Return: -1, what is wrong with it. */
static int addresses_parse(struct flood *fl, const char *mac, const char *dst, char *src)
{
	struct ether_addr *ether = ether_aton(mac);
	int family = strchr(dst, ':') ? AF_INET6 : AF_INET;
	char *bits = strchr(src, '/');

	fl->addr_bytes = family == AF_INET ? 4 : 16;
	fl->random_at = fl->addr_bytes;
	if (bits) {
		fl->random_at = (u32)strtoul(bits + 1, NULL, 10) / 8;
		*bits = 0;
	}
	if (!ether || inet_pton(family, dst, fl->dst) != 1 || inet_pton(family, src, fl->src) != 1)
		return -1;
	memcpy(fl->dst_mac, ether, 6);
	return fl->random_at <= fl->addr_bytes ? 0 : -1;
}

static int flood_parse(struct flood *fl, int argc, char **argv)
{
	if (argc < 8 || argc > 10 || (argc == 10 && strcmp(argv[9], "syn") != 0) ||
	    addresses_parse(fl, argv[2], argv[3], argv[5]))
		return -1;
	fl->port = (u16)strtoul(argv[4], NULL, 10);
	fl->ttl = argc > 8 ? (u8)strtoul(argv[8], NULL, 10) : 64;
	fl->protocol = argc > 9 ? IPPROTO_TCP : IPPROTO_UDP;
	fl->l4_csum_at = argc > 9 ? 16 : 6;
	fl->l4_at = ETH_BYTES + (fl->addr_bytes == 4 ? 20 : 40);
	fl->l4_bytes = argc > 9 ? TCP_SYN_BYTES : UDP_BYTES;
	fl->frame_bytes = DWCP_MAX(fl->l4_at + fl->l4_bytes, (u32)FRAME_MIN);
	return 0;
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

/* Return: frames sent, < 0: none can be. */
static s64 flood_run(const struct flood *fl, int fd, u64 rate, u64 seconds)
{
	static u8 frame[BATCH][FRAME_MAX];
	struct mmsghdr msg[BATCH] = {0};
	struct iovec iov[BATCH];
	u64 begin = now_ns(), end = begin + seconds * 1000000000u, sent = 0;

	for (u32 i = 0; i < BATCH; i++) {
		frame_init(fl, frame[i]);
		iov[i] = (struct iovec){frame[i], fl->frame_bytes};
		msg[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
	}
	for (u64 now = begin; now < end; now = now_ns()) {
		const struct timespec tick = {.tv_nsec = 50000};
		int n;

		if (sent > (now - begin) * rate / 1000000000u) {
			nanosleep(&tick, NULL);
			continue;
		}
		if (fl->random_at < fl->addr_bytes)
			sources_draw(fl, frame);
		n = sendmmsg(fd, msg, BATCH, 0);
		if (n < 0 && errno != ENOBUFS && errno != EAGAIN) {
			perror("flood: send");
			return -1;
		}
		sent += n > 0 ? (u64)n : 0;
	}
	return (s64)sent;
}

int main(int argc, char **argv)
{
	struct flood fl = {0};
	s64 sent;
	int fd;

	if (flood_parse(&fl, argc, argv)) {
		fprintf(stderr,
			"usage: flood INTERFACE DST_MAC DST_IP DST_PORT SRC_IP[/BITS] PPS SECONDS "
			"[TTL [syn]]\n");
		return 2;
	}
	fd = packet_open(argv[1]);
	sent = flood_run(&fl, fd, strtoul(argv[6], NULL, 10), strtoul(argv[7], NULL, 10));
	close(fd);
	if (sent < 0)
		return 1;
	printf("sent=%lld\n", (long long)sent);
	return 0;
}
