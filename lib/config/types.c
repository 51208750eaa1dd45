/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * types.c - the value types of dwcp's rows: addresses, prefixes, MACs, references to ports, paths of files.
 * Each refusal says what was expected. Pure but for the arena.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "schema.h"
#include "text.h"

#define HOST_WHAT "an IPv4 or IPv6 address like \"10.0.0.2\""

/* What no interface of a router may have: groups, loopback, "any", reserved. */
static const char *unicast_refusal(const struct config_addr *a)
{
	u32 ip4 = (u32)a->addr.lo;

	if (a->family == FIB_IP4 && (ip4 >> 24 == 0 || ip4 >> 24 == 127 || ip4 >> 28 >= 0xe))
		return "a unicast address (not in 0/8, 127/8, 224/3)";
	if (a->family == FIB_IP6 && (a->addr.hi >> 56 == 0xff || (!a->addr.hi && a->addr.lo <= 1)))
		return "a unicast address (not ::, ::1 or in ff00::/8)";
	return NULL;
}

const char *host_refusal(const struct config_addr *a)
{
	return unicast_refusal(a);
}

/* In an IPv4 network that has them, the first and the last address are nobody's. */
static const char *net_refusal(const struct config_addr *a)
{
	u32 host = a->prefix_len >= 31 ? 0 : UINT32_MAX >> a->prefix_len;
	u32 bits = (u32)a->addr.lo & host;

	if (a->family == FIB_IP4 && host && !bits)
		return "a host's address, not that of the network itself";
	if (a->family == FIB_IP4 && host && bits == host)
		return "a host's address, not the broadcast address";
	return NULL;
}

static int port_addr_parse(const struct schema_scope *scope, const char *text, void *field,
			   char *buf, size_t len, const char **ret_what)
{
	const char *slash = strchr(text, '/');
	struct config_addr a = {0};
	u32 bits;

	if (!slash || addr_parse_span((struct span){text, slash}, &a.addr, &a.family) ||
	    u32_parse_span(span_of(slash + 1), addr_bits(a.family), &bits) || !bits)
		return -EINVAL;
	a.prefix_len = (u8)bits;
	*ret_what = unicast_refusal(&a);
	if (!*ret_what)
		*ret_what = net_refusal(&a);
	if (*ret_what)
		return -EINVAL;
	*(struct config_addr *)field = a;
	return 0;
}

static const char *port_addr_format(const void *root, const void *field, char *buf, size_t len)
{
	const struct config_addr *a = field;
	char addr[ADDR_TEXT_MAX];

	if (!a->family)
		return NULL;
	snprintf(buf, len, "%s/%u", addr_format(a->family, &a->addr, addr, sizeof(addr)),
		 a->prefix_len);
	return buf;
}

const struct schema_type type_port_addr = {
	.what = "an address with its network's length like \"10.0.0.1/24\" or \"2001:db8::1/64\"",
	.parse = port_addr_parse,
	.format = port_addr_format,
};

static int host_addr_parse(const struct schema_scope *scope, const char *text, void *field,
			   char *buf, size_t len, const char **ret_what)
{
	struct config_addr a = {0};

	if (addr_parse(text, &a.addr, &a.family))
		return -EINVAL;
	a.prefix_len = addr_bits(a.family);
	*ret_what = host_refusal(&a);
	if (*ret_what)
		return -EINVAL;
	*(struct config_addr *)field = a;
	return 0;
}

static const char *host_addr_format(const void *root, const void *field, char *buf, size_t len)
{
	const struct config_addr *a = field;

	return a->family ? addr_format(a->family, &a->addr, buf, len) : NULL;
}

const struct schema_type type_host_addr = {
	.what = HOST_WHAT,
	.parse = host_addr_parse,
	.format = host_addr_format,
};

