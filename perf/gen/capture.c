/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * capture.c - see capture.h. The classic format only: a header of 24 bytes, then 16 bytes and the frame for each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "capture.h"

#define FRAMES_MAX    (1u << 20)
#define LINK_ETHERNET 1
#define FRAME_MIN     60

static int capture_wrong(const char *path, const char *what)
{
	fprintf(stderr, "traffic_gen: %s: %s\n", path, what);
	return -EINVAL;
}

static int header_read(FILE *f, const char *path, bool *ret_swapped)
{
	u32 h[6];

	if (fread(h, sizeof(h), 1, f) != 1)
		return capture_wrong(path, "too short for a capture");
	*ret_swapped = h[0] == 0xd4c3b2a1 || h[0] == 0x4d3cb2a1;
	if (!*ret_swapped && h[0] != 0xa1b2c3d4 && h[0] != 0xa1b23c4d)
		return capture_wrong(path,
				     "not a pcap file (pcapng: convert it with editcap -F pcap)");
	if ((*ret_swapped ? __builtin_bswap32(h[5]) : h[5]) != LINK_ETHERNET)
		return capture_wrong(path, "its frames are not Ethernet");
	return 0;
}

static int frame_read(FILE *f, const char *path, bool swapped, struct gen_template *t)
{
	u32 h[4], len;

	if (fread(h, sizeof(h), 1, f) != 1)
		return feof(f) ? -ENODATA : -EIO;
	len = swapped ? __builtin_bswap32(h[2]) : h[2];
	if (len < 34 || len > GEN_FRAME_MAX)
		return capture_wrong(path, "a frame of fewer than 34 or more than 1518 bytes");
	t->len = DWCP_MAX(len, (u32)FRAME_MIN) + GEN_STAMP_BYTES;
	t->frame = calloc(1, t->len);
	if (!t->frame)
		return -ENOMEM;
	if (fread(t->frame, len, 1, f) == 1)
		return 0;
	free(t->frame);
	return capture_wrong(path, "ends in the middle of a frame");
}

static int frames_read(FILE *f, const char *path, bool swapped, struct gen_template **ret,
		       u32 *ret_n)
{
	int err = 0;

	for (u32 cap = 0; *ret_n < FRAMES_MAX; (*ret_n)++) {
		if (*ret_n == cap) {
			struct gen_template *more =
				realloc(*ret, (cap = cap ? cap * 2 : 1024) * sizeof(**ret));

			if (!more)
				return -ENOMEM;
			*ret = more;
		}
		err = frame_read(f, path, swapped, &(*ret)[*ret_n]);
		if (err)
			break;
	}
	if (err == -ENODATA)
		err = *ret_n ? 0 : capture_wrong(path, "no frame in it");
	return err;
}

int capture_load(const char *path, struct gen_template **ret, u32 *ret_n)
{
	FILE *f = fopen(path, "re");
	bool swapped;
	int err;

	*ret = NULL;
	*ret_n = 0;
	if (!f)
		return capture_wrong(path, strerror(errno));
	err = header_read(f, path, &swapped);
	if (!err)
		err = frames_read(f, path, swapped, ret, ret_n);
	fclose(f);
	if (err == -EIO)
		return capture_wrong(path, "could not be read");
	return err;
}
