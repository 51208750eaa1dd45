/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuzz_config.c - any bytes as a configuration: no crash, either errors and no result or a result and no errors; and what
 * loads prints to something that loads and means the same.
 */
#include <errno.h>
#include <stdlib.h>

#include <dwcp/util/config.h>

int LLVMFuzzerTestOneInput(const u8 *data, size_t len);
const char *__lsan_default_suppressions(void);

/* libconfig 1.5 loses the string it was reading when it meets a syntax error. */
const char *__lsan_default_suppressions(void)
{
	return "leak:libconfig_yylex\nleak:strbuf_append\n";
}

static void require(bool ok)
{
	if (!ok)
		abort();
}

static void round_trip(const struct dwcp_config *cfg)
{
	struct config_diff_row rows[32];
	struct config_errors e = {0};
	struct dwcp_config *again = NULL;
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);
	u32 n, i;

	require(f && !config_print(cfg, f) && !fclose(f));
	require(!config_parse(text, len, "again", NULL, &again, &e));
	n = config_diff(cfg, again, rows, DWCP_ARRAY_LEN(rows));
	for (i = 0; i < n; i++)
		require(rows[i].change == CONFIG_KEPT);
	config_free(again);
	free(text);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t len)
{
	struct config_errors e = {0};
	struct dwcp_config *cfg = NULL;
	int rc = config_parse((const char *)data, len, "fuzz", NULL, &cfg, &e);

	require(rc ? rc == -EINVAL && e.n && !cfg : !e.n && cfg);
	if (!rc)
		round_trip(cfg);
	config_free(cfg);
	config_errors_fini(&e);
	return 0;
}
