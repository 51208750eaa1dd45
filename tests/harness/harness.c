/* SPDX-License-Identifier: BSD-3-Clause */
/* harness.c - see harness.h: directories, processes, logs, the local API. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "harness.h"

#define PROGRAMS_MAX 8

static struct {
	char name[64];
	const char *path;
} programs[PROGRAMS_MAX];

static void die(const char *what, const char *arg)
{
	fprintf(stderr, "harness: %s %s: %s\n", what, arg, strerror(errno));
	abort();
}

bool test_full(void)
{
	const char *full = getenv("DWCP_TEST_FULL");

	return full && strcmp(full, "1") == 0;
}

void require_root(const char *what)
{
	if (geteuid() == 0)
		return;
	printf("SKIP: needs root: %s\n", what);
	exit(77);
}

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000u + (u64)ts.tv_nsec;
}

void sleep_ms(u32 ms)
{
	struct timespec ts = {ms / 1000, (long)(ms % 1000) * 1000000};

	nanosleep(&ts, NULL);
}

bool wait_until(bool (*fn)(void *arg), void *arg, u32 timeout_ms)
{
	u64 end = now_ns() + (u64)timeout_ms * 1000000u;

	while (!fn(arg)) {
		if (now_ns() > end)
			return false;
		sleep_ms(2);
	}
	return true;
}

void programs_init(int argc, char **argv)
{
	u32 n = 0;

	for (int i = 1; i < argc && n < PROGRAMS_MAX; i++) {
		const char *eq = strchr(argv[i], '=');

		if (!eq || (size_t)(eq - argv[i]) >= sizeof(programs[n].name))
			continue;
		memcpy(programs[n].name, argv[i], (size_t)(eq - argv[i]));
		programs[n++].path = eq + 1;
	}
}

const char *program(const char *name)
{
	for (u32 i = 0; i < PROGRAMS_MAX; i++) {
		if (strcmp(programs[i].name, name) == 0)
			return programs[i].path;
	}
	die("no path given for", name);
	return NULL;
}

/* ---- directory ------------------------------------------------------------------------------------------------- */

/* With autogroups nice levels count inside a session only: this is for the session as a whole, where we may. */
static void session_hurry(void)
{
	FILE *f = fopen("/proc/self/autogroup", "we");

	if (!f)
		return;
	fprintf(f, "-20");
	fclose(f);
}

