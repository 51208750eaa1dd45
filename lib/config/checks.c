/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * checks.c - what one row alone can't know: a port's arguments fit its driver, a gateway can be reached, a prefix
 * stands once. Runs after all rows are filled; elements that failed already are not judged again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "schema.h"
#include "text.h"

#define DEVICES                                                                                    \
	"\"af_xdp\", \"af_packet\", \"memif\", \"tap\", \"pcap\", \"ring\", \"null\", \"vlan\""
#define IP6_MIN_MTU 1280 /* RFC 8200, 5 */

const char *check_name(const void *field)
{
	const char *p = field;

	for (; *p; p++)
		if (!((*p >= '0' && *p <= '9') || ((*p | 0x20) >= 'a' && (*p | 0x20) <= 'z') ||
		      *p == '_' || *p == '.' || *p == '-'))
			return "a name of letters, digits, '_', '.' and '-'";
	return NULL;
}

const char *check_power_of_two_2(const void *field)
{
	u16 v = *(const u16 *)field;

	return v & (v - 1) ? "a power of two" : NULL;
}

const char *check_power_of_two_4(const void *field)
{
	u32 v = *(const u32 *)field;

	return v & (v - 1) ? "a power of two" : NULL;
}

/* "0000:03:00.0": domain, bus, slot below 32, function below 8; h is a hexadecimal digit. */
static bool is_pci(const char *text)
{
	static const char form[] = "hhhh:hh:sh.f";
	u32 i;
	char c;

	for (i = 0; form[i]; i++) {
		c = text[i];
		if (form[i] == ':' || form[i] == '.') {
			if (c != form[i])
				return false;
		} else if (form[i] == 's'   ? c != '0' && c != '1'
			   : form[i] == 'f' ? c < '0' || c > '7'
					    : !(c >= '0' && c <= '9') &&
						      !((c | 0x20) >= 'a' && (c | 0x20) <= 'f')) {
			return false;
		}
	}
	return !text[i];
}

const char *check_device(const void *field)
{
	static const char *const names[] = {"af_xdp", "af_packet", "memif", "tap",
					    "pcap",   "ring",	   "null",  "vlan"};
	u32 i;

	for (i = 0; i < DWCP_ARRAY_LEN(names); i++)
		if (!strcmp(field, names[i]))
			return NULL;
	return is_pci(field) ? NULL : DEVICES " or a PCI address like \"0000:03:00.0\"";
}

/* Is @key among "key=value,key=value"? */
static bool args_have(const char *args, const char *key)
{
	size_t n = strlen(key);

	while (*args) {
		if (!strncmp(args, key, n) && args[n] == '=' && args[n + 1] && args[n + 1] != ',')
			return true;
		args += strcspn(args, ",");
		args += *args == ',';
	}
	return false;
}

static const char *args_refusal(const struct port_cfg *p)
{
	const char *a = p->args;

	if ((!strcmp(p->device, "af_packet") || !strcmp(p->device, "af_xdp")) &&
	    !args_have(a, "iface"))
		return "\"iface=NAME\", the kernel's interface";
	if (!strcmp(p->device, "pcap") && !args_have(a, "rx_pcap") && !args_have(a, "tx_pcap") &&
	    !args_have(a, "rx_iface") && !args_have(a, "tx_iface") &&
	    !args_have(a, "rx_iface_in") && !args_have(a, "iface"))
		return "\"rx_pcap=FILE\", \"tx_pcap=FILE\" or \"iface=NAME\"";
	return NULL;
}

static bool port_has_family(const struct port_cfg *p, u8 family)
{
	u32 i;

	for (i = 0; i < p->n_addresses; i++)
		if (p->addresses[i].family == family)
			return true;
	return false;
}

static bool addr_same(const struct config_addr *a, const struct config_addr *b)
{
	return a->family && a->family == b->family && addr_equal(&a->addr, &b->addr);
}

/* The port that has this very address, among the first @n, but not @skip. */
static const struct port_cfg *owner_find(const struct port_cfg *ports, u32 n,
					 const struct config_addr *a,
					 const struct config_addr *skip)
{
	u32 i, k;

	for (i = 0; i < n; i++)
		for (k = 0; k < ports[i].n_addresses; k++) {
			if (&ports[i].addresses[k] == skip)
				return NULL;
			if (addr_same(&ports[i].addresses[k], a))
				return &ports[i];
		}
	return NULL;
}

static void check_port_addresses(struct schema_load *l, const struct schema_at *at,
				 const struct dwcp_config *cfg, const struct port_cfg *p)
{
	const struct port_cfg *owner;
	char text[ADDR_TEXT_MAX];
	u32 i;

	for (i = 0; i < p->n_addresses; i++) {
		/* link-local addresses are unique a link only */
		if (p->addresses[i].family == FIB_IP6 && p->addresses[i].addr.hi >> 54 == 0x3fa)
			continue;
		owner = owner_find(cfg->ports, at->elem + 1, &p->addresses[i], &p->addresses[i]);
		if (owner)
			schema_error(l, at, "addresses",
				     "expected addresses that no port has yet, got %s of port %s",
				     addr_format(p->addresses[i].family, &p->addresses[i].addr,
						 text, sizeof(text)),
				     owner->name);
	}
}

