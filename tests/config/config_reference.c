/* SPDX-License-Identifier: BSD-3-Clause */
/* config_reference.c - writes configs/reference.conf: `meson compile config-reference`. */
#include <dwcp/util/config.h>

int main(int argc, char **argv)
{
	FILE *f = argc == 2 ? fopen(argv[1], "we") : NULL;

	if (!f)
		return 1;
	return config_reference(f) || fclose(f);
}
