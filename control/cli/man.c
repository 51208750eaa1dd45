/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * man.c - manual pages in mdoc(7): dwcp-cli(1) from the command table, dwcp.conf(5) from the configuration's schema.
 * docs/man holds what this prints; a test compares them.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <dwcp/util/config.h>

#include "cli.h"

#define MAN_DATE  "November 21, 2026"
#define MAN_WIDTH 72

static const char *const man_exits[] = {
	"done",
	"asked, and the answer was no: an error, a bad input, a refused change",
	"the command line is wrong",
	"neither the agent nor the dataplane answered, or one that was needed did not",
	"the other side, or a file, is of a version that this program does not speak",
};

/* roff sees '\\' everywhere, and '.' and "'" at the start of a line. */
static void man_word(const char *word, size_t len, bool start, FILE *out)
{
	if (start && (*word == '.' || *word == '\''))
		fputs("\\&", out);
	for (size_t i = 0; i < len; i++) {
		if (word[i] == '\\')
			fputs("\\e", out);
		else if (word[i] == '-')
			fputs("\\-", out);
		else
			fputc(word[i], out);
	}
}

/* Lines as they are, for a literal display. */
static void man_literal(const char *text, FILE *out)
{
	while (*text) {
		size_t n = strcspn(text, "\n");

		man_word(text, n, true, out);
		fputc('\n', out);
		text += n + (text[n] == '\n');
	}
}

/* A new sentence starts a new line, as mdoc wants it; within one, lines are filled. */
static void man_paragraph(const char *text, FILE *out)
{
	u32 column = 0;
	bool ended = false;

	while (*text) {
		size_t n = strcspn(text, " ");
		bool sentence = column && ended && *text >= 'A' && *text <= 'Z';

		if (sentence || column + n > MAN_WIDTH) {
			fputc('\n', out);
			column = 0;
		} else if (column) {
			fputc(' ', out);
		}
		man_word(text, n, column == 0, out);
		column += (u32)n + 1;
		ended = text[n - 1] == '.';
		text += n + strspn(text + n, " ");
	}
	fputs(ended ? "\n" : ".\n", out);
}

/* Summaries are in small letters for usage; here they are sentences. */
static void man_sentence(const char *text, FILE *out)
{
	char *copy = strdup(text);

	if (!copy)
		return;
	*copy = (char)toupper((unsigned char)*copy);
	man_paragraph(copy, out);
	free(copy);
}

/* Macro arguments that are words of mdoc (or punctuation) are kept from being called. */
static void man_option_line(const struct cli_option *o, FILE *out)
{
	if (!o->arg)
		fprintf(out, ".It Fl Fl %s\n", o->name);
	else if (o->arg[0] == '[')
		fprintf(out, ".It Fl Fl %s Ns Op = Ns Ar %.*s\n", o->name, (int)strlen(o->arg) - 2,
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
		man_sentence(o->help, out);
	}
	fprintf(out, ".El\n");
}

static void man_command(const struct cli_command *c, FILE *out)
{
	fprintf(out, ".It Cm %s", c->noun);
	if (c->verb)
		fprintf(out, " %s", c->verb);
	if (c->args[0] == '[')
		fprintf(out, " Oo Ar %.*s Oc", (int)strlen(c->args) - 2, c->args + 1);
	else if (*c->args >= 'a')
		fprintf(out, " %s", c->args);
	else if (*c->args)
		fprintf(out, " Ar %s", c->args);
	if (c->options)
		fprintf(out, " Op Ar options");
	fputc('\n', out);
	man_sentence(c->summary, out);
	if (c->text)
		man_paragraph(c->text, out);
	if (c->dataplane)
		fprintf(out, "Answered by the dataplane when the agent does not.\n");
	man_options(c->options, out);
}

static void man_exit_status(FILE *out)
{
	fprintf(out, ".Sh EXIT STATUS\n.Bl -tag -width Ds -compact\n");
	for (u32 i = 0; i < DWCP_ARRAY_LEN(man_exits); i++) {
		fprintf(out, ".It %u\n", i);
		man_sentence(man_exits[i], out);
	}
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

static const char man_cli_head[] =
	".Sh NAME\n.Nm dwcp-cli\n.Nd ask and change a dwcp router\n"
	".Sh SYNOPSIS\n.Nm\n.Op Ar options\n.Ar noun\n.Op Ar verb\n.Op Ar arguments\n"
	".Sh DESCRIPTION\n.Nm\n"
	"asks the agent over its unix socket.\n"
	"What an operator needs in an emergency is answered by the dataplane\n"
	"itself when the agent does not; a line on standard error says so.\n"
	".Pp\nOptions that every command understands, anywhere on the line:\n.Pp\n";

static const char man_cli_output[] =
	".Sh OUTPUT\n"
	"For people: numbers are grouped by thousands, units stand in the headers,\n"
	"times are UTC, and colour and progress appear on terminals only.\n"
	"Columns that do not fit the terminal are left out, and a last line names\nthem.\n"
	".Pp\nWith\n.Fl Fl json :\n"
	"one JSON object, numbers raw, from the same rows; while watching one\nobject a line.\n"
	"Errors are one object a line on standard error, with\n"
	".Li error\n(a stable word),\n.Li message ,\n.Li hint\nand\n.Li exit .\n"
	".Sh ENVIRONMENT\n.Bl -tag -width Ds -compact\n"
	".It Ev DWCP_RUN_DIR\nDirectory of the sockets.\n"
	".It Ev NO_COLOR\nNo colour when set and not empty.\n"
	".It Ev COLUMNS\nWidth to fit tables into, instead of the terminal's.\n.El\n"
	".Sh FILES\n.Bl -tag -width Ds -compact\n"
	".It Pa /run/dwcp/agent.sock\nThe agent.\n"
	".It Pa /run/dwcp/dataplane.sock\nThe dataplane, read only.\n"
	".It Pa /etc/dwcp/dwcp.conf\nThe configuration.\n.El\n";

void man_cli_print(FILE *out)
{
	man_header("DWCP-CLI", "1", out);
	fputs(man_cli_head, out);
	man_options(cli_globals, out);
	fprintf(out, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
	for (u32 i = 0; i < cli_n_commands; i++)
		man_command(&cli_commands[i], out);
	fprintf(out, ".El\n");
	fputs(man_cli_output, out);
	man_exit_status(out);
	fprintf(out, ".Sh SEE ALSO\n.Xr dwcp.conf 5 ,\n.Xr dwcp-agent 8 ,\n.Xr dwcp-dataplane 8\n");
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
		man_literal(text, out);
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
