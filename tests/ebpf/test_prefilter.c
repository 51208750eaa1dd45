/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_prefilter.c - the XDP program on the parser's own rows and on mutations of them.
 *
 * Held against lib/packet's parser, on every frame: what the program drops, the parser drops whatever its port is like, and
 * under the same name; what the parser drops for a reason that the program knows, the program drops. And exactly one counter
 * moves, by one.
 *
 *	test_prefilter OBJECT      DWCP_SEED, DWCP_MUTATIONS (100,000; ten times as many with DWCP_TEST_FULL=1)
 */
#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

#include <bpf/bpf.h>
#include <linux/if_link.h>

#include "prefilter.h"
#include "rows.h"
#include "test_random.h"

#define MUTATIONS 100000

static const char *object;
static struct prefilter filter;
static struct row_set *rows;
static struct dwcp_xdp_counters before; /* of the slot that frames are run on */
static u64 n_reached[DWCP_XDP_N_COUNTERS];

static int setup(void **state)
{
	rows = rows_create();
	memset(&before, 0, sizeof(before));
	return prefilter_open(&filter, object, true) || prefilter_socket(&filter, 0, true);
}

static int teardown(void **state)
{
	prefilter_close(&filter);
	rows_free(rows);
	return 0;
}

/* Runs a frame; the counter that moved, and nothing else did. */
static u32 run(const u8 *bytes, u32 len, int want_drop, int want_pass)
{
	struct dwcp_xdp_counters now;
	int action = prefilter_run(&filter, bytes, len, 0, 0, 1, NULL);
	u32 moved = DWCP_XDP_N_COUNTERS;

	assert_int_equal(prefilter_counters(&filter, 0, &now), 0);
	for (u32 i = 0; i < DWCP_XDP_COUNTERS_MAX; i++) {
		u64 n = now.packets[i] - before.packets[i];

		if (!n)
			continue;
		assert_int_equal(n, 1);
		assert_int_equal(moved, DWCP_XDP_N_COUNTERS);
		moved = i;
	}
	before = now;
	assert_in_range(moved, 0, DWCP_XDP_N_COUNTERS - 1);
	assert_int_equal(action, moved < DWCP_XDP_N_KINDS ? want_pass : want_drop);
	n_reached[moved]++;
	return moved;
}

static u32 parse(const u8 *bytes, u32 len, bool promiscuous, bool verified, struct pkt *p)
{
	struct parse_cfg cfg = {.promiscuous = promiscuous, .checksum_verified = verified};

	memcpy(cfg.mac, build_our_mac, sizeof(cfg.mac));
	return parse_packet(&cfg, bytes, len, len, p);
}

/* The parser reads options before it judges the source; the program doesn't know options, nor checksums. */
static bool same_name(u32 counter, u32 verdict)
{
	if (counter == DWCP_XDP_IP4_SOURCE && (verdict == VERDICT_DROP(DROP_IP4_OPTION) ||
					       verdict == VERDICT_DROP(DROP_IP4_SOURCE_ROUTE)))
		return true;
	return strcmp(prefilter_name(counter), row_verdict_name(verdict)) == 0;
}

static bool to_link_local(const u8 *ip6)
{
	return ip6[24] == 0xfe && (ip6[25] & 0xc0) == 0x80;
}

static bool known_to_program(const u8 *bytes, u32 verdict, const struct pkt *p)
{
	if (verdict == VERDICT_PASS)
		return false;
	/* a jumbogram by its option, in a packet that has a length as well: needs the options read */
	if (verdict == VERDICT_DROP(DROP_IP6_PAYLOAD_LENGTH) && bytes[p->l3_offset + 6] == 0 &&
	    (bytes[p->l3_offset + 4] | bytes[p->l3_offset + 5]))
		return false;
	/* the dataplane hands these to the kernel */
	if (verdict == VERDICT_DROP(DROP_IP6_SOURCE) && to_link_local(bytes + p->l3_offset))
		return false;
	for (u32 i = DWCP_XDP_N_KINDS; i < DWCP_XDP_N_COUNTERS; i++)
		if (strcmp(prefilter_name(i), row_verdict_name(verdict)) == 0)
			return true;
	return false;
}

static u32 kind_expected(u32 verdict, const struct pkt *p)
{
	if (verdict == VERDICT_DROP(DROP_L2_ARP))
		return DWCP_XDP_ARP;
	if (verdict == VERDICT_DROP(DROP_L2_ETHERTYPE))
		return DWCP_XDP_OTHER;
	if (p->flags & PKT_IP4)
		return DWCP_XDP_IP4;
	return p->flags & PKT_IP6 ? DWCP_XDP_IP6 : DWCP_XDP_N_COUNTERS;
}

