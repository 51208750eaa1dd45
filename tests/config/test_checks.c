/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_checks.c - what must hold between keys, and the value types' refusals: devices and their arguments, addresses,
 * neighbours, gateways that can be reached, prefixes that stand once. Each in the words that the operator gets.
 */
#include "config_test.h"

#define PORT0                                                                                      \
	"{ name = \"p0\"; device = \"null\"; addresses = [\"10.0.0.1/24\", \"2001:db8::1/64\"]; }"
#define PORTS "ports = (" PORT0 ", { name = \"p1\"; device = \"null\"; });\n"

/* ---- ports ---- */

static void port_refused(const char *keys, const char *error)
{
	char text[1024], want[1024];

	snprintf(text, sizeof(text), "ports = ({ name = \"p\"; %s });", keys);
	snprintf(want, sizeof(want), "t.conf:1: ports[0].%s", error);
	text_refused(text, want, NULL);
}

static void port_ok(const char *keys)
{
	char text[1024];
	struct loaded l;

	snprintf(text, sizeof(text), "ports = ({ name = \"p\"; %s });", keys);
	l = text_load_ok(text);
	loaded_fini(&l);
}

static void test_devices(void **state)
{
	static const char *const good[] = {"memif", "tap",	    "ring",
					   "null",  "0000:03:00.0", "ffff:FF:1f.7"};
	static const char *const bad[] =
		{"",	       "null ",		"03:00.0", "0000:03:20.0", "0000:03:00.8",
		 "0000:03:00", "0000:03:00.00", "eth0",	   "net_null"};
	char keys[256];
	struct loaded l;
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(good); i++) {
		snprintf(keys, sizeof(keys), "device = \"%s\";", good[i]);
		port_ok(keys);
	}
	for (i = 0; i < DWCP_ARRAY_LEN(bad); i++) {
		snprintf(keys, sizeof(keys), "ports = ({ name = \"p\"; device = \"%s\"; });",
			 bad[i]);
		l = text_load(keys);
		assert_int_equal(l.rc, -EINVAL);
		assert_int_equal(errors_count(&l.errors, "t.conf:1: ports[0].device: expected "),
				 1);
		loaded_fini(&l);
	}
	text_refused("ports = ({ name = \"a\"; device = \"0000:03:00.0\"; },\n"
		     "{ name = \"b\"; device = \"0000:03:00.0\"; });",
		     "t.conf:2: ports[1].device: expected a device of its own, got "
		     "\"0000:03:00.0\" of port a",
		     NULL);
}

static void test_device_args(void **state)
{
	port_refused("device = \"af_packet\";",
		     "args: expected \"iface=NAME\", the kernel's interface for device af_packet, "
		     "got \"\"");
	port_refused("device = \"af_xdp\"; args = \"myiface=x,start_queue=0,iface=\";",
		     "args: expected \"iface=NAME\", the kernel's interface for device af_xdp, got "
		     "\"myiface=x,start_queue=0,iface=\"");
	port_refused("device = \"pcap\"; args = \"infinite_rx=1\";",
		     "args: expected \"rx_pcap=FILE\", \"tx_pcap=FILE\" or \"iface=NAME\" for "
		     "device "
		     "pcap, got \"infinite_rx=1\"");
	port_ok("device = \"af_packet\"; args = \"qpairs=1,iface=veth0\";");
	port_ok("device = \"af_xdp\"; args = \"iface=veth0\";");
	port_ok("device = \"pcap\"; args = \"tx_pcap=/dev/null\";");
}

static void test_mtu(void **state)
{
	port_ok("device = \"null\"; mtu = 68; addresses = [\"10.0.0.1/24\"];");
	port_ok("device = \"null\"; mtu = 1280; addresses = [\"2001:db8::1/64\"];");
	port_refused("device = \"null\"; mtu = 1279; addresses = [\"10.0.0.1/24\", "
		     "\"2001:db8::1/64\"];",
		     "mtu: expected at least 1280 bytes on a port with an IPv6 address, got 1279");
}

