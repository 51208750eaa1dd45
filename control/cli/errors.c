/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * errors.c - many errors at once: a line each for people, one object with a list for programs.
 */
#include "errors.h"

#include <jansson.h>

static void errors_print_json(const struct config_errors *errors, const char *token,
			      const char *message)
{
	json_t *list = json_array(), *doc;

	for (u32 i = 0; i < errors->n; i++)
		json_array_append_new(list, json_string(errors->text[i]));
	doc = json_pack("{s:s, s:s, s:o, s:i}", "error", token, "message", message, "errors", list,
			"exit", CLI_FAILED);
	if (!doc)
		return;
	json_dumpf(doc, stderr, JSON_COMPACT);
	fputc('\n', stderr);
	json_decref(doc);
}

int errors_report(const struct cli *cli, const struct config_errors *errors, const char *token,
		  const char *about)
{
	char message[512];

	fflush(stdout);
	snprintf(message, sizeof(message), "%u error%s: %s", errors->n, errors->n == 1 ? "" : "s",
		 about);
	if (cli->json) {
		errors_print_json(errors, token, message);
		return CLI_FAILED;
	}
	for (u32 i = 0; i < errors->n; i++)
		cli_note(cli, token, "%s", errors->text[i]);
	fprintf(stderr, "dwcp-cli: %s\n", message);
	return CLI_FAILED;
}
