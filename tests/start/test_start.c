/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_start.c - what a new user meets first: bad configuration, missing devices, no huge pages, busy sockets, a second
 * instance, full and unwritable disks. Each ends in one clear line that says what to do, or in running on and saying so.
 * And every kind of port comes up.
 */
#include <stdarg.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "harness.h"

#define READY_MS 20000
#define END_MS	 20000

static struct lab lab;

static void config_write(const char *node, const char *dataplane, const char *ports)
{
	lab_write(&lab, "dwcp.conf",
		  "node: { name = \"t\"; state_dir = \"%s/state\"; run_dir = \"%s/run\"; %s };\n"
		  "dataplane: { file_prefix = \"dwcp-start-%d\"; %s\n};\nports: ( %s );\n",
		  lab.dir, lab.dir, node, getpid(), dataplane, ports);
}

#define WORKER	 "workers = [0];"
#define NO_HUGE	 "memory: { huge_pages = \"off\"; size_mb = 64; mbufs = 4096; };"
#define RING	 "rx_ring = 256; tx_ring = 256; "
#define NULLPORT "{ name = \"p0\"; twin = \"off\"; device = \"null\"; " RING "}"

static void start(void)
{
	const char *argv[] = {program("dwcp-dataplane"), "--config", lab.config, NULL};

	unlink(lab_path(&lab, "dataplane.log"));
	proc_start(&lab, &lab.dataplane, "dataplane", argv);
}

/* It ends by itself, with status 1 and a line that holds both texts. */
static void expect_refusal(struct proc *p, const char *event, const char *text)
{
	u64 end = now_ns() + END_MS * 1000000ull;

	while (proc_alive(p) && now_ns() < end)
		sleep_ms(5);
	if (p->pid > 0) {
		proc_print_log(p);
		fail_msg("still runs instead of: %s %s", event, text);
	}
	if (!proc_log_has(p, event, 0) || !proc_log_has(p, text, 0) ||
	    !proc_log_has(p, "hint=", 0)) {
		proc_print_log(p);
		fail_msg("expected a line: %s … %s … hint=", event, text);
	}
	assert_int_equal(p->exit_status, 1);
}

static void expect_ready(void)
{
	if (proc_wait_log(&lab.dataplane, "control.ready", 0, READY_MS))
		return;
	proc_print_log(&lab.dataplane);
	fail_msg("did not start");
}

static void stop(void)
{
	assert_int_equal(proc_stop(&lab.dataplane, SIGTERM, 10000), 0);
}

/* ---- refusals --------------------------------------------------------------------------------------------------- */

static void test_config(void **state)
{
	config_write("", WORKER NO_HUGE " burst = 3;", NULLPORT);
	start();
	expect_refusal(&lab.dataplane, "config.load", "dataplane.burst");
	unlink(lab.config);
	start();
	expect_refusal(&lab.dataplane, "config.load", "No such file");
}

static void test_devices(void **state)
{
	static const char *const ports[][2] = {
		{"{ name = \"p0\"; twin = \"off\"; device = \"0000:ff:1f.7\"; }", "no_such_device"},
		{"{ name = \"p0\"; twin = \"off\"; device = \"af_packet\"; args = "
		 "\"iface=nosuchif0\"; }",
		 "port.open port=p0"},
		{"{ name = \"p0\"; twin = \"off\"; device = \"pcap\"; args = "
		 "\"rx_pcap=/nonexistent.pcap,tx_pcap=/dev/null\"; }",
		 "port.open port=p0"},
	};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(ports); i++) {
		config_write("", WORKER NO_HUGE, ports[i][0]);
		start();
		expect_refusal(&lab.dataplane, "port.open", ports[i][1]);
	}
}

static void test_queues(void **state)
{
	config_write("", "workers = [0, 0];" NO_HUGE,
		     "{ name = \"p0\"; twin = \"off\"; device = \"pcap\"; args = "
		     "\"rx_iface=lo,tx_pcap=/dev/null\"; " RING "}");
	start();
	expect_refusal(&lab.dataplane, "port.open", "too_few_tx_queues");
}

static void test_worker_cpu(void **state)
{
	config_write("", "workers = [97];" NO_HUGE, NULLPORT);
	start();
	expect_refusal(&lab.dataplane, "memory.init", "97");
}

static void test_no_huge_pages(void **state)
{
	config_write("", WORKER "memory: { huge_pages = \"on\"; size_mb = 30000; };", NULLPORT);
	start();
	expect_refusal(&lab.dataplane, "memory.init", "nr_hugepages");
}

