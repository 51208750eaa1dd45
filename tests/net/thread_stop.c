/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * thread_stop.c - stop one thread of a process, as a hypervisor or a page fault that never ends would, and say when a
 * network interface notices; then let it go on. The other threads run all the time, which SIGSTOP would not allow.
 *
 * Usage: thread_stop PID THREAD_NAME INTERFACE TIMEOUT_MS, in the interface's namespace.
 * Prints `carrier_down_ms=N` and `carrier_up_ms=M`. Exit code 0; 1 when one of them did not happen.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <dwcp/base.h>

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

static void die(const char *what)
{
	fprintf(stderr, "thread_stop: %s: %s\n", what, strerror(errno));
	exit(1);
}

static bool thread_has_name(const char *pid, const char *tid, const char *name)
{
	char path[320], comm[32] = "";
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%s/task/%s/comm", pid, tid);
	f = fopen(path, "r");
	if (!f)
		return false;
	if (!fgets(comm, sizeof(comm), f))
		comm[0] = 0;
	fclose(f);
	comm[strcspn(comm, "\n")] = 0;
	return strcmp(comm, name) == 0;
}

static pid_t thread_find(const char *pid, const char *name)
{
	char path[64];
	struct dirent *e;
	pid_t tid = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%s/task", pid);
	dir = opendir(path);
	while (dir && !tid && (e = readdir(dir)) != NULL)
		if (thread_has_name(pid, e->d_name, name))
			tid = (pid_t)strtol(e->d_name, NULL, 10);
	if (dir)
		closedir(dir);
	return tid;
}

/* The carrier itself: IFF_RUNNING and netlink follow it with the kernel's own delay. */
static bool carrier_is(int sock, const char *ifname, bool up)
{
	struct ethtool_value link = {.cmd = ETHTOOL_GLINK};
	struct ifreq r = {0};

	snprintf(r.ifr_name, sizeof(r.ifr_name), "%s", ifname);
	r.ifr_data = (void *)&link;
	if (ioctl(sock, SIOCETHTOOL, &r) < 0)
		die(ifname);
	return (link.data != 0) == up;
}

static bool carrier_wait(int sock, const char *ifname, bool up, u64 timeout_ms, const char *what)
{
	const struct timespec tick = {.tv_nsec = 1000000};
	u64 begin = now_ms();

	while (!carrier_is(sock, ifname, up)) {
		if (now_ms() - begin > timeout_ms) {
			fprintf(stderr, "thread_stop: no %s within %lu ms\n", what, timeout_ms);
			return false;
		}
		nanosleep(&tick, NULL);
	}
	printf("%s=%lu\n", what, now_ms() - begin);
	return true;
}

int main(int argc, char **argv)
{
	int sock = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0), status;
	u64 timeout_ms;
	pid_t tid;
	bool down, up;

	if (argc != 5 || sock < 0)
		die("usage: PID THREAD_NAME INTERFACE TIMEOUT_MS");
	timeout_ms = strtoul(argv[4], NULL, 10);
	tid = thread_find(argv[1], argv[2]);
	if (!tid)
		die("no such thread");
	if (!carrier_is(sock, argv[3], true))
		die("no carrier to begin with");
	if (ptrace(PTRACE_SEIZE, tid, NULL, NULL) || ptrace(PTRACE_INTERRUPT, tid, NULL, NULL) ||
	    waitpid(tid, &status, __WALL) != tid)
		die("ptrace");
	down = carrier_wait(sock, argv[3], false, timeout_ms, "carrier_down_ms");
	if (ptrace(PTRACE_DETACH, tid, NULL, NULL))
		die("detach");
	up = down && carrier_wait(sock, argv[3], true, timeout_ms, "carrier_up_ms");
	close(sock);
	return down && up ? 0 : 1;
}
