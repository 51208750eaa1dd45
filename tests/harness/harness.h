/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * harness.h - real programs in a test: a directory of its own, processes started and reaped by pid, their logs, the
 * local API, and the memif lab (dataplane between two memif ports, generator outside).
 */
#pragma once

#include <jansson.h>
#include <sys/types.h>

#include <dwcp/base.h>

struct proc {
	pid_t pid;
	int exit_status; /* once it has ended */
	char log_path[256];
	const char *name;
};

struct lab {
	char dir[128];
	char config[256], run_dir[256], state_dir[256], routes[256];
	struct proc dataplane, agent, generator;
	u32 n_workers;
	json_int_t gaps_before, gap_us_before; /* of the worker, when the generator began */
};

/** test_full() - $DWCP_TEST_FULL=1: the full counts. */
bool test_full(void);
/** require_root() - or exit 77 with the reason. */
void require_root(const char *what);

/** lab_open() - a temporary directory with run/ and state/. Aborts on failure. */
void lab_open(struct lab *lab, const char *name);
/** lab_close() - kill what still runs, remove the directory; with $DWCP_KEEP it stays and is named. */
void lab_close(struct lab *lab);
/** lab_path() - <dir>/<name>, in one of a few static buffers. */
const char *lab_path(const struct lab *lab, const char *name);
void lab_write(const struct lab *lab, const char *name, const char *fmt, ...) dwcp_printf(3, 4);

/* Where the build put the programs: from the arguments `NAME=PATH` that meson gives. */
void programs_init(int argc, char **argv);
const char *program(const char *name);

/** proc_start() - stdout and stderr go to <dir>/<name>.log. @argv: NULL-terminated, argv[0] a path. */
void proc_start(struct lab *lab, struct proc *p, const char *name, const char *const *argv);
/** proc_run() - start, wait, return the exit status (128 + signal when killed, -1 on timeout: killed). */
int proc_run(struct lab *lab, const char *name, u32 timeout_ms, const char *const *argv);
void proc_signal(const struct proc *p, int sig);
/** proc_hurry() - highest nice level, where we may: other work of the machine must not look like loss. */
void proc_hurry(const struct proc *p);
bool proc_alive(struct proc *p);
/** proc_stop() - signal, then wait up to timeout, then SIGKILL. Return: exit status as proc_run(). */
int proc_stop(struct proc *p, int sig, u32 timeout_ms);
/** proc_log_has() - does the log hold this text (after @from bytes)? */
bool proc_log_has(const struct proc *p, const char *text, long from);
long proc_log_size(const struct proc *p);
/** proc_wait_log() - until it does. Return: false on timeout or death. */
bool proc_wait_log(struct proc *p, const char *text, long from, u32 timeout_ms);
/** proc_print_log() - the last lines, for a failed test. */
void proc_print_log(const struct proc *p);
u64 proc_rss_kb(const struct proc *p);
u32 proc_n_fds(const struct proc *p);

/** api_get() - GET over a unix socket of the lab ("dataplane.sock", "agent.sock"). NULL when nobody answers. */
json_t *api_get(const struct lab *lab, const char *socket, const char *path);
/**
 * api_call() - any method. @if_match: a revision, or -1. @body: JSON text or NULL. @ret_status: the HTTP status, 0 when
 * nobody answers.
 */
json_t *api_call(const struct lab *lab, const char *socket, const char *method, const char *path,
		 s64 if_match, const char *body, int *ret_status);
json_int_t json_at(const json_t *o, const char *a,
		   const char *b); /* o[a][b], or o[a] when b is NULL; -1 = not there */

u64 now_ns(void);
void sleep_ms(u32 ms);
/** wait_until() - poll a condition every 2 ms. */
bool wait_until(bool (*fn)(void *arg), void *arg, u32 timeout_ms);

/* ---- the memif lab ------------------------------------------------------------------------------------------- */

struct memif_cfg {
	const char *idle; /* "poll", "adaptive" */
	u32 n_workers;	  /* all on the last CPU; 0 = 1. Each port has a queue for each */
	u32 n_prefixes;	  /* of the small table; 0 = full */
	u32 memory_max_mb;
	bool capture; /* ports are captures: "in" replays <dir>/in.pcap without end, all else goes to /dev/null */
	const char *extra; /* more of the dataplane group, or "" */
};

/** memif_lab_config() - write configuration, probes and routes of table 0. */
void memif_lab_config(struct lab *lab, const struct memif_cfg *cfg);
void memif_lab_routes(struct lab *lab, const struct memif_cfg *cfg, u32 k, const char *name);
/** memif_lab_dataplane() - start it and wait until it is ready. */
void memif_lab_dataplane(struct lab *lab);
void memif_lab_agent(struct lab *lab);
/** memif_lab_generator() - start it and wait until it is connected. */
void memif_lab_generator(struct lab *lab, u64 rate_pps, u32 seconds);
/** memif_lab_result() - wait for its end. Returns its object, owned by the caller; NULL when it failed. */
json_t *memif_lab_result(struct lab *lab, u32 timeout_ms);
/**
 * memif_lab_lossless() - print the run and judge it: nothing lost, or no more than arrives in the time that the worker, by
 * its own clock and in this run, was kept from polling. Says EXCUSED then.
 */
bool memif_lab_lossless(const struct lab *lab, const json_t *result, u64 rate_pps);
/** memif_lab_accounting() - the dataplane's own difference; -1 when it does not answer. */
json_int_t memif_lab_accounting(const struct lab *lab);
