/* SPDX-License-Identifier: BSD-3-Clause */
/* test_link.c - the agent's end of the link against a peer that is honest, slow, silent, forgetful or hostile. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <dwcp/util/config.h>
#include <dwcp/util/rib.h>

#include "io/clock.h"
#include "io/events.h"
#include "io/link.h"
#include "io/loop.h"
#include "peer.h"

static char dir[64], path[100];
static const char *const port_names[] = {"p0"};

/* ---- a link with a log of what it told ---------------------------------------------------------------------------- */

struct fixture {
	struct loop loop;
	struct link *link;
	struct peer *peer;
	u32 n_up, n_down, n_sent, n_adopted, n_refused;
	u64 sent_bytes;
	bool missing;
	char first_down[96], down[96], refused[96];
	u64 adopted;
};

static void on_up(void *arg, const struct dwcp_link_hello *hello)
{
	struct fixture *f = arg;

	(void)hello;
	f->n_up++;
	assert_non_null(link_pages(f->link)->stats);
}

static void on_down(void *arg, const char *reason, bool was_up)
{
	struct fixture *f = arg;

	if (f->n_down++ == 0)
		snprintf(f->first_down, sizeof(f->first_down), "%s", reason);
	snprintf(f->down, sizeof(f->down), "%s", reason);
	(void)was_up;
}

static void on_sent(void *arg, u64 bytes, u32 n_segments)
{
	struct fixture *f = arg;

	(void)n_segments;
	f->n_sent++;
	f->sent_bytes = bytes;
}

static void on_adopted(void *arg, const struct dwcp_link_adopted *m)
{
	struct fixture *f = arg;

	f->n_adopted++;
	f->adopted = m->generation;
}

static void on_refused(void *arg, const struct dwcp_link_refused *m, const char *reason,
		       bool missing)
{
	struct fixture *f = arg;

	(void)m;
	f->n_refused++;
	f->missing = missing;
	snprintf(f->refused, sizeof(f->refused), "%s", reason);
}

static const struct link_ops ops = {on_up, on_down, on_sent, on_adopted, on_refused};

static struct peer *peer_new(void)
{
	const struct peer_cfg cfg = {.path = path, .n_ports = 1, .port_names = port_names};

	return peer_open(&cfg);
}

static void fixture_open(struct fixture *f, bool with_peer)
{
	memset(f, 0, sizeof(*f));
	assert_int_equal(loop_init(&f->loop), 0);
	f->peer = with_peer ? peer_new() : NULL;
	assert_int_equal(link_create(&f->loop, path, &ops, f, &f->link), 0);
}

static void fixture_close(struct fixture *f)
{
	link_free(f->link);
	loop_fini(&f->loop);
	if (f->peer)
		peer_close(f->peer);
}

/* Turn the loop until *counter has reached n. */
static bool turn_until(struct fixture *f, const u32 *counter, u32 n, u32 timeout_ms)
{
	u64 end = clock_ns() + timeout_ms * 1000000ull;

	while (*counter < n && clock_ns() < end) {
		event_base_loop(f->loop.base, EVLOOP_NONBLOCK);
		poll(NULL, 0, 1);
	}
	return *counter >= n;
}

static void turn(struct fixture *f, u32 n)
{
	for (u32 i = 0; i < n; i++)
		event_base_loop(f->loop.base, EVLOOP_NONBLOCK);
}

static void connect_up(struct fixture *f)
{
	turn(f, 3);
	assert_int_equal(peer_accept(f->peer, 3000), 0);
	assert_true(turn_until(f, &f->n_up, f->n_up + 1, 3000));
}

/* ---- an image of real tables ---------------------------------------------------------------------------------------- */

static struct rib *rib_with(u32 n_routes, u32 chunk_bytes)
{
	static const char text[] = "ports = ({ name = \"p0\"; device = \"null\"; "
				   "addresses = [\"10.0.0.1/16\"]; });\n";
	const struct rib_cfg cfg = {.chunk_bytes = chunk_bytes};
	struct config_errors errors = {0};
	struct dwcp_config *config;
	struct rib *r = rib_create(&cfg);