/* Return: what is wrong with how program and parser agree on a frame, or NULL. */
static const char *disagreement(const u8 *bytes, u32 len, u32 counter, u32 *ret_verdict)
{
	struct pkt p;
	u32 kind;

	for (u32 j = 0; j < 4; j++) {
		*ret_verdict = parse(bytes, len, j & 1, j & 2, &p);
		if (counter >= DWCP_XDP_N_KINDS && *ret_verdict == VERDICT_PASS)
			return "dropped, and the parser passes it";
	}
	/* j = 3, promiscuous and checksum verified: the two that the program knows nothing of are out of the way */
	if (counter == DWCP_XDP_IP6_SOURCE && to_link_local(bytes + p.l3_offset))
		return "dropped, and may be for the router itself";
	if (counter >= DWCP_XDP_N_KINDS)
		return same_name(counter, *ret_verdict) ? NULL : "dropped under another name";
	if (bytes[0] & 1)
		return counter == DWCP_XDP_GROUP ? NULL : "for a group, and not counted so";
	if (known_to_program(bytes, *ret_verdict, &p))
		return "passed, and the parser drops it for a reason that the program knows";
	kind = kind_expected(*ret_verdict, &p);
	return kind == DWCP_XDP_N_COUNTERS || kind == counter ? NULL : "of another kind";
}

static void check(const u8 *bytes, u32 len, const char *name)
{
	u32 counter = run(bytes, len, XDP_DROP, XDP_REDIRECT), verdict;
	const char *wrong = disagreement(bytes, len, counter, &verdict);

	if (!wrong)
		return;
	for (u32 i = 0; i < len; i++)
		printf("%02x%s", bytes[i], i + 1 == len ? "\n" : "");
	fail_msg("%s (%u bytes): %s: program %s, parser %s", name, len, wrong,
		 prefilter_name(counter), row_verdict_name(verdict));
}

static bool runnable(u32 len)
{
	return len >= PREFILTER_MIN_BYTES && len <= PREFILTER_MAX_BYTES;
}

static void test_rows(void **state)
{
	u32 n = 0;

	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];

		if (!runnable(r->seg_len))
			continue;
		check(r->bytes, r->seg_len, r->name);
		n++;
	}
	print_message("%u rows of %u; the others are too short or too long to be run\n", n,
		      rows->n);
	assert_true(n * 5 > rows->n * 4);
}

/* Up to four bytes changed, most of them in the headers, and sometimes the end cut off. */
static u32 mutate(struct test_random *random, u8 *frame, u32 len)
{
	u32 n = 1 + test_random_below(random, 4);

	for (u32 i = 0; i < n; i++) {
		u32 reach = test_random_below(random, 4) ? DWCP_MIN(len, 62u) : len;

		frame[test_random_below(random, reach)] = (u8)test_random_next(random);
	}
	if (test_random_below(random, 8) == 0)
		len = PREFILTER_MIN_BYTES +
		      test_random_below(random, len - PREFILTER_MIN_BYTES + 1);
	return len;
}

static void test_mutations(void **state)
{
	struct test_random random = test_random_init("mutations");
	const char *text = getenv("DWCP_MUTATIONS"), *full = getenv("DWCP_TEST_FULL");
	u32 n = text		       ? (u32)strtoul(text, NULL, 10)
		: full && *full == '1' ? 10 * MUTATIONS
				       : MUTATIONS;

	for (u32 i = 0; i < n; i++) {
		const struct row *r = &rows->row[test_random_below(&random, rows->n)];
		u8 frame[PREFILTER_MAX_BYTES];

		if (!runnable(r->seg_len))
			continue;
		memcpy(frame, r->bytes, r->seg_len);
		check(frame, mutate(&random, frame, r->seg_len), r->name);
	}
	print_message("%u mutations%s\n", n, n < 10 * MUTATIONS ? " (--full: 1,000,000)" : "");
}

/* What the parser drops and the dataplane then hands to the kernel: malformed or not, it passes here. */
static void test_router_itself(void **state)
{
	struct packet_build b = {0};

	build_eth(&b);
	build_ip6(&b);
	build_icmp6(&b, 135, 0, 0);
	build_fix(&b);
	memset(b.bytes + b.l3 + 8, 0, 15); /* from ::1 */
	b.bytes[b.l3 + 23] = 1;
	assert_int_equal(run(b.bytes, b.len, XDP_DROP, XDP_REDIRECT), DWCP_XDP_IP6_SOURCE);
	memcpy(b.bytes + b.l3 + 24, "\xfe\x80\0\0\0\0\0", 8);
	assert_int_equal(run(b.bytes, b.len, XDP_DROP, XDP_REDIRECT), DWCP_XDP_IP6);
	b.bytes[b.l3 + 24] = 0xff; /* for a group */
	b.bytes[0] = 0x33;
	assert_int_equal(run(b.bytes, b.len, XDP_DROP, XDP_REDIRECT), DWCP_XDP_GROUP);
	b.bytes[b.l3] = 0x10;
	assert_int_equal(run(b.bytes, b.len, XDP_DROP, XDP_REDIRECT), DWCP_XDP_GROUP);
}

