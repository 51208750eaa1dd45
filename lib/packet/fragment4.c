/* SPDX-License-Identifier: BSD-3-Clause */
/* fragment4.c - see util/fragment4.h */
#include <dwcp/util/fragment4.h>

#include <dwcp/util/parse_inline.h>

#define IP4_MORE      0x2000u
#define IP4_DF	      0x4000u

#define OPTION_COPIED 0x80 /* RFC 791 §3.1 */

/* What later fragments have: the fixed header and the options to be copied, padded with END. */
static u32 later_header(const u8 *ip, u32 hdr_bytes, u8 *ret)
{
	u32 at = IP4_HDR_BYTES, n = IP4_HDR_BYTES, len;

	memset(ret, 0, IP4_HDR_MAX);
	memcpy(ret, ip, IP4_HDR_BYTES);
	while (at < hdr_bytes && ip[at] != 0) {
		len = ip[at] == 1 ? 1 : hdr_bytes - at < 2 ? 0 : ip[at + 1];
		if (len == 0 || len > hdr_bytes - at)
			break;
		if (ip[at] & OPTION_COPIED) {
			memcpy(ret + n, ip + at, len);
			n += len;
		}
		at += len;
	}
	n = DWCP_ALIGN_UP(n, 4u);
	ret[0] = (u8)(0x40 | n / 4);
	return n;
}

/* Data that fits behind a header: a multiple of 8. */
static u32 data_room(const struct fragment4 *f, u32 hdr_bytes)
{
	return f->mtu > hdr_bytes ? (f->mtu - hdr_bytes) & ~7u : 0;
}

/* Bytes of the piece that begins at f->at. */
static u32 piece_bytes(const struct fragment4 *f, u32 hdr_bytes)
{
	u32 left = f->data_bytes - f->at;

	return hdr_bytes + left <= f->mtu ? left : data_room(f, hdr_bytes);
}

u32 fragment4_init(struct fragment4 *f, const u8 *ip, u32 ip_len, u32 mtu)
{
	u32 word = be16_load(ip + 6), n = 0;

	memset(f, 0, sizeof(*f));
	f->first_bytes = (ip[0] & 15) * 4u;
	if (f->first_bytes < IP4_HDR_BYTES || f->first_bytes > ip_len || word & IP4_DF)
		return 0;
	memcpy(f->first_hdr, ip, f->first_bytes);
	f->later_bytes = later_header(ip, f->first_bytes, f->later_hdr);
	f->mtu = mtu;
	f->data_bytes = ip_len - f->first_bytes;
	f->offset = (word & 0x1fff) * 8;
	f->more = word & IP4_MORE;
	if (data_room(f, f->first_bytes) == 0 || data_room(f, f->later_bytes) == 0)
		return 0;
	for (; f->at < f->data_bytes; n++)
		f->at += piece_bytes(f, n ? f->later_bytes : f->first_bytes);
	f->at = 0;
	return n;
}

bool fragment4_next(struct fragment4 *f, struct fragment4_piece *ret)
{
	bool first = f->at == 0, more;

	if (f->at >= f->data_bytes)
		return false;
	ret->hdr_bytes = first ? f->first_bytes : f->later_bytes;
	memcpy(ret->hdr, first ? f->first_hdr : f->later_hdr, IP4_HDR_MAX);
	ret->data_at = f->at;
	ret->data_bytes = piece_bytes(f, ret->hdr_bytes);
	more = f->more || f->at + ret->data_bytes < f->data_bytes;
	be16_store(ret->hdr + 2, (u16)(ret->hdr_bytes + ret->data_bytes));
	be16_store(ret->hdr + 6, (u16)((more ? IP4_MORE : 0) | (f->offset + f->at) / 8));
	ip4_checksum_set(ret->hdr, ret->hdr_bytes);
	f->at += ret->data_bytes;
	return true;
}
