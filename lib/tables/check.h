/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.h - every check that untrusted tables pass, once: its name here is its reason token.
 *
 * The same sources are compiled again for the tests with GEN_CHECK_TESTED, where one check at a time is taken out: a
 * check whose absence no test notices is a check that does nothing. Hence no check may be implied by another one.
 */
#pragma once

#include <dwcp/base.h>

/* clang-format off */
#define GEN_CHECKS(X) \
	/* the fd of a manifest or of a segment */ \
	X(MEMFD_KIND,        "memfd_kind")        /* not a memfd: pipe, socket, device, file, O_PATH */ \
	X(MEMFD_SEALS,       "memfd_seals")       /* not sealed against write, shrink and grow */ \
	/* manifest */ \
	X(MANIFEST_SIZE,     "manifest_size")     /* more than a manifest may have, before it is read */ \
	X(MANIFEST_LENGTH,   "manifest_length")   /* not header + sections + segments, exactly */ \
	X(MANIFEST_MAGIC,    "manifest_magic") \
	X(MANIFEST_VERSION,  "manifest_version") \
	X(MANIFEST_BYTES,    "manifest_bytes")    /* its own length field */ \
	X(MANIFEST_HASH,     "manifest_hash") \
	X(MANIFEST_NUMBER,   "manifest_number")   /* generation 0 means none */ \
	X(MANIFEST_RESERVED, "manifest_reserved") \
	X(MANIFEST_SEGMENTS, "manifest_segments") /* too many */ \
	X(MANIFEST_TILING,   "manifest_tiling")   /* segments that no section names */ \
	X(SECTION_UNKNOWN,   "section_unknown") \
	X(SECTION_NOT_READ,  "section_not_read") \
	X(SECTION_DUPLICATE, "section_duplicate") \
	X(SECTION_VERSION,   "section_version") \
	X(SECTION_ELEMENT,   "section_element_bytes") \
	X(SECTION_RESERVED,  "section_reserved") \
	X(SECTION_CHUNK,     "section_chunk_bytes") \
	X(SECTION_TILING,    "section_tiling")    /* its segments don't follow those of the section before */ \
	X(SECTION_COUNT,     "section_n_elements") /* doesn't end inside the last segment */ \
	X(SECTION_MISSING,   "section_missing") \
	X(SEGMENT_SECTION,   "segment_section") \
	X(SEGMENT_FLAGS,     "segment_flags") \
	X(SEGMENT_CHUNK,     "segment_chunk")     /* not chunk_bytes; the last: more than chunk_bytes */ \
	X(SEGMENT_ALIGN,     "segment_align")     /* 0, or not a multiple of DWCP_SEGMENT_ALIGN */ \
	/* a segment as it is staged */ \
	X(SEGMENT_MAX,       "segment_max_bytes") \
	X(SEGMENT_SIZE,      "segment_size")      /* the file is not desc.bytes long */ \
	X(SEGMENT_HASH,      "segment_hash") \
	X(SEGMENT_HELD,      "segment_held_bytes") /* desc.bytes differs from that of the held segment */ \
	X(SET_BYTES,         "set_bytes")         /* cap of the memory held */ \
	X(SET_SEGMENTS,      "set_segments") \
	X(FIB_CHUNK,         "fib_chunk")         /* its detail is fib_chunk_check()'s */ \
	X(NEXTHOP_TYPE,      "nexthop_type") \
	X(NEXTHOP_FLAGS,     "nexthop_flags") \
	X(NEXTHOP_MTU,       "nexthop_mtu") \
	X(NEXTHOP_UNUSED,    "nexthop_unused")    /* a field that the type doesn't have is not 0 */ \
	X(NEXTHOP_DST,       "nexthop_dst_mac") \
	X(NEXTHOP_SRC,       "nexthop_src_mac") \
	X(NEXTHOP_TAGS,      "nexthop_n_tags") \
	X(NEXTHOP_TPID,      "nexthop_tpid") \
	X(NEXTHOP_BUCKETS,   "nexthop_n_buckets") /* not a power of two in 1..65536 */ \
	X(PORT_ADDR_IP4,     "port_addr_ip4")     /* no address that goes over a router */ \
	X(PORT_ADDR_IP6,     "port_addr_ip6") \
	X(PORT_ADDR_LINK,    "port_addr_link_local") /* not in fe80::/10 */ \
	X(PORT_ADDR_UNUSED,  "port_addr_unused")  /* reserved or flags not 0 */ \
	/* between sections, when a generation is opened */ \
	X(GENERATION_PORTS,  "generation_ports")  /* made for other ports than the dataplane has */ \
	X(GENERATION_BYTES,  "generation_bytes")  /* more address space than the cap */ \
	X(SECTION_TAIL,      "section_tail")      /* bytes behind the last element are not 0 */ \
	X(FIB_FACTS,         "fib_facts")         /* its detail is fib_facts_check()'s */ \
	X(NEXTHOP_ZERO,      "nexthop_zero")      /* slot 0 is missing, or not an anonymous "no route" */ \
	X(NEXTHOP_PORT,      "nexthop_port") \
	X(NEXTHOP_RANGE,     "nexthop_bucket_range") /* a group's buckets run past the section */ \
	X(BUCKET_SLOT,       "nexthop_bucket_slot") \
	X(BUCKET_NESTED,     "nexthop_bucket_nested") /* a group in a group */ \
	X(BUCKET_EMPTY,      "nexthop_bucket_empty")  /* a group's bucket names slot 0 */ \
	X(ID_SIZE,           "nexthop_id_size")   /* not a power of two */ \
	X(ID_SLOT,           "nexthop_id_slot")   /* that slot isn't there or has another id */ \
	X(ID_PROBE,          "nexthop_id_probe")  /* a lookup wouldn't find this entry */ \
	X(ID_COUNT,          "nexthop_id_count")  /* next hops whose id isn't in the table */ \
	X(PORT_ADDR_COUNT,   "port_addr_count")   /* of more ports than the dataplane has */ \
	/* files */ \
	X(FILE_KIND,         "file_kind") \
	X(FILE_SIZE,         "file_size") \
	X(FILE_PADDING,      "file_padding")
/* clang-format on */

enum gen_check {
	GEN_NONE,
#define X(name, text) GEN_##name,
	GEN_CHECKS(X)
#undef X
		GEN_N_CHECKS
};

/* What is wrong and where. Zeroed by the caller; filled in on the way to the fault. */
struct refusal {
	const char *token;
	const char *detail; /* a token of lib/fib, or "manifest" */
	u16 section;
	bool in_segment, in_element;
	u32 segment; /* index in its section */
	u32 element;
	int err; /* of a system call; 0 = none */
};

extern const char *const gen_check_token[GEN_N_CHECKS];

#ifdef GEN_CHECK_TESTED
extern enum gen_check gen_check_off;
#define GEN_CHECK(name, cond) ((cond) || gen_check_off == GEN_##name)
#else
#define GEN_CHECK(name, cond) (cond)
#endif

/* Leave the function with a refusal unless cond holds. */
#define GEN_REQUIRE(r, name, cond)                                                                 \
	do {                                                                                       \
		if (dwcp_unlikely(!GEN_CHECK(name, cond)))                                         \
			return refusal_set(r, GEN_##name, -EINVAL);                                \
	} while (0)

int refusal_set(struct refusal *r, enum gen_check check, int ret);
/* A system call failed: the token says which. Returns -err. */
int refusal_set_errno(struct refusal *r, const char *token, int err);
void refusal_format(const struct refusal *r, char *ret_reason);