static void test_addresses(void **state)
{
	static const struct {
		const char *text, *what;
	} rows[] = {
		{"10.0.0.1", "an address with its network's length"},
		{"10.0.0.1/33", "an address with its network's length"},
		{"10.0.0.1/0", "an address with its network's length"},
		{"10.0.0.1/024", "an address with its network's length"},
		{"10.0.0.1/24 ", "an address with its network's length"},
		{"2001:db8::1/129", "an address with its network's length"},
		{"fe80::1%eth0/64", "an address with its network's length"},
		{"10.0.0.0/24", "a host's address, not that of the network itself"},
		{"10.0.0.255/24", "a host's address, not the broadcast address"},
		{"0.0.0.0/8", "a unicast address (not in 0/8, 127/8, 224/3)"},
		{"127.0.0.1/8", "a unicast address (not in 0/8, 127/8, 224/3)"},
		{"224.0.0.1/24", "a unicast address (not in 0/8, 127/8, 224/3)"},
		{"::1/128", "a unicast address (not ::, ::1 or in ff00::/8)"},
		{"ff02::1/64", "a unicast address (not ::, ::1 or in ff00::/8)"},
	};
	char text[256], want[256];
	struct loaded l;
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		snprintf(text, sizeof(text),
			 "ports = ({ name = \"p\"; device = \"null\"; addresses = "
			 "[\"192.0.2.1/31\", \"%s\"]; });",
			 rows[i].text);
		snprintf(want, sizeof(want), "t.conf:1: ports[0].addresses[1]: expected %s",
			 rows[i].what);
		l = text_load(text);
		assert_int_equal(l.rc, -EINVAL);
		if (l.errors.n != 1 || errors_count(&l.errors, want) != 1) {
			print_message("wanted %s\n", want);
			errors_show(&l.errors);
			fail();
		}
		loaded_fini(&l);
	}
	port_ok("device = \"null\"; addresses = [\"10.0.0.0/31\", \"10.0.0.3/31\", "
		"\"10.9.9.9/32\", "
		"\"2001:db8::/64\", \"fe80::1/64\"];");
	port_ok("device = \"null\"; addresses = [];");
	port_ok("device = \"null\"; addresses = (\"10.0.0.1/24\");");
	text_refused("ports = (" PORT0 ",\n"
		     "{ name = \"p1\"; device = \"null\"; addresses = [\"10.0.0.1/8\", "
		     "\"fe80::1/64\"]; },\n"
		     "{ name = \"p2\"; device = \"null\"; addresses = [\"fe80::1/64\"]; });",
		     "t.conf:2: ports[1].addresses: expected addresses that no port has yet, got "
		     "10.0.0.1 of port p0",
		     NULL);
	port_refused("device = \"null\"; addresses = [\"10.0.0.1/24\", \"10.0.0.1/25\"];",
		     "addresses: expected addresses that no port has yet, got 10.0.0.1 of port p");
}

static void test_names_unique(void **state)
{
	text_refused("ports = (" PORT0 ",\n\n{ name = \"p1\"; device = \"null\"; },\n" PORT0 ");",
		     "t.conf:4: ports[2].addresses: expected addresses that no port has yet, got "
		     "10.0.0.1 of port p0",
		     "t.conf:4: ports[2].addresses: expected addresses that no port has yet, got "
		     "2001:db8::1 of port p0",
		     "t.conf:4: ports[2].name: expected one of its own, got \"p0\" again (the "
		     "first "
		     "is at t.conf:1)",
		     NULL);
	text_refused("route_files = ({ name = \"a\"; path = \"/a\"; }, { name = \"a\"; path = "
		     "\"/b\"; });",
		     "t.conf:1: route_files[1].name: expected one of its own, got \"a\" again (the "
		     "first is at t.conf:1)",
		     NULL);
}

/* ---- neighbours ---- */

static void neighbour_refused(const char *keys, const char *error)
{
	char text[1024], want[512];

	snprintf(text, sizeof(text), PORTS "neighbours = (\n{ %s });", keys);
	snprintf(want, sizeof(want), "t.conf:3: neighbours[0].%s", error);
	text_refused(text, want, NULL);
}

