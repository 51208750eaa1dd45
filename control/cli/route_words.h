/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * route_words.h - a route in the words of ip-route(8), as the API takes it. Ports stay names: only the agent knows them.
 */
#pragma once

#include <jansson.h>

#include "cli.h"

#define ROUTE_WORDS_ERROR_MAX 160

/**
 * route_words_parse() - words of a route file's line → {"prefix", "type", "vrf", "paths": [...]}.
 * @words: [n]. @ret_route: owned by the caller on success. @ret_error: [ROUTE_WORDS_ERROR_MAX] what was expected where.
 * Return: 0, -EINVAL, -ENOMEM.
 */
int route_words_parse(char *const *words, u32 n, json_t **ret_route, char *ret_error);
/** route_via_format() - the paths of a route of the API, as words; heap, owned by the caller. NULL = no memory. */
char *route_via_format(const json_t *route);