	assert_int_equal(config_parse(text, strlen(text), "t", "/tmp", &config, &errors), 0);
	assert_int_equal(rib_configure(r, config), 0);
	for (u32 i = 0; i < n_routes; i++) {
		/* scattered over gateways, so that no two chunks have the same bytes */
		const struct path_cfg via = {.gateway = {.addr = {0, 0x0a000002 + i * 2654435761u %
											  5000},
							 .family = FIB_IP4,
							 .prefix_len = 32},
					     .port_idx = UINT16_MAX,
					     .weight = 1};
		const struct route_cfg route = {.prefix = {.addr = {0, 0x20000000 + (i << 12)},
							   .family = FIB_IP4,
							   .len = 32},
						.type = ROUTE_UNICAST,
						.paths = &via,
						.n_paths = 1};

		assert_int_equal(rib_route_set(r, RIB_STATIC, &route), 0);
	}
	config_free(config);
	return r;
}

static const struct table_image *image_of(struct rib *r, u64 generation)
{
	const struct manifest_cfg cfg = {.generation = generation, .created_unix_ns = 1};
	const struct table_image *image;

	assert_int_equal(rib_publish(r, &cfg, &image), 0);
	return image;
}

static void route_add(struct rib *r, u32 addr)
{
	const struct route_cfg route = {.prefix = {.addr = {0, addr}, .family = FIB_IP4, .len = 32},
					.type = ROUTE_BLACKHOLE};

	assert_int_equal(rib_route_set(r, RIB_STATIC, &route), 0);
}

/* Serve while the loop turns: the peer blocks, so it is asked only when something is there. */
static void serve(struct fixture *f, enum peer_answer answer, struct peer_publish *ret)
{
	u64 end = clock_ns() + 20000000000ull;
	int err = -ETIMEDOUT;

	while (err == -ETIMEDOUT && clock_ns() < end) {
		turn(f, 4);
		err = peer_serve(f->peer, answer, 2, ret);
		answer = answer == PEER_FORGET ? PEER_HONEST : answer;
	}
	assert_int_equal(err, 0);
}

/* ---- tests --------------------------------------------------------------------------------------------------------- */

static void it_waits_for_a_dataplane(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, false);
	assert_true(turn_until(&f, &f.n_down, 1, 2000));
	assert_string_equal(f.down, "dataplane_not_running");
	turn_until(&f, &f.n_down, 2, 400);
	assert_int_equal(f.n_down, 1); /* told once, however often it is tried */
	f.peer = peer_new();
	for (u32 i = 0; i < 3000 && peer_accept(f.peer, 1) != 0; i++)
		turn(&f, 1);
	assert_true(turn_until(&f, &f.n_up, 1, 3000));
	fixture_close(&f);
}

static void it_comes_back_after_a_restart(void **state)
{
	struct fixture f;
	u64 begin;

	(void)state;
	fixture_open(&f, true);
	connect_up(&f);
	begin = clock_ns();
	peer_close(f.peer);
	assert_true(turn_until(&f, &f.n_down, 1, 3000));
	assert_string_equal(f.first_down, "closed_by_peer");
	assert_null(link_pages(f.link)->stats);
	f.peer = peer_new();
	for (u32 i = 0; i < 3000 && peer_accept(f.peer, 1) != 0; i++)
		turn(&f, 1);
	assert_true(turn_until(&f, &f.n_up, 2, 3000));
	print_message("connected again after %.0f ms\n", (double)(clock_ns() - begin) / 1e6);
	assert_true(clock_ns() - begin < 1500000000ull);
	fixture_close(&f);
}

