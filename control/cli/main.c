/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * main.c - dwcp-cli: ask and change a router. One thread, one command, one exit code (cli.h). Order: command line,
 * terminal, where the sockets are, run.
 */
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <dwcp/util/config.h>

#include "client.h"

#define RUN_DIR_DEFAULT "/run/dwcp"

static void terminal_init(struct cli *cli)
{
	const char *term = getenv("TERM"), *no_color = getenv("NO_COLOR"),
		   *columns = getenv("COLUMNS");
	bool dumb = !term || strcmp(term, "dumb") == 0;
	struct winsize size;

	cli->color = isatty(STDOUT_FILENO) && !dumb && !(no_color && *no_color);
	if (columns && strtoul(columns, NULL, 10) > 0)
		cli->columns = (u32)strtoul(columns, NULL, 10);
	else if (isatty(STDOUT_FILENO) && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		cli->columns = size.ws_col;
}

/* --run-dir, else the configuration's, else the environment's, else the usual one. */
static int run_dir_init(struct cli *cli)
{
	struct config_errors errors = {0};
	struct dwcp_config *cfg;
	const char *env = getenv("DWCP_RUN_DIR");
	int rc;

	if (cli->run_dir || cli->socket_path)
		return CLI_OK;
	cli->run_dir = env && *env ? env : RUN_DIR_DEFAULT;
	if (!cli->config_path)
		return CLI_OK;
	rc = config_load(cli->config_path, &cfg, &errors);
	if (rc < 0) {
		rc = cli_error(cli, CLI_FAILED, "config_invalid",
			       "dwcp-cli config check shows all errors", "%s",
			       errors.n ? errors.text[0] : strerror(-rc));
		config_errors_fini(&errors);
		return rc;
	}
	cli->run_dir = cli->run_dir_owned = strdup(cfg->node.run_dir);
	config_free(cfg);
	config_errors_fini(&errors);
	return cli->run_dir ? CLI_OK : cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory");
}

/* These read the configuration themselves and report all of its errors. */
static bool command_is_offline(const struct cli_command *c)
{
	return c->run == tables_build_run || c->run == tables_check_run ||
	       c->run == config_check_run || c->run == completion_run || c->run == help_run ||
	       c->run == man_run;
}

static int cli_run(struct cli *cli, int argc, char **argv)
{
	int rc = args_parse(cli, argc, argv);

	if (rc == CLI_OK && !command_is_offline(cli->command)) {
		rc = run_dir_init(cli);
		cli->client = client_create();
		if (rc == CLI_OK && !cli->client)
			rc = cli_error(cli, CLI_FAILED, "no_memory", NULL, "no memory");
	}
	if (rc == CLI_OK)
		rc = cli->command->run(cli);
	/* a full disk or a closed pipe must not look like success */
	if (fflush(stdout) != 0 && rc == CLI_OK)
		rc = cli_error(cli, CLI_FAILED, "output", NULL, "the output could not be written");
	client_free(cli->client);
	free(cli->run_dir_owned);
	return rc;
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	int rc;

	setlocale(LC_CTYPE, "");
	cli.args = calloc((size_t)argc + 1, sizeof(*cli.args));
	if (!cli.args)
		return CLI_FAILED;
	terminal_init(&cli);
	rc = cli_run(&cli, argc, argv);
	free(cli.args);
	return rc;
}
