/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * args.c - the command line, read by the command table: globals anywhere, then noun, verb, arguments and options.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

#define MAX_NAMES 64

/* Rows that are reached by an option instead of a noun. */
static const struct cli_command args_help = {.noun = "help", .run = help_run};
static const struct cli_command args_man = {.noun = "man", .run = man_run};
static const struct cli_command args_version = {.noun = "version", .run = version_run};

struct args_state {
	struct cli *cli;
	int argc, next;
	char **argv;
	const char *noun;
	bool help, literal; /* literal: behind "--" */
};

bool args_is_noun(const char *noun)
{
	for (u32 i = 0; i < cli_n_commands; i++)
		if (strcmp(cli_commands[i].noun, noun) == 0)
			return true;
	return false;
}

static const struct cli_command *args_command(const char *noun, const char *verb)
{
	for (u32 i = 0; i < cli_n_commands; i++) {
		const struct cli_command *c = &cli_commands[i];

		if (strcmp(c->noun, noun) != 0)
			continue;
		if (!c->verb || (verb && strcmp(c->verb, verb) == 0))
			return c;
	}
	return NULL;
}

/* Distinct nouns, or with @noun its verbs. */
static u32 args_names(const char *noun, const char **ret_names)
{
	u32 n = 0;

	for (u32 i = 0; i < cli_n_commands && n < MAX_NAMES; i++) {
		const struct cli_command *c = &cli_commands[i];
		const char *name = noun ? c->verb : c->noun;

		if (noun && strcmp(c->noun, noun) != 0)
			continue;
		if (n > 0 && strcmp(ret_names[n - 1], name) == 0)
			continue;
		ret_names[n++] = name;
	}
	return n;
}

static int args_unknown(const struct cli *cli, const char *noun, const char *word)
{
	const char *names[MAX_NAMES];
	u32 n = args_names(noun, names);
	const char *near = nearest_name(word, names, n);
	char hint[96];

	if (near)
		snprintf(hint, sizeof(hint), "did you mean '%s%s%s'?", noun ? noun : "",
			 noun ? " " : "", near);
	else
		snprintf(hint, sizeof(hint), "see 'dwcp-cli %s--help'", noun ? noun : "");
	if (!near && noun)
		snprintf(hint, sizeof(hint), "see 'dwcp-cli %s --help'", noun);
	return cli_error(cli, CLI_USAGE, "unknown_command", hint, "unknown command '%s%s%s'",
			 noun ? noun : "", noun ? " " : "", word);
}

static const struct cli_option *option_find(const struct cli_option *options, const char *name,
					    size_t len)
{
	for (; options && options->name; options++)
		if (strlen(options->name) == len && strncmp(options->name, name, len) == 0)
			return options;
	return NULL;
}

static u32 option_names(const struct cli_option *options, const char **names, u32 n)
{
	for (; options && options->name && n < MAX_NAMES; options++)
		names[n++] = options->name;
	return n;
}

static int option_unknown(const struct cli *cli, const char *text, size_t len)
{
	const char *names[MAX_NAMES], *near;
	char name[64], hint[96];
	u32 n;

	snprintf(name, sizeof(name), "%.*s", (int)len, text);
	n = option_names(cli_globals, names, 0);
	n = option_names(cli->command ? cli->command->options : NULL, names, n);
	near = nearest_name(name, names, n);
	if (near)
		snprintf(hint, sizeof(hint), "did you mean '--%s'?", near);
	else
		snprintf(hint, sizeof(hint), "see 'dwcp-cli --help'");
	return cli_error(cli, CLI_USAGE, "unknown_option", hint, "unknown option '--%s'", name);
}

/* Is @text one of the words of "a|b|c"? */
static bool choice_matches(const char *choices, const char *text)
{
	size_t len = strlen(text);

	while (*choices) {
		size_t n = strcspn(choices, "|");

		if (n == len && strncmp(choices, text, n) == 0)
			return true;
		choices += n + (choices[n] == '|');
	}
	return false;
}

static bool text_is_number(const char *text)
{
	return text && isdigit((unsigned char)*text);
}

static int option_value(struct args_state *s, const struct cli_option *o, const char *inline_value,
			const char **ret_text)
{
	const char *text = inline_value;

	*ret_text = NULL;
	if (!o->arg)
		return text ? cli_error(s->cli, CLI_USAGE, "bad_option", NULL,
					"--%s takes no value", o->name)
			    : CLI_OK;
	if (!text && s->next < s->argc && (o->arg[0] != '[' || text_is_number(s->argv[s->next])))
		text = s->argv[s->next++];
	if (!text && o->arg[0] != '[')
		return cli_error(s->cli, CLI_USAGE, "bad_option", NULL, "--%s needs %s", o->name,
				 o->arg);
	if (text && o->arg[0] != '[' && strchr(o->arg, '|') && !choice_matches(o->arg, text))
		return cli_error(s->cli, CLI_USAGE, "bad_option", NULL,
				 "--%s is one of %s, not '%s'", o->name, o->arg, text);
	*ret_text = text;
	return CLI_OK;
}

