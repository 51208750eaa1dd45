/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cli.h - what every noun of dwcp-cli sees: the command table's rows, the parsed command line, and errors.
 *
 * The program is one thread: parse the line by the table, call one function, print, exit with its code. A noun lives in
 * the file of its name and never prints JSON or tables by itself: render.h does, from the same rows. Talking to the
 * agent and the dataplane is client.h's.
 */
#pragma once

#include <stdio.h>

#include <dwcp/base.h>

#define CLI_VERSION_TEXT DWCP_VERSION

/* The exit codes, as documented in dwcp-cli(1). */
enum cli_exit { CLI_OK, CLI_FAILED, CLI_USAGE, CLI_NOT_CONNECTED, CLI_VERSION };

/* One option of a command. arg: NULL = flag; "N" = a value; "[N]" = may be left out; "4|6" = one of these. */
struct cli_option {
	const char *name, *arg, *help;
};

struct cli;

/* One row of the command table: dispatch, usage, completion and the man page are made of it. */
struct cli_command {
	const char *noun, *verb; /* verb NULL: the noun alone */
	const char *args;	 /* positional arguments as usage shows them */
	u16 min_args, max_args;
	const struct cli_option *options; /* ends with name NULL; NULL = none */
	bool dataplane;			  /* the dataplane answers when the agent doesn't */
	const char *summary;		  /* one line */
	const char *text;	     /* paragraph of the man page; NULL = the summary says it */
	int (*run)(struct cli *cli); /* returns an enum cli_exit */
};

extern const struct cli_command cli_commands[];
extern const u32 cli_n_commands;
extern const struct cli_option cli_globals[];

#define CLI_MAX_VALUES 64

struct cli_value {
	const struct cli_option *option;
	const char *text; /* NULL for a flag, or an optional value left out */
};

struct client;

struct cli {
	const struct cli_command *command;
	char **args; /* [n_args] positional, behind the verb; borrowed from argv */
	u32 n_args;
	struct cli_value values[CLI_MAX_VALUES];
	u32 n_values;
	const char *run_dir, *socket_path, *config_path;
	char *run_dir_owned;
	bool json, color;
	u32 columns; /* width to fit tables into; 0 = don't care */
	struct client *client;
	bool fallback_noted;
};

/* ---- the command line (args.c) ------------------------------------------------------------------------------ */

/**
 * args_parse() - read a command line by the table.
 * @argv: borrowed for the life of @cli. Handles --help, --version and --man by setting cli->command to their rows.
 * Return: CLI_OK and cli->command set; or CLI_USAGE, the error printed.
 */
int args_parse(struct cli *cli, int argc, char **argv);
/** args_flag() - was an option given? */
bool args_flag(const struct cli *cli, const char *name);
/** args_value() - text of the @nth (from 0) value of an option, NULL = not given so often, or without text. */
const char *args_value(const struct cli *cli, const char *name, u32 nth);
/**
 * args_number() - an option as a whole number.
 * @fallback: when it was not given. Return: CLI_OK, or CLI_USAGE with the error printed.
 */
int args_number(const struct cli *cli, const char *name, u64 min, u64 max, u64 fallback,
		u64 *ret_number);
/** args_is_noun() - is there a command of this noun? */
bool args_is_noun(const char *noun);

/** nearest_name() - which of @names [n] was probably meant; NULL when none is close. */
const char *nearest_name(const char *word, const char *const *names, u32 n);

/* ---- errors: prose for people, one JSON object a line with --json; always on stderr (error.c) ----------------- */

/**
 * cli_error() - report, and hand back the exit code.
 * @token: stable word for programs. @hint: what to do; NULL = none.
 */
int cli_error(const struct cli *cli, enum cli_exit code, const char *token, const char *hint,
	      const char *fmt, ...) dwcp_printf(5, 6);
/** cli_text_clean() - what a peer sent is shown, never obeyed: '?' for control characters (C0, DEL, C1). In place. */
char *cli_text_clean(char *text);
/** cli_note() - something the operator should know although the command works. */
void cli_note(const struct cli *cli, const char *token, const char *fmt, ...) dwcp_printf(3, 4);

/* ---- made of the table ---------------------------------------------------------------------------------------- */

void usage_print(const struct cli *cli,
		 FILE *out); /* of the command, the noun, or everything: what is known of */
void usage_noun_print(const char *noun, FILE *out);
void completion_bash_print(FILE *out);
void man_cli_print(FILE *out);
int man_conf_print(FILE *out); /* dwcp.conf(5), from the configuration's schema */

/* ---- the commands, by noun ------------------------------------------------------------------------------------ */

int status_run(struct cli *cli);
int ports_run(struct cli *cli);
int routes_lookup_run(struct cli *cli);
int routes_list_run(struct cli *cli);
int routes_count_run(struct cli *cli);
int routes_mirror_run(struct cli *cli);
int routes_add_run(struct cli *cli);
int routes_del_run(struct cli *cli);
int tables_show_run(struct cli *cli);
int tables_history_run(struct cli *cli);
int tables_build_run(struct cli *cli);
int tables_check_run(struct cli *cli);
int stats_run(struct cli *cli);
int drops_run(struct cli *cli);
int exceptions_run(struct cli *cli);
int neighbours_run(struct cli *cli);
int config_check_run(struct cli *cli);
int config_show_run(struct cli *cli);
int config_reload_run(struct cli *cli);
int events_run(struct cli *cli);
int version_run(struct cli *cli);
int completion_run(struct cli *cli);
int help_run(struct cli *cli);
int man_run(struct cli *cli);
