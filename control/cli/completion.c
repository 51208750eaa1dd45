/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * completion.c - a bash completion script, made of the command table. The script is static: completing asks nobody.
 */
#include <string.h>

#include "cli.h"

static void completion_option_words(const struct cli_option *o, FILE *out)
{
	for (; o && o->name; o++)
		fprintf(out, "%s--%s", o == cli_globals ? "" : " ", o->name);
}

static void completion_nouns(FILE *out)
{
	for (u32 i = 0; i < cli_n_commands; i++)
		if (i == 0 || strcmp(cli_commands[i].noun, cli_commands[i - 1].noun) != 0)
			fprintf(out, "%s%s", i ? " " : "", cli_commands[i].noun);
}

static bool argument_is_file(const char *arg)
{
	return strcmp(arg, "FILE") == 0 || strcmp(arg, "[FILE]") == 0 || strcmp(arg, "PATH") == 0 ||
	       strcmp(arg, "DIR") == 0;
}

/* One case a kind of value: files, directories, words. An optional value doesn't hold completion up. */
static void completion_values(const struct cli_option *o, FILE *out)
{
	for (; o && o->name; o++) {
		if (!o->arg || o->arg[0] == '[')
			continue;
		fprintf(out, "\t--%s) ", o->name);
		if (argument_is_file(o->arg)) {
			fprintf(out, "COMPREPLY=($(compgen -%c -- \"$cur\"))",
				strcmp(o->arg, "DIR") ? 'f' : 'd');
		} else if (strchr(o->arg, '|')) {
			fprintf(out, "COMPREPLY=($(compgen -W '");
			for (const char *p = o->arg; *p; p++)
				fputc(*p == '|' ? ' ' : *p, out);
			fprintf(out, "' -- \"$cur\"))");
		} else {
			fprintf(out, "COMPREPLY=()");
		}
		fprintf(out, "; return ;;\n");
	}
}

/* Has an earlier row an option of this name? Then its case stands already. */
static bool value_is_repeated(const struct cli_option *o, u32 row)
{
	for (const struct cli_option *g = cli_globals; g->name; g++)
		if (strcmp(g->name, o->name) == 0)
			return true;
	for (u32 i = 0; i < row; i++)
		for (const struct cli_option *p = cli_commands[i].options; p && p->name; p++)
			if (strcmp(p->name, o->name) == 0)
				return true;
	return false;
}

static void completion_all_values(FILE *out)
{
	fprintf(out, "\tcase \"$prev\" in\n");
	completion_values(cli_globals, out);
	for (u32 i = 0; i < cli_n_commands; i++)
		for (const struct cli_option *o = cli_commands[i].options; o && o->name; o++) {
			const struct cli_option one[2] = {*o};

			if (!value_is_repeated(o, i))
				completion_values(one, out);
		}
	fprintf(out, "\tesac\n");
}

static void completion_verbs(FILE *out)
{
	fprintf(out, "\tcase \"$noun\" in\n");
	for (u32 i = 0; i < cli_n_commands; i++) {
		const struct cli_command *c = &cli_commands[i];
		bool first = i == 0 || strcmp(c->noun, cli_commands[i - 1].noun) != 0;
		bool last =
			i + 1 == cli_n_commands || strcmp(c->noun, cli_commands[i + 1].noun) != 0;

		if (!c->verb)
			continue;
		fprintf(out, first ? "\t%s) verbs='" : " ", c->noun);
		fprintf(out, "%s%s", c->verb, last ? "' ;;\n" : "");
	}
	fprintf(out, "\tesac\n");
}

static void completion_rows(FILE *out)
{
	fprintf(out, "\tcase \"$noun $verb\" in\n");
	for (u32 i = 0; i < cli_n_commands; i++) {
		const struct cli_command *c = &cli_commands[i];
		bool files = argument_is_file(c->args);

		if (!files && !c->options && *c->args != 'b')
			continue;
		fprintf(out, "\t'%s %s') words+='", c->noun, c->verb ? c->verb : "");
		completion_option_words(c->options, out);
		if (*c->args == 'b') /* an argument in small letters is a word to be typed */
			fprintf(out, " %s", c->args);
		fprintf(out, "'%s ;;\n", files ? "; files=1" : "");
	}
	fprintf(out, "\tesac\n");
}

void completion_bash_print(FILE *out)
{
	fprintf(out,
		"# bash completion for dwcp-cli; made by 'dwcp-cli completion bash'\n"
		"_dwcp_cli()\n{\n"
		"\tlocal cur=\"${COMP_WORDS[COMP_CWORD]}\" prev=\"${COMP_WORDS[COMP_CWORD-1]}\"\n"
		"\tlocal noun='' verb='' verbs='' words='' files='' i w skip=''\n");
	completion_all_values(out);
	fprintf(out,
		"\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
		"\t\tw=\"${COMP_WORDS[i]}\"\n"
		"\t\tif [[ -n $skip ]]; then skip=''; continue; fi\n"
		"\t\tcase \"$w\" in\n"
		"\t\t--run-dir|--socket|--config) skip=1 ;;\n"
		"\t\t-*) ;;\n"
		"\t\t*) if [[ -z $noun ]]; then noun=$w; elif [[ -z $verb ]]; then verb=$w; fi ;;\n"
		"\t\tesac\n"
		"\tdone\n");
	completion_verbs(out);
	fprintf(out, "\tif [[ -z $noun ]]; then\n\t\twords='");
	completion_nouns(out);
	fprintf(out, "'\n\telif [[ -n $verbs && -z $verb ]]; then\n\t\twords=$verbs\n\tfi\n"
		     "\tif [[ -z $verbs ]]; then verb=''; fi\n");
	completion_rows(out);
	fprintf(out, "\twords+=' ");
	completion_option_words(cli_globals, out);
	fprintf(out, "'\n"
		     "\tCOMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
		     "\tif [[ -n $files && $cur != -* ]]; then COMPREPLY=($(compgen -f -- "
		     "\"$cur\")); fi\n"
		     "}\n"
		     "complete -o filenames -F _dwcp_cli dwcp-cli\n");
}

int completion_run(struct cli *cli)
{
	if (strcmp(cli->args[0], "bash") != 0)
		return cli_error(cli, CLI_USAGE, "unknown_shell", "dwcp-cli completion bash",
				 "no completion for '%s'", cli->args[0]);
	completion_bash_print(stdout);
	return CLI_OK;
}
