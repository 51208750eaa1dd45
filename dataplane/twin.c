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

static int sysctl_write(const char *family, const char *ifname, const char *key, const char *value)
{
	char path[160];
	int fd, err = 0;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/%s", family, ifname, key);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (write(fd, value, strlen(value)) < 0)
		err = -errno;
	close(fd);
	return err;
}

/* The engine forwards and the kernel must not; packets for us may come in by any port (strong end systems are off). */
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
		{"ipv6", "forwarding", "0"},
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
	if (ioctl(fd, TUNSETIFF, &r) < 0) {
		err = errno == EBUSY ? -EEXIST : -errno;
		if (err == -EEXIST)
			*ret_hint = "another interface has that name: set twin_name";
		goto fail;
	}
	err = twin_carrier_set(fd, false);
	if (!err)
		err = twin_up(port, ifname);
	if (!err)
		return fd;
fail:
	close(fd);
	return err;
}

int twin_carrier_set(int fd, bool up)
{
	int on = up;

	return ioctl(fd, TUNSETCARRIER, &on) < 0 ? -errno : 0;
}