static void test_neighbours(void **state)
{
	static const char *const macs[] = {"",
					   "02:00:00:00:00",
					   "02:00:00:00:00:01:02",
					   "02-00-00-00-00-01",
					   "02:00:00:00:00:0g",
					   "0200.0000.0001",
					   "2:0:0:0:0:1"};
	char keys[256], want[256];
	struct loaded l;
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(macs); i++) {
		snprintf(keys, sizeof(keys), "port = \"p0\"; address = \"10.0.0.2\"; mac = \"%s\";",
			 macs[i]);
		snprintf(want, sizeof(want),
			 "mac: expected a MAC address like \"02:00:5e:10:00:01\", got \"%s\"",
			 macs[i]);
		neighbour_refused(keys, want);
	}
	neighbour_refused("port = \"p0\"; address = \"10.0.0.2\"; mac = \"01:00:5e:00:00:01\";",
			  "mac: expected a unicast MAC address (first octet even, not all zero), "
			  "got "
			  "\"01:00:5e:00:00:01\"");
	neighbour_refused("port = \"p0\"; address = \"10.0.0.2\"; mac = \"00:00:00:00:00:00\";",
			  "mac: expected a unicast MAC address (first octet even, not all zero), "
			  "got "
			  "\"00:00:00:00:00:00\"");
	neighbour_refused("port = \"p0\"; address = \"224.0.0.5\"; mac = \"02:00:00:00:00:01\";",
			  "address: expected a unicast address (not in 0/8, 127/8, 224/3), got "
			  "\"224.0.0.5\"");
	neighbour_refused("port = \"p1\"; address = \"10.0.0.1\"; mac = \"02:00:00:00:00:01\";",
			  "address: expected the address of another host, got port p0's own");
	text_refused(PORTS
		     "neighbours = (\n"
		     "{ port = \"p0\"; address = \"10.0.0.2\"; mac = \"02:00:00:00:00:01\"; },\n"
		     "{ port = \"p1\"; address = \"10.0.0.2\"; mac = \"02:00:00:00:00:01\"; },\n"
		     "{ port = \"p0\"; address = \"10.0.0.2\"; mac = \"02:00:00:00:00:01\"; vlan = "
		     "7; },\n"
		     "{ port = \"p0\"; address = \"10.0.0.2\"; mac = \"02:00:00:00:00:01\"; svlan "
		     "= 7; },\n"
		     "{ port = \"p0\"; address = \"10.0.0.2\"; mac = \"02:00:00:00:00:02\"; });",
		     "t.conf:7: neighbours[4].address: expected one neighbour a port, VLAN and "
		     "address, got a second (the first is on line 3)",
		     NULL);
	l = text_load_ok(PORTS "neighbours = ({ port = \"p1\"; address = \"2001:DB8:0::2\"; mac = "
			       "\"02:aB:00:00:00:FF\"; vlan = 4094; svlan = 1; });");
	assert_int_equal(l.cfg->neighbours[0].port_idx, 1);
	assert_int_equal(l.cfg->neighbours[0].addr.family, FIB_IP6);
	assert_true(l.cfg->neighbours[0].addr.addr.hi == 0x20010db800000000);
	assert_true(l.cfg->neighbours[0].addr.addr.lo == 2);
	assert_memory_equal(l.cfg->neighbours[0].mac, "\x02\xab\0\0\0\xff", 6);
	assert_int_equal(l.cfg->neighbours[0].vlan, 4094);
	assert_int_equal(l.cfg->neighbours[0].svlan, 1);
	assert_int_equal(l.cfg->neighbours[0].line, 2);
	loaded_fini(&l);
}

/* ---- routes ---- */

static void route_refused(const char *keys, const char *error)
{
	char text[1024], want[512];

	snprintf(text, sizeof(text), PORTS "routes = (\n{ %s });", keys);
	snprintf(want, sizeof(want), "t.conf:3: routes[0].%s", error);
	text_refused(text, want, NULL);
}