/* Return: what was expected of the keys that only device vlan has, at *ret_key; NULL = they are fine. */
static const char *vlan_refusal(const struct dwcp_config *cfg, const struct port_cfg *p,
				const char **ret_key)
{
	bool is_vlan = !strcmp(p->device, "vlan");

	*ret_key = "parent";
	if (!is_vlan)
		return p->parent != CONFIG_NO_PARENT || p->vlan || p->svlan
			       ? "parent, vlan and svlan with device vlan only"
			       : NULL;
	if (p->parent == CONFIG_NO_PARENT)
		return "the port that device vlan is a part of";
	if (cfg->ports[p->parent].parent != CONFIG_NO_PARENT || &cfg->ports[p->parent] == p)
		return "a port that is no vlan itself (two tags: vlan and svlan)";
	*ret_key = "vlan";
	if (!p->vlan)
		return "the 802.1Q id of device vlan, 1..4094";
	for (const struct port_cfg *o = cfg->ports; o < p; o++)
		if (o->parent == p->parent && o->vlan == p->vlan && o->svlan == p->svlan)
			return "one port a parent, vlan and svlan";
	*ret_key = "mtu";
	return p->mtu > cfg->ports[p->parent].mtu ? "no more than the parent's mtu" : NULL;
}

static void check_twin(struct schema_load *l, const struct schema_at *at,
		       const struct dwcp_config *cfg, const struct port_cfg *p)
{
	const char *name = config_twin_name(p);

	if (p->twin == CONFIG_TWIN_OFF)
		return;
	/* auto: the dataplane says so and goes on without */
	if (p->twin == CONFIG_TWIN_ON && strlen(name) >= CONFIG_IFNAME_MAX)
		schema_error(l, at, "twin_name",
			     "expected a name of at most 15 characters, as the kernel's interfaces "
			     "have, got \"%s\" (set twin_name, or twin = \"off\")",
			     name);
	if (!p->twin_name[0])
		return;
	for (u32 i = 0; i < cfg->n_ports; i++) {
		const struct port_cfg *o = &cfg->ports[i];

		if (o == p || o->twin == CONFIG_TWIN_OFF || strcmp(name, config_twin_name(o)))
			continue;
		schema_error(l, at, "twin_name",
			     "expected a name that no other twin has, got \"%s\" of port %s", name,
			     o->name);
		return;
	}
}

void check_port(struct schema_load *l, const struct schema_at *at, void *root, void *elem)
{
	const struct dwcp_config *cfg = &((struct config_form *)root)->cfg;
	const struct port_cfg *p = elem;
	const char *what, *key;
	u32 i;

	if (schema_failed(l, at))
		return;
	what = args_refusal(p);
	if (what)
		schema_error(l, at, "args", "expected %s for device %s, got \"%s\"", what,
			     p->device, p->args);
	if (p->mtu < IP6_MIN_MTU && port_has_family(p, FIB_IP6))
		schema_error(l, at, "mtu",
			     "expected at least 1280 bytes on a port with an IPv6 address, got %u",
			     p->mtu);
	for (i = 0; i < at->elem; i++)
		if (is_pci(p->device) && !strcasecmp(p->device, cfg->ports[i].device))
			schema_error(l, at, "device",
				     "expected a device of its own, got \"%s\" of port %s",
				     p->device, cfg->ports[i].name);
	what = vlan_refusal(cfg, p, &key);
	if (what)
		schema_error(l, at, key, "expected %s", what);
	check_twin(l, at, cfg, p);
	check_port_addresses(l, at, cfg, p);
}

void check_neighbour(struct schema_load *l, const struct schema_at *at, void *root, void *elem)
{
	const struct dwcp_config *cfg = &((struct config_form *)root)->cfg;
	const struct neighbour_cfg *n = elem, *o;
	const struct port_cfg *owner;

	if (schema_failed(l, at))
		return;
	owner = owner_find(cfg->ports, cfg->n_ports, &n->addr, NULL);
	if (owner)
		schema_error(l, at, "address",
			     "expected the address of another host, got port %s's own",
			     owner->name);
	for (o = cfg->neighbours; o < n; o++) {
		if (o->port_idx != n->port_idx || o->vlan != n->vlan || o->svlan != n->svlan ||
		    !addr_same(&o->addr, &n->addr))
			continue;
		schema_error(l, at, "address",
			     "expected one neighbour a port, VLAN and address, got a second (the "
			     "first is on line %u)",
			     o->line);
		return;
	}
}

void check_mirror_table(struct schema_load *l, const struct schema_at *at, void *root, void *elem)
{
	const struct dwcp_config *cfg = &((struct config_form *)root)->cfg;
	const struct mirror_table_cfg *t = elem, *o;

	if (schema_failed(l, at))
		return;
	for (o = cfg->mirror.tables; o < t; o++) {
		if (o->table != t->table)
			continue;
		schema_error(l, at, "table",
			     "expected each table once, got a second (the first is on line %u)",
			     o->line);
		return;
	}
}

