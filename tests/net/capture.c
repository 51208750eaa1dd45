/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c - a capture for the router to forward, and the judge of the capture that comes out.
 *
 *     capture write PROBES PORT_MAC IN           a frame a probe; one in 64 or so of each kind that must be dropped
 *     capture check PROBES K PORT_MAC SRC_MAC IN OUT
 *     capture expect PROBES K PORT_MAC SRC_MAC OUT   the very capture that `check` wants, to test `check` with
 *
 * PROBES comes from `swap_tables probes`; K is the table that was in use, PORT_MAC the MAC of the router's port that reads
 * IN, SRC_MAC that of the port that writes OUT. `check` wants OUT to hold every frame that had to be forwarded, in order,
 * byte for byte as a router must send it, and nothing else; it prints what it found as JSON.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture_packet.h"

#define PCAP_MAGIC    0xa1b2c3d4u
#define PCAP_MAGIC_NS 0xa1b23c4du
#define MISMATCH_MAX  5u /* reported in full */

struct pcap_file_hdr {
	u32 magic;
	u16 major, minor;
	u32 zone, sigfigs, snaplen, linktype;
};

struct pcap_hdr {
	u32 seconds, fraction, captured_bytes, frame_bytes;
};

struct probes {
	struct swap_probe *probe; /* [n] */
	u32 n;
};

static int mac_read(const char *text, u8 ret_mac[6])
{
	char end;

	return sscanf(text, "%2hhx:%2hhx:%2hhx:%2hhx:%2hhx:%2hhx%c", &ret_mac[0], &ret_mac[1],
		      &ret_mac[2], &ret_mac[3], &ret_mac[4], &ret_mac[5], &end) == 6
		       ? 0
		       : -EINVAL;
}

static int probes_read(const char *path, struct probes *ret)
{
	FILE *in = fopen(path, "re");

	if (!in)
		return -errno;
	ret->probe = calloc(SWAP_N_PROBES, sizeof(*ret->probe));
	ret->n = ret->probe ? (u32)fread(ret->probe, sizeof(*ret->probe), SWAP_N_PROBES, in) : 0;
	fclose(in);
	return ret->n ? 0 : -ENODATA;
}

/* A table in use: whose next hops, from which MAC. NULL stands for "as the router gets them". */
struct expectation {
	u32 table;
	u8 src_mac[6];
};

static void hop_mac(const struct expectation *e, const struct swap_probe *probe, u8 ret_mac[6])
{
	u8 mac[6] = {2, 0, 0, 0, 1, (u8)((probe->index + e->table) % SWAP_N_NEXTHOPS)};

	memcpy(ret_mac, mac, sizeof(mac));
}

static int capture_write(const struct probes *p, const u8 port_mac[6], const struct expectation *e,
			 const char *path)
{
	struct pcap_file_hdr hdr = {PCAP_MAGIC, 2, 4, 0, 0, 65535, 1};
	u8 frame[CAPTURE_FRAME_MAX], hop[6];
	FILE *out = fopen(path, "we");
	int err = 0;

	if (!out)
		return -errno;
	fwrite(&hdr, sizeof(hdr), 1, out);
	for (u32 i = 0; i < p->n; i++) {
		u32 len = capture_frame(i, &p->probe[i], port_mac, frame);
		struct pcap_hdr rec = {i / 1000000, i % 1000000, len, len};

		if (e && capture_fate(i, p->probe[i].family) != CAPTURE_FORWARD)
			continue;
		if (e) {
			hop_mac(e, &p->probe[i], hop);
			capture_forwarded(frame, e->src_mac, hop);
		}
		fwrite(&rec, sizeof(rec), 1, out);
		fwrite(frame, len, 1, out);
	}
	if (ferror(out))
		err = -EIO;
	if (fclose(out))
		err = -EIO;
	return err;
}

/* Return: the frame's length, 0 at the end of the file, -EBADMSG. */
static int frame_read(FILE *in, u8 *ret_frame)
{
	struct pcap_hdr rec;

	if (fread(&rec, sizeof(rec), 1, in) != 1)
		return 0;
	if (rec.captured_bytes != rec.frame_bytes || rec.captured_bytes > CAPTURE_FRAME_MAX ||
	    rec.captured_bytes == 0)
		return -EBADMSG;
	return fread(ret_frame, rec.captured_bytes, 1, in) == 1 ? (int)rec.captured_bytes
								: -EBADMSG;
}

static FILE *capture_open(const char *path)
{
	struct pcap_file_hdr hdr;
	FILE *in = fopen(path, "re");

	if (!in || fread(&hdr, sizeof(hdr), 1, in) != 1 ||
	    (hdr.magic != PCAP_MAGIC && hdr.magic != PCAP_MAGIC_NS)) {
		fprintf(stderr, "capture: %s: %s\n", path, in ? "no capture" : strerror(errno));
		if (in)
			fclose(in);
		return NULL;
	}
	return in;
}