/* Of small pages a buffer takes a whole one: memory is reckoned so. */
static void test_many_small_pages(void **state)
{
	config_write("", WORKER "memory: { huge_pages = \"off\"; size_mb = 64; mbufs = 60000; };",
		     NULLPORT);
	start();
	expect_ready();
	stop();
}

static void test_run_dir(void **state)
{
	const char *argv[] = {program("dwcp-dataplane"),
			      "--config",
			      lab.config,
			      "--run-dir",
			      "/proc/none",
			      NULL};

	config_write("", WORKER NO_HUGE, NULLPORT);
	unlink(lab_path(&lab, "dataplane.log"));
	proc_start(&lab, &lab.dataplane, "dataplane", argv);
	expect_refusal(&lab.dataplane, "instance.lock", "--run-dir");
}

static void test_two_instances(void **state)
{
	const char *argv[] = {program("dwcp-dataplane"), "--config", lab.config, NULL};
	struct proc second = {0};

	config_write("", WORKER NO_HUGE, NULLPORT);
	start();
	expect_ready();
	proc_start(&lab, &second, "second", argv);
	expect_refusal(&second, "instance.lock", "already_running");
	stop();
}

static void test_busy_socket(void **state)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/dataplane.sock", lab.run_dir);
	unlink(addr.sun_path);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	assert_int_equal(listen(fd, 4), 0);
	config_write("", WORKER NO_HUGE, NULLPORT);
	start();
	expect_refusal(&lab.dataplane, "api.listen", "in use");
	close(fd);
	start(); /* a dead socket is no obstacle */
	expect_ready();
	stop();
}

/* ---- running on, and saying so ------------------------------------------------------------------------------------ */

static void expect_status_text(const char *text)
{
	json_t *o = api_get(&lab, "dataplane.sock", "/v1/status");
	char *s = o ? json_dumps(o, 0) : NULL;

	assert_non_null(s);
	if (!strstr(s, text))
		fail_msg("status does not say '%s': %s", text, s);
	free(s);
	json_decref(o);
}

static void test_damaged_generation(void **state)
{
	lab_write(&lab, "state/generation", "this is no generation of tables");
	config_write("", WORKER NO_HUGE, NULLPORT);
	start();
	expect_ready();
	assert_true(proc_log_has(&lab.dataplane, "tables.restore", 0));
	expect_status_text("\"last_refusal\": {");
	expect_status_text("no tables yet");
	stop();
	unlink(lab_path(&lab, "state/generation"));
}

static void test_state_dir(void **state)
{
	lab_write(&lab, "dwcp.conf",
		  "node: { name = \"t\"; state_dir = \"/proc/none\"; run_dir = \"%s/run\"; };\n"
		  "dataplane: { " WORKER NO_HUGE " };\nports: ( " NULLPORT " );\n",
		  lab.dir);
	start();
	expect_ready();
	assert_true(proc_log_has(&lab.dataplane, "tables.store", 0));
	assert_true(proc_log_has(&lab.dataplane, "hint=", 0));
	stop();
}

static bool store_failed(void *arg)
{
	return proc_log_has(&lab.dataplane, "No space left", 0);
}

/* A publish on a full disk: adopted all the same, the error is in log and status. */
static void test_full_disk(void **state)
{
	const char *agent[] = {program("dwcp-agent"), "--config", lab.config, NULL};

	if (geteuid() != 0)
		return; /* main() says so and exits with 77 */
	assert_int_equal(mount("tmpfs", lab.state_dir, "tmpfs", 0, "size=16k"), 0);
	config_write("", WORKER NO_HUGE,
		     "{ name = \"p0\"; twin = \"off\"; device = \"null\"; " RING
		     " addresses = [\"10.0.0.1/24\"]; }");
	start();
	expect_ready();
	proc_start(&lab, &lab.agent, "agent", agent);
	assert_true(wait_until(store_failed, NULL, 20000));
	expect_status_text("No space left");
	expect_status_text("\"generation\": 1");
	proc_stop(&lab.agent, SIGTERM, 5000);
	stop();
	umount(lab.state_dir);
}

/* ---- every kind of port ----------------------------------------------------------------------------------------------- */

static int teardown(void **state)
{
	proc_stop(&lab.agent, SIGTERM, 3000);
	proc_stop(&lab.dataplane, SIGKILL, 3000); /* of a test that failed half-way */
	return 0;
}