static bool is_connected(const struct dwcp_config *cfg, const struct config_addr *gateway)
{
	const struct config_addr *a;
	u32 i, k;

	for (i = 0; i < cfg->n_ports; i++)
		for (k = 0; k < cfg->ports[i].n_addresses; k++) {
			a = &cfg->ports[i].addresses[k];
			if (a->family == gateway->family &&
			    addr_covers(a->family, a->addr, a->prefix_len, gateway->addr))
				return true;
		}
	return false;
}

const char *path_refusal(const struct dwcp_config *cfg, u8 family, const struct path_cfg *p)
{
	const struct config_addr *g = &p->gateway;
	bool link_local = g->family == FIB_IP6 && g->addr.hi >> 54 == 0x3fa;

	if (!g->family)
		return p->port_idx == UINT16_MAX ? "a gateway or a port" : NULL;
	if (g->family != family)
		return family == FIB_IP4 ? "an IPv4 gateway for an IPv4 prefix"
					 : "an IPv6 gateway for an IPv6 prefix";
	if (!link_local && owner_find(cfg->ports, cfg->n_ports, g, NULL))
		return "a gateway that is not a port's own address";
	if (p->port_idx != UINT16_MAX)
		return NULL;
	if (link_local)
		return "a port, because every link has this link-local gateway's prefix";
	if (!is_connected(cfg, g))
		return "a port, because no port's address has this gateway in its network";
	return NULL;
}

static void gateway_error(struct schema_load *l, const struct schema_at *at, int path,
			  const struct path_cfg *p, const char *what)
{
	char text[ADDR_TEXT_MAX] = "none";

	addr_format(p->gateway.family, &p->gateway.addr, text,
		    p->gateway.family ? sizeof(text) : 0);
	if (path < 0)
		schema_error(l, at, "gateway", "expected %s, got %s", what, text);
	else
		schema_error_in(l, at, "paths", (u32)path, "gateway", "expected %s, got %s", what,
				text);
}

/* A gateway may be connected by an address that was refused: say nothing then. */
static bool is_consequence(const struct schema_load *l, const struct path_cfg *p)
{
	return p->gateway.family && p->port_idx == UINT16_MAX && schema_list_failed(l, "ports");
}

static void check_paths(struct schema_load *l, const struct schema_at *at,
			const struct dwcp_config *cfg, const struct route_form *r)
{
	bool single = r->single.gateway.family || r->single.port_idx != UINT16_MAX;
	bool tagged = r->single.vlan || r->single.svlan;
	const char *what;
	u32 i;

	if (r->type != ROUTE_UNICAST) {
		if (single || tagged || r->n_paths)
			schema_error(l, at, "type",
				     "expected no gateway, port, VLAN or paths with \"%s\", got "
				     "some",
				     route_type_name(r->type));
		return;
	}
	if (r->n_paths) {
		if (single || tagged)
			schema_error(l, at, "paths",
				     "expected either paths or one path in the route, got both");
	} else {
		what = path_refusal(cfg, r->prefix.family, &r->single);
		if (what && !is_consequence(l, &r->single))
			gateway_error(l, at, -1, &r->single,
				      single ? what : "a gateway, a port or paths");
	}
	for (i = 0; i < r->n_paths; i++) {
		what = path_refusal(cfg, r->prefix.family, &r->paths[i]);
		if (what && !is_consequence(l, &r->paths[i]))
			gateway_error(l, at, (int)i, &r->paths[i], what);
	}
}

static void check_prefix_once(struct schema_load *l, const struct schema_at *at,
			      struct config_form *form, const struct route_form *r)
{
	char prefix[ADDR_TEXT_MAX], first[512];
	u32 idx;

	if (!form->seen.slots) {
		form->seen_lines = calloc(form->n_routes, sizeof(*form->seen_lines));
		if (!form->seen_lines ||
		    prefix_set_init(&form->seen, form->routes, sizeof(*r), form->n_routes)) {
			schema_no_memory(l);
			return;
		}
	}
	form->seen_lines[at->elem] = at->group->line;
	if (!prefix_set_add(&form->seen, at->elem, &idx))
		return;
	schema_error(l, at, "prefix",
		     "expected one route a prefix and vrf, got a second to %s in vrf %u (the first "
		     "is "
		     "at %s)",
		     prefix_format(&r->prefix, prefix, sizeof(prefix)), r->prefix.vrf,
		     schema_where(l, form->seen_lines[idx], first, sizeof(first)));
}

void check_route(struct schema_load *l, const struct schema_at *at, void *root, void *elem)
{
	struct config_form *form = root;
	const struct route_form *r = elem;

	if (!r->prefix.family)
		return;
	if (!schema_failed(l, at))
		check_paths(l, at, &form->cfg, r);
	check_prefix_once(l, at, form, r);
}