static void only_what_is_not_held_is_sent(void **state)
{
	struct rib *r = rib_with(3000, 65536);
	const struct table_image *image = image_of(r, 1);
	struct peer_publish p;
	struct fixture f;

	(void)state;
	fixture_open(&f, true);
	connect_up(&f);
	assert_int_equal(link_publish(f.link, image, 5, false), 0);
	assert_int_equal(link_publish(f.link, image, 5, false), -EBUSY);
	serve(&f, PEER_HONEST, &p);
	assert_true(p.adopted);
	assert_int_equal(p.event_ns, 5);
	assert_true(turn_until(&f, &f.n_adopted, 1, 3000));
	assert_int_equal(f.sent_bytes, p.bytes_sent + image->manifest->bytes);
	/* the same tables once more: a manifest and nothing else */
	image = image_of(r, 2);
	assert_int_equal(link_publish(f.link, image, 0, false), 0);
	serve(&f, PEER_HONEST, &p);
	assert_true(p.adopted);
	assert_int_equal(p.n_sent, 0);
	assert_true(turn_until(&f, &f.n_adopted, 2, 3000));
	/* after a new connection, too: the hello says what is held */
	peer_disconnect(f.peer);
	assert_true(turn_until(&f, &f.n_down, 1, 3000));
	connect_up(&f);
	image = image_of(r, 3);
	assert_int_equal(link_publish(f.link, image, 0, false), 0);
	serve(&f, PEER_HONEST, &p);
	assert_true(p.adopted);
	assert_int_equal(p.n_sent, 0);
	/* one route */
	assert_true(turn_until(&f, &f.n_adopted, 3, 3000));
	route_add(r, 0x20000101);
	image = image_of(r, 4);
	assert_int_equal(link_publish(f.link, image, 0, false), 0);
	serve(&f, PEER_HONEST, &p);
	assert_true(p.adopted);
	assert_in_range(p.n_sent, 1, 6);
	assert_true(turn_until(&f, &f.n_adopted, 4, 3000));
	/* and everything when asked for */
	image = image_of(r, 5);
	assert_int_equal(link_publish(f.link, image, 0, true), 0);
	serve(&f, PEER_HONEST, &p);
	assert_true(p.adopted);
	assert_true(p.n_sent > 6);
	assert_true(p.n_sent <= image->manifest->n_segments); /* equal ones once */
	fixture_close(&f);
	rib_free(r);
}

/* The smallest buffers that the kernel gives, so that a few messages fill them. */
static void buffers_shrink(void)
{
	for (int fd = 3; fd < 4096; fd++) {
		int type = 0, size = 1;
		socklen_t len = sizeof(type);

		if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET)
			setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
}

/* Far more than a message or the socket takes, to a peer that does not read for a while. */
static void a_full_socket_is_waited_for(void **state)
{
	struct rib *r = rib_with(40000, 4096);
	const struct table_image *image = image_of(r, 1);
	struct peer_publish p;
	struct fixture f;

	(void)state;
	fixture_open(&f, true);
	connect_up(&f);
	buffers_shrink();
	assert_true(image->manifest->n_segments > 3 * DWCP_LINK_MAX_FDS);
	assert_int_equal(link_publish(f.link, image, 0, false), 0);
	turn(&f, 1000);		       /* returns: nothing blocks */
	assert_int_equal(f.n_sent, 0); /* and it did not all go */
	serve(&f, PEER_HONEST, &p);
	assert_true(p.adopted);
	assert_true(p.n_sent > DWCP_LINK_MAX_FDS);
	assert_true(turn_until(&f, &f.n_adopted, 1, 3000));
	assert_true(f.loop.stall_max_ns < 1000000000u);
	print_message("%u segments, longest callback %llu us\n", p.n_sent,
		      (unsigned long long)f.loop.stall_max_ns / 1000);
	fixture_close(&f);
	rib_free(r);
}

static void refusals_are_told_with_their_cause(void **state)
{
	struct rib *r = rib_with(100, 65536);
	struct peer_publish p;
	struct fixture f;

	(void)state;
	fixture_open(&f, true);
	connect_up(&f);
	assert_int_equal(link_publish(f.link, image_of(r, 1), 0, false), 0);
	serve(&f, PEER_REFUSE, &p);
	assert_true(turn_until(&f, &f.n_refused, 1, 3000));
	assert_string_equal(f.refused, "test_refuses detail=7");
	assert_false(f.missing);
	fixture_close(&f);

	/* refused segments are the cause, missing ones the consequence */
	fixture_open(&f, true);
	connect_up(&f);
	assert_int_equal(link_publish(f.link, image_of(r, 3), 0, false), 0);
	serve(&f, PEER_REFUSE_SEGMENTS, &p);
	assert_true(turn_until(&f, &f.n_refused, 1, 3000));
	assert_string_equal(f.refused, "segment_disliked");
	assert_false(f.missing);
	/* what was refused is not held: it is sent again */
	assert_int_equal(link_publish(f.link, image_of(r, 4), 0, false), 0);
	serve(&f, PEER_HONEST, &p);
	assert_true(p.adopted);
	assert_true(p.n_sent > 0);
	assert_true(turn_until(&f, &f.n_adopted, 1, 3000));
	/* the dataplane has lost what it said it held */
	route_add(r, 0x20000101);
	assert_int_equal(link_publish(f.link, image_of(r, 5), 0, false), 0);
	serve(&f, PEER_FORGET, &p);
	assert_false(p.adopted);
	assert_true(turn_until(&f, &f.n_refused, 2, 3000));
	assert_true(f.missing);
	fixture_close(&f);
	rib_free(r);
}

