/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * man.c - manual pages in mdoc(7): dwcp-cli(1) from the command table, dwcp.conf(5) from the configuration's schema.
 * docs/man holds what this prints; a test compares them.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/config.h>

#include "cli.h"

#define MAN_DATE "November 21, 2026"

static const char *const man_exits[] = {
	"done",
	"asked, and the answer was no: an error, a bad input, a refused change",
	"the command line is wrong",
	"neither the agent nor the dataplane answered, or one that was needed did not",
	"the other side, or a file, is of a version that this program does not speak",
};

/* roff sees '\' everywhere, and '.' and "'" at the start of a line. */
static void man_text(const char *text, FILE *out)
{
	bool start = true;

	for (; *text; text++) {
		if (start && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\\')
			fputs("\\e", out);
		else if (*text == '-')
			fputs("\\-", out);
		else
			fputc(*text, out);
		start = *text == '\n';
	}
}

/* A sentence a line, as mdoc wants it; a summary without a full stop gets one. */
static void man_paragraph(const char *text, FILE *out)
{
	const char *stop;
	char c;

	while ((stop = strstr(text, ". "))) {
		char *line = strndup(text, (size_t)(stop - text) + 1);

		if (!line)
			return;
		man_text(line, out);
		fputc('\n', out);
		free(line);
		text = stop + 2;
	}
	man_text(text, out);
	c = *text ? text[strlen(text) - 1] : '.';
	fprintf(out, "%s\n", c == '.' || c == ')' ? "" : ".");
}

/* Macro arguments that are words of mdoc (or punctuation) are kept from being called. */
static void man_option_line(const struct cli_option *o, FILE *out)
{
	if (!o->arg)
		fprintf(out, ".It Fl Fl %s\n", o->name);
	else if (o->arg[0] == '[')
		fprintf(out, ".It Fl Fl %s Op Ar %.*s\n", o->name, (int)strlen(o->arg) - 2,
			o->arg + 1);
	else
		fprintf(out, ".It Fl Fl %s Ar %s\n", o->name, o->arg);
}

static void man_options(const struct cli_option *o, FILE *out)
{
	if (!o || !o->name)
		return;
	fprintf(out, ".Bl -tag -width Ds -compact\n");
	for (; o->name; o++) {
		man_option_line(o, out);
		man_paragraph(o->help, out);
	}
	fprintf(out, ".El\n");
}

static void man_command(const struct cli_command *c, FILE *out)
{
	fprintf(out, ".It Cm %s", c->noun);
	if (c->verb)
		fprintf(out, " %s", c->verb);
	if (c->args[0] == '[')
		fprintf(out, " Op Ar %.*s", (int)strlen(c->args) - 2, c->args + 1);
	else if (*c->args >= 'a')
		fprintf(out, " %s", c->args);
	else if (*c->args)
		fprintf(out, " Ar %s", c->args);
	if (c->options)
		fprintf(out, " Op Ar options");
	fputc('\n', out);
	man_paragraph(c->summary, out);
	if (c->text)
		man_paragraph(c->text, out);
	if (c->dataplane)
		fprintf(out, "Answered by the dataplane when the agent does not.\n");
	man_options(c->options, out);
}

static void man_exit_status(FILE *out)
{
	fprintf(out, ".Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n");
	for (u32 i = 0; i < DWCP_ARRAY_LEN(man_exits); i++)
		fprintf(out, ".It %u\n%s\n", i, man_exits[i]);
	fprintf(out, ".El\n");
}

static void man_header(const char *title, const char *section, FILE *out)
{
	fprintf(out,
		".\\\" SPDX-License-Identifier: BSD-3-Clause\n"
		".\\\" Made by 'dwcp-cli --man'; changed by changing what it is made of.\n"
		".Dd %s\n.Dt %s %s\n.Os\n",
		MAN_DATE, title, section);
}

void man_cli_print(FILE *out)
{
	man_header("DWCP-CLI", "1", out);
	fprintf(out,
		".Sh NAME\n.Nm dwcp-cli\n.Nd ask and change a dwcp router\n"
		".Sh SYNOPSIS\n.Nm\n.Op Ar options\n.Ar noun\n.Op Ar verb\n.Op Ar arguments\n"
		".Sh DESCRIPTION\n.Nm\n"
		"asks the agent over its unix socket.\n"
		"What an operator needs in an emergency is answered by the dataplane itself when "
		"the agent does not;\n"
		"a line on standard error says so.\n"
		".Pp\nOptions that are understood by every command, anywhere on the line:\n.Pp\n");
	man_options(cli_globals, out);
	fprintf(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
	for (u32 i = 0; i < cli_n_commands; i++)
		man_command(&cli_commands[i], out);
	fprintf(out, ".El\n");
	man_exit_status(out);
	fprintf(out,
		".Sh OUTPUT\n"
		"For people: numbers are grouped by thousands, units stand in the headers, times "
		"are UTC, and colour and\n"
		"progress appear on terminals only.\n"
		"Columns that do not fit the terminal are left out, and a last line names them.\n"
		".Pp\nWith\n.Fl Fl json :\n"
		"one JSON object, numbers raw, the same rows; while watching one object a line.\n"
		"Errors are one object a line on standard error, with\n"
		".Li error\n(a stable word),\n.Li message ,\n.Li hint\nand\n.Li exit .\n"
		".Sh ENVIRONMENT\n.Bl -tag -width Ds -compact\n"
		".It Ev DWCP_RUN_DIR\ndirectory of the sockets\n"
		".It Ev NO_COLOR\nno colour when set and not empty\n"
		".It Ev COLUMNS\nwidth to fit tables into, instead of the terminal's\n.El\n"
		".Sh FILES\n.Bl -tag -width Ds -compact\n"
		".It Pa /run/dwcp/agent.sock\nthe agent\n"
		".It Pa /run/dwcp/dataplane.sock\nthe dataplane, read only\n"
		".It Pa /etc/dwcp/dwcp.conf\nthe configuration\n.El\n"
		".Sh SEE ALSO\n.Xr dwcp.conf 5 ,\n.Xr dwcp-agent 8 ,\n.Xr dwcp-dataplane 8\n");
}

/* Inside a literal display a line may still not begin with a control character. */
int man_conf_print(FILE *out)
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	int rc;

	if (!f)
		return -errno;
	rc = config_reference(f);
	if (fclose(f) != 0 && rc == 0)
		rc = -EIO;
	if (rc == 0) {
		man_header("DWCP.CONF", "5", out);
		fprintf(out, ".Sh NAME\n.Nm dwcp.conf\n.Nd configuration of a dwcp router\n.Sh "
			     "DESCRIPTION\n"
			     "One file in libconfig syntax, read by\n.Xr dwcp-dataplane "
			     "8\nand\n.Xr dwcp-agent 8 .\n"
			     "Check it with\n.Dl dwcp-cli config check Ar FILE\n"
			     "and see it with all defaults filled in by\n.Dl dwcp-cli config show "
			     "--effective\n"
			     ".Sh KEYS\n.Bd -literal\n");
		man_text(text, out);
		fprintf(out, ".Ed\n.Sh SEE ALSO\n.Xr dwcp-cli 1 ,\n.Xr dwcp-agent 8 ,\n.Xr "
			     "dwcp-dataplane 8\n");
	}
	free(text);
	return rc;
}

int man_run(struct cli *cli)
{
	const char *page = args_value(cli, "man", 0);

	if (!page || strcmp(page, "cli") == 0) {
		man_cli_print(stdout);
		return CLI_OK;
	}
	if (strcmp(page, "conf") == 0)
		return man_conf_print(stdout) == 0 ? CLI_OK : CLI_FAILED;
	return cli_error(cli, CLI_USAGE, "unknown_page", NULL, "no manual page '%s': cli or conf",
			 page);
}
