/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * test_chunk.c - pieces and pages of tables: what is configured, what is allowed, what the machine has.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <dwcp/util/chunk.h>

static const struct row {
	u32 configured;
	bool allowed;
	u64 free;
	u32 kb;
	bool huge;
	const char *why; /* begins with */
} rows[] = {
	{0, true, CHUNK_HUGE_PAGES, 2048, true, "32 huge pages"},
	{0, true, CHUNK_HUGE_PAGES - 1, 256, false, "fewer than 32"},
	{0, true, 0, 256, false, "fewer than 32"},
	{0, false, 1000, 256, false, "dataplane.memory.huge_pages is off"},
	{64, true, 1000, 64, false, "agent.chunk_kb"},
	{2048, true, 0, 2048, true, "agent.chunk_kb"}, /* asked for: as many as there are */
	{2048, false, 1000, 2048, false, "agent.chunk_kb"},
};

static void choices(void **state)
{
	(void)state;
	for (u32 i = 0; i < DWCP_ARRAY_LEN(rows); i++) {
		const struct row *r = &rows[i];
		struct chunk_choice c = chunk_choose(r->configured, r->allowed, r->free);

		assert_int_equal(c.kb, r->kb);
		assert_int_equal(c.huge, r->huge);
		assert_memory_equal(c.why, r->why, strlen(r->why));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(choices),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