static void events_arrive_and_are_kept(void **state)
{
	struct dwcp_event e = {.type = DWCP_EVENT_LINK, .port = 0, .a = 1};
	struct events *events;
	struct fixture f;
	u32 n_full = 0;
	u64 at;

	(void)state;
	fixture_open(&f, true);
	connect_up(&f);
	events = events_create(&f.loop, link_pages(f.link));
	assert_int_equal(events_open(events), 0);
	for (u32 i = 0; i < 3; i++) {
		e.time_ns = i + 1;
		assert_true(peer_event(f.peer, &e));
	}
	for (u32 i = 0; i < 2000 && !events_at(events, 2, &at); i++) {
		turn(&f, 1);
		poll(NULL, 0, 1);
	}
	assert_int_equal(events_at(events, 0, &at)->time_ns, 3); /* newest first */
	assert_int_equal(events_at(events, 2, &at)->time_ns, 1);
	assert_null(events_at(events, 3, &at));
	assert_int_equal(events_lost(events), 0);
	/* a flood: the ring is full before anybody reads, and what did not fit is counted */
	for (u32 i = 0; i < DWCP_RING_SLOTS + 100; i++)
		n_full += !peer_event(f.peer, &e);
	assert_int_equal(n_full, 100);
	for (u32 i = 0; i < 2000 && !events_at(events, EVENTS_KEPT - 1, &at); i++) {
		turn(&f, 1);
		poll(NULL, 0, 1);
	}
	assert_non_null(events_at(events, EVENTS_KEPT - 1, &at));
	assert_null(events_at(events, EVENTS_KEPT, &at));
	assert_int_equal(events_lost(events), 100);
	events_close(events);
	events_free(events);
	fixture_close(&f);
}

/* ---- a hostile peer -------------------------------------------------------------------------------------------------- */

/* A listener of its own, so that not even the hello is right. */
static int listener_open(void)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	unlink(path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void bad_greetings_end_the_connection(void **state)
{
	struct dwcp_link_hello h = {
		.hdr = {DWCP_LINK_MAGIC, DWCP_LINK_VERSION, DWCP_LINK_HELLO, sizeof(h), 0}};
	struct dwcp_link_hello version = h, short_hello = h, magic = h;
	struct {
		const void *bytes;
		size_t len;
		const char *why;
	} rows[] = {
		{"hello", 5, "protocol_header"},
		{&magic, sizeof(h), "protocol_header"},
		{&version, sizeof(h), "protocol_header"},
		{&short_hello, sizeof(h), "protocol_header"},
		{&h, sizeof(h), "protocol_hello"}, /* without its fds */
	};
	int listener = listener_open();
	struct fixture f;

	(void)state;
	magic.hdr.magic++;
	version.hdr.version++;
	short_hello.hdr.bytes--;
	fixture_open(&f, false);
	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		struct pollfd p = {.fd = listener, .events = POLLIN};
		int fd;

		for (u32 k = 0; k < 3000 && poll(&p, 1, 1) == 0; k++)
			turn(&f, 1);
		fd = accept(listener, NULL, NULL);
		f.down[0] = 0;
		assert_int_equal(send(fd, rows[i].bytes, rows[i].len, 0), rows[i].len);
		p.fd = fd;
		for (u32 k = 0; k < 3000 && !(p.revents & POLLHUP); k++) {
			turn(&f, 1);
			poll(&p, 1, 1);
		}
		assert_true(p.revents & POLLHUP);
		if (f.down[0]) /* the same reason twice is told once */
			assert_string_equal(f.down, rows[i].why);
		close(fd);
	}
	assert_int_equal(f.n_up, 0);
	close(listener);
	fixture_close(&f);
	unlink(path);
}