static int prefix_type_parse(const struct schema_scope *scope, const char *text, void *field,
			     char *buf, size_t len, const char **ret_what)
{
	char meant[ADDR_TEXT_MAX];
	struct fib_prefix p;
	int rc = prefix_parse_span(span_of(text), &p);

	if (rc == -ERANGE) {
		snprintf(buf, len, "a prefix without bits past its length (%s?)",
			 prefix_format(&p, meant, sizeof(meant)));
		*ret_what = buf;
	}
	if (rc)
		return -EINVAL;
	*(struct fib_prefix *)field = p;
	return 0;
}

static const char *prefix_type_format(const void *root, const void *field, char *buf, size_t len)
{
	const struct fib_prefix *p = field;

	return p->family ? prefix_format(p, buf, len) : NULL;
}

const struct schema_type type_prefix = {
	.what = "an IPv4 or IPv6 prefix like \"10.0.0.0/24\" or \"2001:db8::/32\"",
	.parse = prefix_type_parse,
	.format = prefix_type_format,
};

static int mac_type_parse(const struct schema_scope *scope, const char *text, void *field,
			  char *buf, size_t len, const char **ret_what)
{
	static const u8 zero[6];
	u8 mac[6];

	if (mac_parse(text, mac))
		return -EINVAL;
	if (mac[0] & 1 || !memcmp(mac, zero, 6)) {
		*ret_what = "a unicast MAC address (first octet even, not all zero)";
		return -EINVAL;
	}
	memcpy(field, mac, 6);
	return 0;
}

static const char *mac_type_format(const void *root, const void *field, char *buf, size_t len)
{
	return mac_format(field, buf, len);
}

const struct schema_type type_mac = {
	.what = "a MAC address like \"02:00:5e:10:00:01\"",
	.parse = mac_type_parse,
	.format = mac_type_format,
};

static void port_clear(void *field)
{
	*(u16 *)field = UINT16_MAX;
}

static int port_parse(const struct schema_scope *scope, const char *text, void *field, char *buf,
		      size_t len, const char **ret_what)
{
	const struct dwcp_config *cfg = &((const struct config_form *)scope->root)->cfg;
	const char *names[CONFIG_MAX_PORTS], *near;
	int idx = config_port_idx(cfg, text);
	u32 i;

	if (idx >= 0) {
		*(u16 *)field = (u16)idx;
		return 0;
	}
	for (i = 0; i < cfg->n_ports; i++)
		names[i] = cfg->ports[i].name;
	near = schema_nearest(text, names, cfg->n_ports);
	if (near) {
		snprintf(buf, len, "the name of a port (did you mean '%s'?)", near);
		*ret_what = buf;
	}
	return -EINVAL;
}

static const char *port_format(const void *root, const void *field, char *buf, size_t len)
{
	const struct dwcp_config *cfg = &((const struct config_form *)root)->cfg;
	u16 idx = *(const u16 *)field;

	return idx < cfg->n_ports ? cfg->ports[idx].name : NULL;
}

const struct schema_type type_port = {
	.what = "the name of a port",
	.parse = port_parse,
	.format = port_format,
	.clear = port_clear,
};

static bool has_control_chars(const char *text)
{
	for (; *text; text++)
		if ((u8)*text < 0x20 || *text == 0x7f)
			return true;
	return false;
}

static int path_parse(const struct schema_scope *scope, const char *text, void *field, char *buf,
		      size_t len, const char **ret_what)
{
	size_t n = strlen(text), dir_len;
	char *path;

	if (!n || has_control_chars(text))
		return -EINVAL;
	if (text[0] != '/' && !scope->dir) {
		*ret_what = "an absolute path";
		return -EINVAL;
	}
	dir_len = text[0] == '/' ? 0 : strlen(scope->dir);
	path = arena_alloc(scope->arena, dir_len + n + 2, 1);
	if (!path)
		return -ENOMEM;
	if (dir_len)
		snprintf(path, dir_len + n + 2, "%s/%s", scope->dir, text);
	else
		memcpy(path, text, n);
	*(const char **)field = path;
	return 0;
}

static const char *path_format(const void *root, const void *field, char *buf, size_t len)
{
	return *(const char *const *)field;
}

const struct schema_type type_path = {
	.what = "a path without control characters",
	.parse = path_parse,
	.format = path_format,
};
