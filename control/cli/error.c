/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * error.c - what goes to stderr: prose for people, one JSON object a line for programs.
 */
#include <jansson.h>
#include <stdarg.h>
#include <stdlib.h>

#include "cli.h"

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
		fprintf(stderr, "dwcp-cli: %s\n", message ? message : fmt);
		if (hint)
			fprintf(stderr, "  %s\n", hint);
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
		fprintf(stderr, "%s\n", message ? message : fmt);
	free(message);
}