static void test_routes_refused(void **state)
{
	route_refused("prefix = \"10.0.0.0/33\"; port = \"p0\";",
		      "prefix: expected an IPv4 or IPv6 prefix like \"10.0.0.0/24\" or "
		      "\"2001:db8::/32\", got \"10.0.0.0/33\"");
	route_refused("prefix = \"2001:db8::1/32\"; port = \"p0\";",
		      "prefix: expected a prefix without bits past its length (2001:db8::/32?), "
		      "got "
		      "\"2001:db8::1/32\"");
	route_refused("prefix = \"10.0.0.0/8\";",
		      "gateway: expected a gateway, a port or paths, got none");
	route_refused("prefix = \"10.0.0.0/8\"; gateway = \"192.168.0.1\";",
		      "gateway: expected a port, because no port's address has this gateway in its "
		      "network, got 192.168.0.1");
	route_refused("prefix = \"::/0\"; gateway = \"fe80::2\";",
		      "gateway: expected a port, because every link has this link-local gateway's "
		      "prefix, got fe80::2");
	route_refused("prefix = \"::/0\"; gateway = \"10.0.0.2\";",
		      "gateway: expected an IPv6 gateway for an IPv6 prefix, got 10.0.0.2");
	route_refused("prefix = \"0.0.0.0/0\"; gateway = \"2001:db8::2\";",
		      "gateway: expected an IPv4 gateway for an IPv4 prefix, got 2001:db8::2");
	route_refused("prefix = \"0.0.0.0/0\"; gateway = \"10.0.0.1\";",
		      "gateway: expected a gateway that is not a port's own address, got 10.0.0.1");
	route_refused("prefix = \"0.0.0.0/0\"; gateway = \"0.0.0.0\"; port = \"p0\";",
		      "gateway: expected a unicast address (not in 0/8, 127/8, 224/3), got "
		      "\"0.0.0.0\"");
	route_refused("prefix = \"10.0.0.0/8\"; type = \"blackhole\"; port = \"p0\";",
		      "type: expected no gateway, port, VLAN or paths with \"blackhole\", got "
		      "some");
	route_refused("prefix = \"10.0.0.0/8\"; type = \"local\"; vlan = 3;",
		      "type: expected no gateway, port, VLAN or paths with \"local\", got some");
	route_refused("prefix = \"10.0.0.0/8\"; port = \"p0\"; paths = ({ port = \"p1\"; });",
		      "paths: expected either paths or one path in the route, got both");
	route_refused("prefix = \"10.0.0.0/8\"; vlan = 3; paths = ({ port = \"p1\"; });",
		      "paths: expected either paths or one path in the route, got both");
	text_refused("ports = ();\nroutes = ({ prefix = \"10.0.0.0/8\"; paths = (); });",
		     "t.conf:2: routes[0].paths: expected a list of 1..64 groups ( { … }, … ), got "
		     "0 "
		     "of them",
		     NULL);
	text_refused(PORTS "routes = ({ prefix = \"10.0.0.0/8\";\n"
			   "paths = ({ gateway = \"10.0.0.2\"; },\n"
			   "{ gateway = \"2001:db8::2\"; }); });",
		     "t.conf:4: routes[0].paths[1].gateway: expected an IPv4 gateway for an IPv4 "
		     "prefix, got 2001:db8::2",
		     NULL);
}

static void test_routes_once(void **state)
{
	struct loaded l;

	text_refused(PORTS "routes = (\n"
			   "{ prefix = \"10.0.0.0/8\"; port = \"p0\"; },\n"
			   "{ prefix = \"10.0.0.0/8\"; vrf = 1; port = \"p0\"; },\n"
			   "{ prefix = \"10.0.0.0/9\"; port = \"p0\"; },\n"
			   "{ prefix = \"::/0\"; port = \"p0\"; },\n"
			   "{ prefix = \"0.0.0.0/0\"; port = \"p0\"; },\n"
			   "{ type = \"prohibit\"; vrf = 1;\n  prefix = \"10.0.0.0/8\"; });",
		     "t.conf:9: routes[5].prefix: expected one route a prefix and vrf, got a "
		     "second "
		     "to 10.0.0.0/8 in vrf 1 (the first is at t.conf:4)",
		     NULL);
	l = text_load_ok(PORTS "routes = (\n"
			       "{ vrf = 65535; prefix = \"10.0.0.0/8\"; gateway = \"10.0.0.2\"; "
			       "vlan = 5; svlan = 6; },\n"
			       "{ prefix = \"192.0.2.7\"; type = \"unreachable\"; },\n"
			       "{ prefix = \"::/0\"; paths = ({ gateway = \"fe80::2\"; port = "
			       "\"p1\"; weight = 256; }, { port = \"p0\"; }); });");
	assert_int_equal(l.cfg->n_routes, 3);
	assert_int_equal(l.cfg->routes[0].prefix.vrf, 65535);
	assert_int_equal(l.cfg->routes[0].line, 3);
	assert_int_equal(l.cfg->routes[0].n_paths, 1);
	assert_int_equal(l.cfg->routes[0].paths[0].port_idx, UINT16_MAX);
	assert_int_equal(l.cfg->routes[0].paths[0].vlan, 5);
	assert_int_equal(l.cfg->routes[0].paths[0].svlan, 6);
	assert_int_equal(l.cfg->routes[1].type, ROUTE_UNREACHABLE);
	assert_int_equal(l.cfg->routes[1].prefix.len, 32);
	assert_int_equal(l.cfg->routes[1].n_paths, 0);
	assert_int_equal(l.cfg->routes[2].n_paths, 2);
	assert_int_equal(l.cfg->routes[2].paths[0].weight, 256);
	assert_int_equal(l.cfg->routes[2].paths[0].port_idx, 1);
	assert_int_equal(l.cfg->routes[2].paths[1].weight, 1);
	assert_int_equal(l.cfg->routes[2].paths[1].gateway.family, 0);
	loaded_fini(&l);
}

