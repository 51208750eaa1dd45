/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c - what goes to stderr: prose for people, one JSON object a line for programs.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"

char *cli_text_clean(char *text)
{
	unsigned char *to = (unsigned char *)text;

	for (const unsigned char *c = to; *c; c++) {
		bool c1 = c[0] == 0xc2 && c[1] >= 0x80 && c[1] < 0xa0;

		*to++ = c1 || *c < 0x20 || *c == 0x7f ? '?' : *c;
		c += c1;
	}
	*to = 0;
	return text;
}

static void error_print_line(const char *lead, const char *text)
{
	char *copy = strdup(text);

	if (copy)
		fprintf(stderr, "%s%s\n", lead, cli_text_clean(copy));
	free(copy);
}

static void error_print_json(const char *kind, const char *token, const char *message,
			     const char *hint, int code)
{
	json_t *e = json_pack("{s:s, s:s}", kind, token, "message", message);

	if (!e)
		return;
	if (hint)
		json_object_set_new(e, "hint", json_string(hint));
	if (code)
		json_object_set_new(e, "exit", json_integer(code));
	json_dumpf(e, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(e);
}

static char *message_format(const char *fmt, va_list args)
{
	char *text = NULL;

	return vasprintf(&text, fmt, args) < 0 ? NULL : text;
}

int cli_error(const struct cli *cli, enum cli_exit code, const char *token, const char *hint,
	      const char *fmt, ...)
{
	va_list args;
	char *message;

	va_start(args, fmt);
	message = message_format(fmt, args);
	va_end(args);
	fflush(stdout); /* so that a terminal shows both in the order of their happening */
	if (cli->json) {
		error_print_json("error", token, message ? message : fmt, hint, code);
	} else {
		error_print_line("dwcp-cli: ", message ? message : fmt);
		if (hint)
			error_print_line("  ", hint);
	}
	free(message);
	return code;
}

void cli_note(const struct cli *cli, const char *token, const char *fmt, ...)
{
	va_list args;
	char *message;

	va_start(args, fmt);
	message = message_format(fmt, args);
	va_end(args);
	if (cli->json)
		error_print_json("note", token, message ? message : fmt, NULL, 0);
	else
		error_print_line("", message ? message : fmt);
	free(message);
}