struct judge {
	FILE *in, *out;
	struct expectation want;
	u64 fate[CAPTURE_N_FATES];
	u64 ip6, bytes, wrong;
};

static void judge_mismatch(struct judge *j, u32 i, const u8 *want, int want_len, const u8 *got,
			   int got_len)
{
	int at = 0;

	if (j->wrong++ >= MISMATCH_MAX)
		return;
	while (at < want_len && at < got_len && want[at] == got[at])
		at++;
	fprintf(stderr, "capture: frame %u: %d bytes instead of %d, first difference at byte %d\n",
		i, got_len, want_len, at);
}

/* Return: 0, or -EBADMSG when the input itself is not what `write` wrote. */
static int judge_frame(struct judge *j, u32 i, const struct swap_probe *probe, const u8 port_mac[6])
{
	u8 want[CAPTURE_FRAME_MAX], got[CAPTURE_FRAME_MAX], sent[CAPTURE_FRAME_MAX];
	u8 hop[6];
	enum capture_fate fate = capture_fate(i, probe->family);
	int len = (int)capture_frame(i, probe, port_mac, want);
	int got_len;

	if (frame_read(j->in, sent) != len || memcmp(sent, want, (size_t)len) != 0)
		return -EBADMSG;
	j->fate[fate]++;
	if (fate != CAPTURE_FORWARD)
		return 0;
	hop_mac(&j->want, probe, hop);
	capture_forwarded(want, j->want.src_mac, hop);
	got_len = frame_read(j->out, got);
	if (got_len != len || memcmp(got, want, (size_t)len) != 0)
		judge_mismatch(j, i, want, len, got, got_len);
	j->ip6 += probe->family == 6;
	j->bytes += (u64)len;
	return 0;
}

static int capture_check(struct judge *j, const struct probes *p, const u8 port_mac[6])
{
	u8 frame[CAPTURE_FRAME_MAX];
	u64 extra = 0;

	for (u32 i = 0; i < p->n; i++) {
		if (judge_frame(j, i, &p->probe[i], port_mac)) {
			fprintf(stderr, "capture: frame %u of the input is not the one written\n",
				i);
			return -EBADMSG;
		}
	}
	while (frame_read(j->out, frame))
		extra++;
	printf("{\"frames\": %u, \"forwarded\": %lu, \"ip6\": %lu, \"bytes\": %lu, \"drop_ttl\": "
	       "%lu, "
	       "\"drop_checksum\": %lu, \"drop_not_ours\": %lu, \"drop_multicast\": %lu, "
	       "\"wrong\": %lu, "
	       "\"extra\": %lu}\n",
	       p->n, j->fate[CAPTURE_FORWARD], j->ip6, j->bytes, j->fate[CAPTURE_TTL],
	       j->fate[CAPTURE_CHECKSUM], j->fate[CAPTURE_OTHER_HOST],
	       j->fate[CAPTURE_MULTICAST_L2], j->wrong, extra);
	return j->wrong || extra ? -EBADMSG : 0;
}

static int check_run(char **argv, const struct probes *p)
{
	struct judge j = {.want.table = (u32)strtoul(argv[3], NULL, 10)};
	u8 port_mac[6];
	int err = -EINVAL;

	j.in = capture_open(argv[6]);
	j.out = capture_open(argv[7]);
	if (j.in && j.out && !mac_read(argv[4], port_mac) && !mac_read(argv[5], j.want.src_mac))
		err = capture_check(&j, p, port_mac);
	if (j.in)
		fclose(j.in);
	if (j.out)
		fclose(j.out);
	return err;
}

static int expect_run(char **argv, const struct probes *p)
{
	struct expectation e = {.table = (u32)strtoul(argv[3], NULL, 10)};
	u8 port_mac[6];

	if (mac_read(argv[4], port_mac) || mac_read(argv[5], e.src_mac))
		return -EINVAL;
	return capture_write(p, port_mac, &e, argv[6]);
}

static int write_run(char **argv, const struct probes *p)
{
	u8 port_mac[6];

	return mac_read(argv[3], port_mac) ? -EINVAL : capture_write(p, port_mac, NULL, argv[4]);
}

static const struct {
	const char *name;
	int argc;
	int (*run)(char **argv, const struct probes *p);
} commands[] = {{"write", 5, write_run}, {"check", 8, check_run}, {"expect", 7, expect_run}};

int main(int argc, char **argv)
{
	struct probes p = {0};
	int err = -EINVAL;

	for (u32 i = 0; i < DWCP_ARRAY_LEN(commands); i++) {
		if (argc != commands[i].argc || strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (probes_read(argv[2], &p))
			fprintf(stderr, "capture: %s: no probes\n", argv[2]);
		else
			err = commands[i].run(argv, &p);
		free(p.probe);
		return err ? 1 : 0;
	}
	fprintf(stderr, "usage: capture write PROBES PORT_MAC IN\n"
			"       capture check PROBES K PORT_MAC SRC_MAC IN OUT\n"
			"       capture expect PROBES K PORT_MAC SRC_MAC OUT\n");
	return 2;
}