#define VLAN_OF(keys)                                                                              \
	"ports = ({ name = \"p0\"; device = \"null\"; },\n{ name = \"v\"; device = "               \
	"\"vlan\"; " keys " });"

static void test_vlan_ports(void **state)
{
	struct loaded l = text_load_ok(VLAN_OF("parent = \"p0\"; vlan = 7; svlan = 8;"));

	assert_int_equal(l.cfg->ports[0].parent, CONFIG_NO_PARENT);
	assert_int_equal(l.cfg->ports[1].parent, 0);
	assert_int_equal(l.cfg->ports[1].vlan, 7);
	assert_int_equal(l.cfg->ports[1].svlan, 8);
	loaded_fini(&l);
	text_refused(VLAN_OF("vlan = 7;"),
		     "t.conf:2: ports[1].parent: expected the port that device vlan is a part of",
		     NULL);
	text_refused(VLAN_OF("parent = \"v\"; vlan = 7;"),
		     "t.conf:2: ports[1].parent: expected a port that is no vlan itself (two tags: "
		     "vlan and svlan)",
		     NULL);
	text_refused(VLAN_OF("parent = \"p0\";"),
		     "t.conf:2: ports[1].vlan: expected the 802.1Q id of device vlan, 1..4094",
		     NULL);
	text_refused(VLAN_OF("parent = \"p0\"; vlan = 7; mtu = 1501;"),
		     "t.conf:2: ports[1].mtu: expected no more than the parent's mtu", NULL);
	text_refused(VLAN_OF("parent = \"p0\"; vlan = 7; }, { name = \"w\"; device = \"vlan\"; "
			     "parent = \"p0\"; vlan = 7;"),
		     "t.conf:2: ports[2].vlan: expected one port a parent, vlan and svlan", NULL);
	port_refused("device = \"null\"; vlan = 7;",
		     "parent: expected parent, vlan and svlan with device vlan only");
}

static void test_twin_names(void **state)
{
	struct loaded l =
		text_load_ok("ports = ({ name = \"p0\"; device = \"null\"; }, "
			     "{ name = \"p1\"; device = \"null\"; twin_name = \"x\"; });");

	assert_string_equal(config_twin_name(&l.cfg->ports[0]), "p0");
	assert_string_equal(config_twin_name(&l.cfg->ports[1]), "x");
	loaded_fini(&l);
	port_ok("device = \"null\"; twin = \"off\"; twin_name = \"123456789012345\";");
	text_refused(
		"ports = ({ name = \"a23456789012345x\"; device = \"null\"; twin = \"on\"; });",
		"t.conf:1: ports[0].twin_name: expected a name of at most 15 characters, as "
		"the kernel's interfaces have, got \"a23456789012345x\" (set twin_name, or twin "
		"= \"off\")",
		NULL);
	text_refused("ports = ({ name = \"p0\"; device = \"null\"; }, { name = \"p1\"; device = "
		     "\"null\"; twin_name = \"p0\"; });",
		     "t.conf:1: ports[1].twin_name: expected a name that no other twin has, got "
		     "\"p0\" of port p0",
		     NULL);
}

/* An error in a port says nothing about the routes that lean on it. */
static void test_no_consequences(void **state)
{
	text_refused("ports = ({ name = \"p0\"; device = \"null\"; mtu = 1; addresses = "
		     "[\"10.0.0.1/240\"]; });\n"
		     "routes = ({ prefix = \"0.0.0.0/0\"; gateway = \"10.0.0.2\"; });",
		     "t.conf:1: ports[0].mtu: expected an integer 68..9600 (bytes), got 1",
		     "t.conf:1: ports[0].addresses[0]: expected an address with its network's "
		     "length "
		     "like \"10.0.0.1/24\" or \"2001:db8::1/64\", got \"10.0.0.1/240\"",
		     NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_device_args),
		cmocka_unit_test(test_mtu),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_names_unique),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_routes_refused),
		cmocka_unit_test(test_routes_once),
		cmocka_unit_test(test_no_consequences),
		cmocka_unit_test(test_vlan_ports),
		cmocka_unit_test(test_twin_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