static void start_port(const char *kind, const char *args, const char *prepare, u32 mtu,
		       const char *memory)
{
	char command[1024];
	const char *argv[] = {"/usr/bin/unshare", "-n", "/bin/sh", "-c", command, NULL};

	lab_write(&lab, "dwcp.conf",
		  "node: { name = \"t\"; state_dir = \"%s/state\"; run_dir = \"%s/run\"; };\n"
		  "dataplane: { file_prefix = \"dwcp-start-%d\"; " WORKER "%s };\n"
		  "ports: ( { name = \"p0\"; twin = \"off\"; device = \"%s\"; args = \"%s\"; mtu = "
		  "%u; " RING "} );\n",
		  lab.dir, lab.dir, getpid(), memory, kind, args, mtu);
	snprintf(command, sizeof(command), "%s exec %s --config %s", prepare,
		 program("dwcp-dataplane"), lab.config);
	unlink(lab_path(&lab, "dataplane.log"));
	proc_start(&lab, &lab.dataplane, "dataplane", argv);
}

static void expect_port(const char *kind, const char *args, const char *prepare, u32 mtu)
{
	start_port(kind, args, prepare, mtu, NO_HUGE);
	expect_ready();
	assert_true(proc_log_has(&lab.dataplane, "port.open port=p0", 0));
	print_message("  %s, MTU %u\n", kind, mtu);
	stop();
}

#define VETH "ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up &&"

/* A queue's fill ring takes 2,048, and not all that there are can be registered. */
static void test_few_mbufs(void **state)
{
	if (geteuid() != 0)
		skip();
	start_port("af_xdp", "iface=v0", VETH, 1500,
		   "memory: { huge_pages = \"off\"; mbufs = 2048; };");
	expect_refusal(&lab.dataplane, "port.open", "too_few_mbufs");
}

static void test_port_kinds(void **state)
{
	const char *veth = VETH;
	char args[400];

	expect_port("null", "", "", 1500);
	expect_port("ring", "", "", 1500);
	snprintf(args, sizeof(args), "role=server,id=0,socket=%s/m.sock,socket-abstract=no",
		 lab.dir);
	expect_port("memif", args, "", 1500);
	expect_port("memif", args, "", 9000);
	snprintf(args, sizeof(args), "rx_iface=lo,tx_pcap=%s/out.pcap", lab.dir);
	expect_port("pcap", args, "ip link set lo up &&", 1500);
	if (geteuid() != 0) {
		print_message("  tap, af_packet, af_xdp: not tried, need root\n");
		return;
	}
	expect_port("tap", "iface=dwcptap0", "", 1500);
	expect_port("af_packet", "iface=v0", veth, 1500);
	expect_port("af_xdp", "iface=v0", veth, 1500);
	expect_port("af_packet", "iface=v0",
		    "ip link add v0 mtu 9000 type veth peer name v1 mtu 9000 && ip link set v0 up "
		    "&& "
		    "ip link set v1 up &&",
		    9000);
	expect_port("tap", "iface=dwcptap0", "", 9000);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_teardown(test_config, teardown),
		cmocka_unit_test_teardown(test_devices, teardown),
		cmocka_unit_test_teardown(test_queues, teardown),
		cmocka_unit_test_teardown(test_worker_cpu, teardown),
		cmocka_unit_test_teardown(test_no_huge_pages, teardown),
		cmocka_unit_test_teardown(test_many_small_pages, teardown),
		cmocka_unit_test_teardown(test_run_dir, teardown),
		cmocka_unit_test_teardown(test_two_instances, teardown),
		cmocka_unit_test_teardown(test_busy_socket, teardown),
		cmocka_unit_test_teardown(test_damaged_generation, teardown),
		cmocka_unit_test_teardown(test_state_dir, teardown),
		cmocka_unit_test_teardown(test_full_disk, teardown),
		cmocka_unit_test_teardown(test_few_mbufs, teardown),
		cmocka_unit_test_teardown(test_port_kinds, teardown),
	};
	int failed;

	programs_init(argc, argv);
	lab_open(&lab, "start");
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	if (failed)
		proc_print_log(&lab.dataplane);
	umount(lab.state_dir);
	lab_close(&lab);
	if (!failed && geteuid() != 0) {
		printf("SKIP: full disk, tap, af_packet and af_xdp need root; the rest passed\n");
		return 77;
	}
	return failed;
}