static void global_apply(struct args_state *s, const struct cli_option *o, const char *text)
{
	struct cli *cli = s->cli;

	if (strcmp(o->name, "run-dir") == 0)
		cli->run_dir = text;
	else if (strcmp(o->name, "socket") == 0)
		cli->socket_path = text;
	else if (strcmp(o->name, "config") == 0)
		cli->config_path = text;
	else if (strcmp(o->name, "json") == 0)
		cli->json = true;
	else if (strcmp(o->name, "no-color") == 0)
		cli->color = false;
	else if (strcmp(o->name, "help") == 0)
		s->help = true;
	else if (strcmp(o->name, "version") == 0)
		cli->command = &args_version;
	else if (strcmp(o->name, "man") == 0)
		cli->command = &args_man;
}

static int args_option(struct args_state *s, const char *word)
{
	struct cli *cli = s->cli;
	const struct cli_option *o;
	const char *name = word + 2, *text;
	size_t len = strcspn(name, "=");
	bool global = false;
	int rc;

	o = option_find(cli->command ? cli->command->options : NULL, name, len);
	if (!o) {
		o = option_find(cli_globals, name, len);
		global = true;
	}
	if (!o)
		return option_unknown(cli, name, len);
	rc = option_value(s, o, name[len] == '=' ? name + len + 1 : NULL, &text);
	if (rc != CLI_OK)
		return rc;
	if (global)
		global_apply(s, o, text);
	if (cli->n_values == CLI_MAX_VALUES)
		return cli_error(cli, CLI_USAGE, "bad_option", NULL, "more than %d options",
				 CLI_MAX_VALUES);
	cli->values[cli->n_values++] = (struct cli_value){.option = o, .text = text};
	return CLI_OK;
}

static int args_word(struct args_state *s, char *word)
{
	struct cli *cli = s->cli;

	if (cli->command) {
		cli->args[cli->n_args++] = word;
		return CLI_OK;
	}
	if (!s->noun) {
		if (!args_is_noun(word))
			return args_unknown(cli, NULL, word);
		s->noun = word;
		cli->command = args_command(word, NULL);
		return CLI_OK;
	}
	cli->command = args_command(s->noun, word);
	return cli->command ? CLI_OK : args_unknown(cli, s->noun, word);
}

static int args_finish(struct args_state *s)
{
	struct cli *cli = s->cli;

	if (s->help) {
		if (cli->command)
			usage_print(cli, stdout);
		else if (s->noun)
			usage_noun_print(s->noun, stdout);
		else
			usage_print(cli, stdout);
		cli->command = &args_help;
		return CLI_OK;
	}
	if (!cli->command && s->noun)
		return cli_error(cli, CLI_USAGE, "missing_command", "see the verbs with --help",
				 "%s: which verb?", s->noun);
	if (!cli->command) {
		usage_print(cli, stderr);
		return CLI_USAGE;
	}
	if (cli->command == &args_man || cli->command == &args_version)
		return CLI_OK;
	if (cli->n_args < cli->command->min_args)
		return cli_error(cli, CLI_USAGE, "missing_argument", NULL, "%s%s%s needs %s",
				 cli->command->noun, cli->command->verb ? " " : "",
				 cli->command->verb ? cli->command->verb : "", cli->command->args);
	if (cli->n_args > cli->command->max_args)
		return cli_error(cli, CLI_USAGE, "extra_argument", NULL, "unexpected argument '%s'",
				 cli->args[cli->command->max_args]);
	return CLI_OK;
}

/* --json decides how errors look, also those of words before it. */
static void args_scan_json(struct cli *cli, int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			cli->json = true;
}

int args_parse(struct cli *cli, int argc, char **argv)
{
	struct args_state s = {.cli = cli, .argc = argc, .next = 1, .argv = argv};
	int rc = CLI_OK;

	args_scan_json(cli, argc, argv);
	while (rc == CLI_OK && s.next < argc) {
		char *word = argv[s.next++];

		if (!s.literal && strcmp(word, "--") == 0)
			s.literal = true;
		else if (!s.literal && strcmp(word, "-h") == 0)
			s.help = true;
		else if (!s.literal && strncmp(word, "--", 2) == 0)
			rc = args_option(&s, word);
		else if (!s.literal && word[0] == '-' && word[1])
			rc = cli_error(cli, CLI_USAGE, "unknown_option",
				       "options are spelled out: --name", "unknown option '%s'",
				       word);
		else
			rc = args_word(&s, word);
	}
	return rc == CLI_OK ? args_finish(&s) : rc;
}

bool args_flag(const struct cli *cli, const char *name)
{
	for (u32 i = 0; i < cli->n_values; i++)
		if (strcmp(cli->values[i].option->name, name) == 0)
			return true;
	return false;
}

const char *args_value(const struct cli *cli, const char *name, u32 nth)
{
	for (u32 i = 0; i < cli->n_values; i++)
		if (strcmp(cli->values[i].option->name, name) == 0 && nth-- == 0)
			return cli->values[i].text;
	return NULL;
}

int args_number(const struct cli *cli, const char *name, u64 min, u64 max, u64 fallback,
		u64 *ret_number)
{
	const char *text = args_value(cli, name, 0);
	char *end;
	u64 n;

	*ret_number = fallback;
	if (!text)
		return CLI_OK;
	errno = 0;
	n = strtoull(text, &end, 10);
	if (errno || *end || !isdigit((unsigned char)*text) || n < min || n > max)
		return cli_error(cli, CLI_USAGE, "bad_option", NULL,
				 "--%s is a number from %llu to %llu, not '%s'", name,
				 (unsigned long long)min, (unsigned long long)max, text);
	*ret_number = n;
	return CLI_OK;
}
