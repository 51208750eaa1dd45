/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * usage.c - usage texts, made of the command table.
 */
#include <string.h>

#include "render.h"

#define USAGE_WIDTH  80
#define USAGE_INDENT 23

/* An optional value is shown as getopt_long(3) people know it: [=X]. */
static void usage_option(const struct cli_option *o, FILE *out)
{
	char left[48];

	if (!o->arg)
		snprintf(left, sizeof(left), "--%s", o->name);
	else if (o->arg[0] == '[')
		snprintf(left, sizeof(left), "--%s[=%s", o->name, o->arg + 1);
	else
		snprintf(left, sizeof(left), "--%s %s", o->name, o->arg);
	fprintf(out, "  %-20s ", left);
	render_wrap(o->help, USAGE_INDENT, USAGE_WIDTH - USAGE_INDENT, out);
}

static void usage_options(const char *title, const struct cli_option *o, FILE *out)
{
	if (!o || !o->name)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; o->name; o++)
		usage_option(o, out);
}

static int command_name(const struct cli_command *c, char *buf, size_t len)
{
	return snprintf(buf, len, "%s%s%s%s%s", c->noun, c->verb ? " " : "", c->verb ? c->verb : "",
			*c->args ? " " : "", c->args);
}

static void usage_rows(const char *noun, FILE *out)
{
	for (u32 i = 0; i < cli_n_commands; i++) {
		char name[64];

		if (noun && strcmp(cli_commands[i].noun, noun) != 0)
			continue;
		command_name(&cli_commands[i], name, sizeof(name));
		fprintf(out, "  %-22s %s\n", name, cli_commands[i].summary);
	}
}

static void usage_command(const struct cli_command *c, FILE *out)
{
	char name[64];

	command_name(c, name, sizeof(name));
	fprintf(out, "usage: dwcp-cli %s%s\n\n%s\n", name, c->options ? " [options]" : "",
		c->summary);
	if (c->text)
		render_wrap(c->text, 0, USAGE_WIDTH, out);
	usage_options("options", c->options, out);
}

void usage_noun_print(const char *noun, FILE *out)
{
	fprintf(out, "usage: dwcp-cli %s VERB\n\n", noun);
	usage_rows(noun, out);
}

void usage_print(const struct cli *cli, FILE *out)
{
	if (cli->command && cli->command->summary) {
		usage_command(cli->command, out);
		return;
	}
	fprintf(out, "usage: dwcp-cli [options] NOUN [VERB] ...\n\ncommands (--help behind one "
		     "says more):\n");
	usage_rows(NULL, out);
	usage_options("options, anywhere on the line", cli_globals, out);
	fprintf(out, "\nexit: 0 ok, 1 failed, 2 usage, 3 not connected, 4 version\n");
}

int help_run(struct cli *cli)
{
	return CLI_OK; /* printed while parsing, where the noun is known */
}
