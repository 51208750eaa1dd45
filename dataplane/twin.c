/* SPDX-License-Identifier: BSD-3-Clause */
/* twin.c - see twin.h. */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dataplane.h"
#include "log.h"
#include "twin.h"

static int sysctl_open(const char *family, const char *ifname, const char *key, int flags)
{
	char path[160];
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, ifname, key);
	fd = open(path, flags | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static int sysctl_write(const char *family, const char *ifname, const char *key, const char *value)
{
	int fd = sysctl_open(family, ifname, key, O_WRONLY), err = 0;

	if (fd < 0)
		return fd;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* Of a switch: its first character; 0 = it can't be read. */
static char sysctl_read(const char *family, const char *ifname, const char *key)
{
	int fd = sysctl_open(family, ifname, key, O_RDONLY);
	char value = 0;

	if (fd < 0)
		return 0;
	if (read(fd, &value, 1) != 1)
		value = 0;
	close(fd);
	return value;
}

/*
 * The engine forwards and the kernel must not (of IPv6: tap_attach()); packets for us may come in by any port (strong end
 * systems are off).
 */
static void twin_sysctls(const char *ifname)
{
	static const struct {
		const char *family, *key, *value;
	} rows[] = {
		{"ipv4", "forwarding", "0"},
		{"ipv4", "rp_filter", "0"},
		{"ipv4", "send_redirects", "0"},
		{"ipv4", "accept_redirects", "0"},
		{"ipv4", "arp_ignore", "1"},
		{"ipv4", "arp_announce", "2"},
		{"ipv6", "accept_ra", "0"},
		{"ipv6", "accept_redirects", "0"},
		/* nothing can be asked for by ND while an address is tentative: seconds without a neighbour */
		{"ipv6", "accept_dad", "0"},
	};

	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		int err = sysctl_write(rows[i].family, ifname, rows[i].key, rows[i].value);

		/* no IPv6 in this kernel: nothing to set */
		if (err && !(err == -ENOENT && strcmp(rows[i].family, "ipv6") == 0))
			log_event("twin.sysctl twin=%s key=%s.%s value=%s error='%s' next=continue",
				  ifname, rows[i].family, rows[i].key, rows[i].value,
				  strerror(-err));
	}
}

static bool mac_is_zero(const u8 mac[6])
{
	static const u8 zero[6];

	return memcmp(mac, zero, sizeof(zero)) == 0;
}

/* One MAC on both sides, so that the kernel answers for the port. */
static int twin_mac(struct port *port, int sock, struct ifreq *r)
{
	if (mac_is_zero(port->mac)) {
		if (ioctl(sock, SIOCGIFHWADDR, r) < 0)
			return -errno;
		memcpy(port->mac, r->ifr_hwaddr.sa_data, sizeof(port->mac));
		memcpy(port->parse.mac, port->mac, sizeof(port->mac));
		return 0;
	}
	r->ifr_hwaddr.sa_family = ARPHRD_ETHER;
	memcpy(r->ifr_hwaddr.sa_data, port->mac, sizeof(port->mac));
	return ioctl(sock, SIOCSIFHWADDR, r) < 0 ? -errno : 0;
}

static int twin_up(struct port *port, const char *ifname)
{
	struct ifreq r = {0};
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), err = 0;

	if (sock < 0)
		return -errno;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	err = twin_mac(port, sock, &r);
	if (err) {
		close(sock);
		return err;
	}
	r.ifr_mtu = port->mtu;
	if (ioctl(sock, SIOCSIFMTU, &r) < 0)
		goto fail;
	twin_sysctls(ifname);
	r.ifr_flags = IFF_UP | IFF_BROADCAST | IFF_MULTICAST;
	if (ioctl(sock, SIOCSIFFLAGS, &r) < 0)
		goto fail;
	close(sock);
	return 0;
fail:
	err = -errno;
	close(sock);
	return err;
}

/*
 * Of IPv6, an interface's own `forwarding` says that it is a router's: its advertisements as a neighbour have the router
 * flag, without which every host that has us from a router advertisement drops us (RFC 4861, 7.2.5), and solicitations to
 * all routers are heard. It makes nothing be forwarded; that is `all.forwarding`. An interface has it from `default` when it
 * is made: written later, the kernel drops all default routes that other interfaces have from router advertisements.
 */
static int tap_attach(int fd, struct ifreq *r)
{
	bool set = sysctl_read("ipv6", "default", "forwarding") == '0' &&
		   sysctl_write("ipv6", "default", "forwarding", "1") == 0;
	int err = ioctl(fd, TUNSETIFF, r) < 0 ? -errno : 0;

	if (set)
		sysctl_write("ipv6", "default", "forwarding", "0");
	if (!err && sysctl_read("ipv6", r->ifr_name, "forwarding") == '0')
		log_event("twin.sysctl twin=%s key=ipv6.forwarding value=1 error=not_permitted "
			  "effect='hosts may drop us as their default router' hint='may this "
			  "user write /proc/sys/net/ipv6/conf/default/forwarding?' next=continue",
			  r->ifr_name);
	return err;
}

int twin_open(struct port *port, const char **ret_hint)
{
	const char *ifname = config_twin_name(port->cfg);
	struct ifreq r = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_TUN_EXCL};
	int fd, err;

	*ret_hint = "twin_name of at most 15 characters";
	if (strlen(ifname) >= IFNAMSIZ)
		return -ENAMETOOLONG;
	*ret_hint = "is the tun driver there? modprobe tun";
	fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	*ret_hint = "CAP_NET_ADMIN, or twin = \"off\"";
	err = tap_attach(fd, &r);
	if (err == -EBUSY) {
		err = -EEXIST;
		*ret_hint = "another interface has that name: set twin_name";
	} else if (err == -EINVAL) {
		*ret_hint = "the kernel takes no interface of that name: set twin_name";
	}
	if (!err)
		err = twin_carrier_set(fd, false);
	if (!err)
		err = twin_up(port, ifname);
	if (!err)
		return fd;
	close(fd);
	return err;
}

int twin_carrier_set(int fd, bool up)
{
	int on = up;

	return ioctl(fd, TUNSETCARRIER, &on) < 0 ? -errno : 0;
}