void lab_open(struct lab *lab, const char *name)
{
	session_hurry();
	memset(lab, 0, sizeof(*lab));
	snprintf(lab->dir, sizeof(lab->dir), "/tmp/dwcp-%s-XXXXXX", name);
	if (!mkdtemp(lab->dir))
		die("mkdtemp", lab->dir);
	snprintf(lab->config, sizeof(lab->config), "%s/dwcp.conf", lab->dir);
	snprintf(lab->run_dir, sizeof(lab->run_dir), "%s/run", lab->dir);
	snprintf(lab->state_dir, sizeof(lab->state_dir), "%s/state", lab->dir);
	snprintf(lab->routes, sizeof(lab->routes), "%s/table.routes", lab->dir);
	if (mkdir(lab->run_dir, 0755) || mkdir(lab->state_dir, 0755))
		die("mkdir", lab->dir);
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

void lab_close(struct lab *lab)
{
	proc_stop(&lab->generator, SIGKILL, 1000);
	proc_stop(&lab->agent, SIGTERM, 2000);
	proc_stop(&lab->dataplane, SIGTERM, 5000);
	if (getenv("DWCP_KEEP"))
		fprintf(stderr, "harness: kept %s\n", lab->dir);
	else
		nftw(lab->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *lab_path(const struct lab *lab, const char *name)
{
	static char path[8][256];
	static u32 next;
	char *p = path[next++ % 8];

	snprintf(p, sizeof(path[0]), "%s/%s", lab->dir, name);
	return p;
}

void lab_write(const struct lab *lab, const char *name, const char *fmt, ...)
{
	FILE *f = fopen(lab_path(lab, name), "we");
	va_list ap;

	if (!f)
		die("open", name);
	va_start(ap, fmt);
	vfprintf(f, fmt, ap);
	va_end(ap);
	if (fclose(f))
		die("write", name);
}

/* ---- processes --------------------------------------------------------------------------------------------------- */

void proc_start(struct lab *lab, struct proc *p, const char *name, const char *const *argv)
{
	int fd;

	p->name = name;
	snprintf(p->log_path, sizeof(p->log_path), "%s/%s.log", lab->dir, name);
	fd = open(p->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (fd < 0)
		die("open", p->log_path);
	p->pid = fork();
	if (p->pid < 0)
		die("fork", name);
	if (p->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that dies takes its processes along */
		dup2(fd, 1);
		dup2(fd, 2);
		execv(argv[0], (char *const *)(uintptr_t)argv);
		_exit(127);
	}
	close(fd);
}

void proc_signal(const struct proc *p, int sig)
{
	if (p->pid > 0)
		kill(p->pid, sig);
}

void proc_hurry(const struct proc *p)
{
	setpriority(PRIO_PROCESS, (id_t)p->pid, -20);
}

static int status_of(int status)
{
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Return: true and the status once it has ended. */
static bool proc_reap(struct proc *p, u32 timeout_ms, int *ret_status)
{
	u64 end = now_ns() + (u64)timeout_ms * 1000000u;
	int status;

	for (;;) {
		if (waitpid(p->pid, &status, WNOHANG) == p->pid) {
			p->pid = 0;
			*ret_status = status_of(status);
			p->exit_status = *ret_status;
			return true;
		}
		if (now_ns() > end)
			return false;
		sleep_ms(1);
	}
}

int proc_stop(struct proc *p, int sig, u32 timeout_ms)
{
	int status = 0;

	if (p->pid <= 0)
		return 0;
	kill(p->pid, sig);
	if (proc_reap(p, timeout_ms, &status))
		return status;
	kill(p->pid, SIGKILL);
	proc_reap(p, 5000, &status);
	return -1;
}

int proc_run(struct lab *lab, const char *name, u32 timeout_ms, const char *const *argv)
{
	struct proc p = {0};
	int status = 0;

	proc_start(lab, &p, name, argv);
	if (proc_reap(&p, timeout_ms, &status))
		return status;
	proc_stop(&p, SIGKILL, 1000);
	return -1;
}

bool proc_alive(struct proc *p)
{
	int status;

	return p->pid > 0 && !proc_reap(p, 0, &status);
}

static char *file_read(const char *path, long from)
{
	FILE *f = fopen(path, "re");
	char *text;
	long size;

	if (!f)
		return NULL;
	fseek(f, 0, SEEK_END);
	size = ftell(f);
	from = DWCP_MIN(from, size);
	fseek(f, from, SEEK_SET);
	text = calloc(1, (size_t)(size - from) + 1);
	if (text && fread(text, 1, (size_t)(size - from), f) == 0)
		text[0] = 0;
	fclose(f);
	return text;
}

long proc_log_size(const struct proc *p)
{
	struct stat st;

	return stat(p->log_path, &st) ? 0 : (long)st.st_size;
}

bool proc_log_has(const struct proc *p, const char *text, long from)
{
	char *log = file_read(p->log_path, from);
	bool has = log && strstr(log, text);

	free(log);
	return has;
}

bool proc_wait_log(struct proc *p, const char *text, long from, u32 timeout_ms)
{
	u64 end = now_ns() + (u64)timeout_ms * 1000000u;

	while (!proc_log_has(p, text, from)) {
		if (now_ns() > end || !proc_alive(p))
			return proc_log_has(p, text, from);
		sleep_ms(2);
	}
	return true;
}

void proc_print_log(const struct proc *p)
{
	long size = proc_log_size(p);
	char *log = file_read(p->log_path, size > 3000 ? size - 3000 : 0);

	fprintf(stderr, "---- %s:\n%s\n----\n", p->name ? p->name : "?", log ? log : "(no log)");
	free(log);
}

u64 proc_rss_kb(const struct proc *p)
{
	char path[64], line[128];
	u64 kb = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/status", p->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (strncmp(line, "VmRSS:", 6) == 0)
			kb = strtoull(line + 6, NULL, 10);
	}
	if (f)
		fclose(f);
	return kb;
}

u32 proc_n_fds(const struct proc *p)
{
	char path[64];
	u32 n = 0;
	DIR *d;

	snprintf(path, sizeof(path), "/proc/%d/fd", p->pid);
	d = opendir(path);
	while (d && readdir(d))
		n++;
	if (d)
		closedir(d);
	return n;
}

/* ---- the local API -------------------------------------------------------------------------------------------------- */

static int api_connect(const struct lab *lab, const char *socket_name)
{
	struct sockaddr_un addr = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct timeval tv = {30, 0}; /* a reload of a full table on a busy machine */

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%.80s/%.20s", lab->run_dir, socket_name);
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof(tv));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	close(fd);
	return -1;
}

json_t *api_call(const struct lab *lab, const char *socket_name, const char *method,
		 const char *path, s64 if_match, const char *body, int *ret_status)
{
	static char buf[1 << 20];
	int fd = api_connect(lab, socket_name);
	size_t len = 0;
	char *end;
	ssize_t n;

	*ret_status = 0;
	if (fd < 0)
		return NULL;
	dprintf(fd, "%s %s HTTP/1.1\r\nHost: dwcp\r\nConnection: close\r\nContent-Length: %zu\r\n",
		method, path, body ? strlen(body) : 0);
	if (if_match >= 0)
		dprintf(fd, "If-Match: \"%ld\"\r\n", (long)if_match);
	dprintf(fd, "\r\n%s", body ? body : "");
	while (len < sizeof(buf) - 1 && (n = recv(fd, buf + len, sizeof(buf) - 1 - len, 0)) > 0)
		len += (size_t)n;
	close(fd);
	buf[len] = 0;
	if (len > 12 && strncmp(buf, "HTTP/1.1 ", 9) == 0)
		*ret_status = (int)strtol(buf + 9, NULL, 10);
	end = strstr(buf, "\r\n\r\n");
	return end ? json_loads(end + 4, JSON_DISABLE_EOF_CHECK, NULL) : NULL;
}

json_t *api_get(const struct lab *lab, const char *socket_name, const char *path)
{
	int status;

	return api_call(lab, socket_name, "GET", path, -1, NULL, &status);
}

json_int_t json_at(const json_t *o, const char *a, const char *b)
{
	const json_t *v = json_object_get(o, a);

	if (v && b)
		v = json_object_get(v, b);
	return json_is_integer(v) ? json_integer_value(v) : -1;
}