/* Whoever binds the path first is not therefore the dataplane. */
static void strangers_are_not_believed(void **state)
{
	struct fixture f;
	int ready[2], go[2];
	pid_t pid;
	char c;

	(void)state;
	if (geteuid() != 0) {
		print_message("skipped: needs root to become somebody else\n");
		skip();
	}
	assert_int_equal(pipe(ready) | pipe(go), 0);
	assert_int_equal(chmod(dir, 0777), 0);
	pid = fork();
	if (pid == 0) {
		if (setuid(65534) < 0)
			_exit(1);
		listener_open();
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(1);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	fixture_open(&f, false);
	assert_true(turn_until(&f, &f.n_down, 1, 3000));
	assert_string_equal(f.first_down, "peer_not_permitted");
	assert_int_equal(f.n_up, 0);
	assert_int_equal(write(go[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	fixture_close(&f);
	assert_int_equal(chmod(dir, 0700), 0);
	unlink(path);
	for (u32 i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

static u64 random_next(u64 *seed)
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 7;
	*seed ^= *seed << 17;
	return *seed;
}

/* Messages of every type with wrong lengths, counts and contents, at every moment: at worst the connection ends. */
static void garbage_ends_the_connection_at_worst(void **state)
{
	struct rib *r = rib_with(100, 65536);
	u64 seed = 0x9e3779b97f4a7c15ull;
	struct fixture f;
	u8 bytes[512];

	(void)state;
	fixture_open(&f, true);
	for (u32 round = 0; round < 300; round++) {
		struct dwcp_link_hdr *h = (void *)bytes;
		size_t len = sizeof(*h) + random_next(&seed) % (sizeof(bytes) - sizeof(*h));
		static const size_t lens[] = {sizeof(struct dwcp_link_segment_refused),
					      sizeof(struct dwcp_link_adopted),
					      sizeof(struct dwcp_link_refused),
					      sizeof(struct dwcp_link_held) + 8};

		if (!peer_connected(f.peer) || f.n_down) {
			peer_disconnect(f.peer);
			turn_until(&f, &f.n_down, 1, 3000);
			f.n_down = 0;
			for (u32 k = 0; k < 3000 && peer_accept(f.peer, 1) != 0; k++)
				turn(&f, 1);
			turn_until(&f, &f.n_up, f.n_up + 1, 3000);
			link_publish(f.link, image_of(r, round + 1), 0, false);
			turn(&f, 2);
		}
		for (u32 i = 0; i < sizeof(bytes); i++)
			bytes[i] = (u8)random_next(&seed);
		if (random_next(&seed) & 1)
			len = lens[random_next(&seed) % DWCP_ARRAY_LEN(lens)];
		*h = (struct dwcp_link_hdr){DWCP_LINK_MAGIC, DWCP_LINK_VERSION,
					    (u16)(random_next(&seed) % 9), (u32)len, 0};
		if (random_next(&seed) % 4 == 0)
			*(u64 *)(void *)(bytes + sizeof(*h)) =
				round + 1; /* the generation in flight */
		peer_send(f.peer, bytes, len);
		turn(&f, 3);
	}
	print_message("connected %u times\n", f.n_up);
	assert_true(f.n_up > 20);
	/* an honest peer is served as ever */
	peer_close(f.peer);
	turn_until(&f, &f.n_down, 1, 3000);
	f.peer = peer_new();
	f.n_adopted = 0;
	{
		struct peer_publish p;

		for (u32 k = 0; k < 3000 && peer_accept(f.peer, 1) != 0; k++)
			turn(&f, 1);
		turn_until(&f, &f.n_up, f.n_up + 1, 3000);
		assert_int_equal(link_publish(f.link, image_of(r, 1000), 0, false), 0);
		serve(&f, PEER_HONEST, &p);
		assert_true(turn_until(&f, &f.n_adopted, 1, 3000));
	}
	fixture_close(&f);
	rib_free(r);
}

static int dir_make(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/dwcp-link-XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/dataplane.link", dir);
	return 0;
}

static int dir_remove(void **state)
{
	(void)state;
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_waits_for_a_dataplane),
		cmocka_unit_test(it_comes_back_after_a_restart),
		cmocka_unit_test(only_what_is_not_held_is_sent),
		cmocka_unit_test(a_full_socket_is_waited_for),
		cmocka_unit_test(refusals_are_told_with_their_cause),
		cmocka_unit_test(events_arrive_and_are_kept),
		cmocka_unit_test(bad_greetings_end_the_connection),
		cmocka_unit_test(strangers_are_not_believed),
		cmocka_unit_test(garbage_ends_the_connection_at_worst),
	};

	return cmocka_run_group_tests(tests, dir_make, dir_remove);
}