/* No socket: nothing gets through, malformed packets keep their own names, everything is counted. */
static void test_no_socket(void **state)
{
	u32 n = 0;

	assert_int_equal(prefilter_socket(&filter, 0, false), 0);
	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];

		if (!runnable(r->seg_len))
			continue;
		n += run(r->bytes, r->seg_len, XDP_DROP, -1) == DWCP_XDP_NO_SOCKET;
	}
	print_message("%u frames died for want of a socket\n", n);
	assert_true(n > 500);
}

static void test_switched_off(void **state)
{
	struct prefilter strict = filter;
	struct dwcp_xdp_counters kept = before;

	memset(&before, 0, sizeof(before));
	assert_int_equal(prefilter_open(&filter, object, false), 0);
	assert_int_equal(prefilter_socket(&filter, 0, true), 0);
	for (u32 i = 0; i < rows->n; i++) {
		const struct row *r = &rows->row[i];

		if (runnable(r->seg_len))
			run(r->bytes, r->seg_len, -1, XDP_REDIRECT);
	}
	assert_true(before.packets[DWCP_XDP_MALFORMED] > 50);
	prefilter_close(&filter);
	filter = strict;
	before = kept;
}

static void test_queues(void **state)
{
	struct dwcp_xdp_counters counters;
	struct packet_build b;
	u32 ifindex;

	rows_valid_build(0, &b);
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(
		system("ip link add x0 numrxqueues 300 numtxqueues 1 type veth peer name x1"), 0);
	ifindex = if_nametoindex("x0");
	assert_int_equal(bpf_xdp_attach((int)ifindex, filter.prog_fd, XDP_FLAGS_DRV_MODE, NULL), 0);
	assert_int_equal(system("ip link set x0 up"), 0);

	prefilter_socket(&filter, 0, false);
	assert_int_equal(prefilter_socket(&filter, 3, true), 0);
	assert_int_equal(prefilter_run(&filter, b.bytes, b.len, ifindex, 3, 1, NULL), XDP_REDIRECT);
	assert_int_equal(prefilter_run(&filter, b.bytes, b.len, ifindex, 4, 1, NULL), XDP_DROP);
	assert_int_equal(prefilter_run(&filter, b.bytes, b.len, ifindex, 299, 1, NULL), XDP_DROP);
	assert_int_equal(prefilter_counters(&filter, 3, &counters), 0);
	assert_int_equal(counters.packets[DWCP_XDP_IP4], 1);
	assert_int_equal(counters.packets[DWCP_XDP_NO_SOCKET], 0);
	assert_int_equal(prefilter_counters(&filter, 4, &counters), 0);
	assert_int_equal(counters.packets[DWCP_XDP_NO_SOCKET], 1);
	assert_int_equal(prefilter_counters(&filter, DWCP_XDP_MAX_QUEUES, &counters), 0);
	assert_int_equal(counters.packets[DWCP_XDP_NO_SOCKET], 1);
}

static void test_every_counter(void **state)
{
	for (u32 i = 0; i < DWCP_XDP_N_COUNTERS; i++) {
		print_message("%10lu %s\n", n_reached[i], prefilter_name(i));
		/* the kernel runs it on nothing that short */
		if (i != DWCP_XDP_L2_TRUNCATED)
			assert_true(n_reached[i]);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mutations, setup, teardown),
		cmocka_unit_test_setup_teardown(test_router_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_socket, setup, teardown),
		cmocka_unit_test_setup_teardown(test_switched_off, setup, teardown),
		cmocka_unit_test_setup_teardown(test_queues, setup, teardown),
		cmocka_unit_test(test_every_counter),
	};

	if (argc != 2) {
		fprintf(stderr, "usage: test_prefilter OBJECT\n");
		return 2;
	}
	object = argv[1];
	if (geteuid() != 0) {
		printf("needs root: loading an XDP program\n");
		return 77;
	}
	if (prefilter_open(&filter, object, true) == -EPERM) {
		printf("this kernel lets nobody load XDP programs here\n");
		return 77;
	}
	prefilter_close(&filter);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
