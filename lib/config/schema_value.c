/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema_value.c - one scalar of a row: from libconfig's setting to the field, back to text, and in words.
 * Any thread; no state.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "schema_engine.h"

void schema_int_store(const struct schema_row *r, void *field, s64 v)
{
	u64 bits = (u64)v;

	/* Little and big endian alike: through a value of the field's width. */
	switch (r->bytes) {
	case 1:
		*(u8 *)field = (u8)bits;
		break;
	case 2:
		*(u16 *)field = (u16)bits;
		break;
	case 4:
		*(u32 *)field = (u32)bits;
		break;
	default:
		*(u64 *)field = bits;
	}
}

s64 schema_int_load(const struct schema_row *r, const void *field)
{
	bool is_signed = r->min < 0;

	switch (r->bytes) {
	case 1:
		return is_signed ? *(const int8_t *)field : *(const u8 *)field;
	case 2:
		return is_signed ? *(const int16_t *)field : *(const u16 *)field;
	case 4:
		return is_signed ? *(const s32 *)field : (s64) * (const u32 *)field;
	default:
		return *(const s64 *)field;
	}
}

static int int_parse(const struct schema_row *r, const config_setting_t *s, void *field,
		     const char **ret_what)
{
	s64 v;

	if (s->type == CONFIG_TYPE_INT)
		v = s->value.ival;
	else if (s->type == CONFIG_TYPE_INT64)
		v = s->value.llval;
	else
		return -EINVAL;
	/* libconfig cuts hexadecimal to 32 bits in silence. */
	if (s->format == CONFIG_FORMAT_HEX) {
		*ret_what = "a decimal integer";
		return -EINVAL;
	}
	if (v < r->min || v > r->max)
		return -EINVAL;
	schema_int_store(r, field, v);
	return 0;
}

static int enum_parse(const struct schema_row *r, const char *text, void *field, char *buf,
		      size_t len, const char **ret_what)
{
	const char *near;
	u32 n = 0;

	for (; r->names[n]; n++) {
		if (strcmp(r->names[n], text))
			continue;
		*(u32 *)field = n;
		return 0;
	}
	near = schema_nearest(text, r->names, n);
	if (near) {
		schema_expected(r, false, buf, len);
		n = (u32)strlen(buf);
		snprintf(buf + n, len - n, " (did you mean '%s'?)", near);
		*ret_what = buf;
	}
	return -EINVAL;
}

static int string_parse(const struct schema_row *r, const char *text, void *field)
{
	size_t n = strlen(text);

	if ((s64)n < r->min || n >= r->bytes)
		return -EINVAL;
	memset(field, 0, r->bytes);
	memcpy(field, text, n);
	return 0;
}

int schema_scalar_parse(const struct schema_row *r, const struct schema_scope *scope,
			const config_setting_t *s, void *field, char *buf, size_t len,
			const char **ret_what)
{
	const char *text = s->type == CONFIG_TYPE_STRING ? s->value.sval : NULL;
	const char *refusal;
	int rc;

	if (s->type == CONFIG_TYPE_STRING && !text)
		text = ""; /* libconfig's empty string */
	*ret_what = NULL;
	if (r->kind == SCHEMA_INT) {
		rc = int_parse(r, s, field, ret_what);
	} else if (r->kind == SCHEMA_BOOL) {
		rc = s->type == CONFIG_TYPE_BOOL ? 0 : -EINVAL;
		if (!rc)
			*(bool *)field = s->value.ival != 0;
	} else if (!text) {
		rc = -EINVAL;
	} else if (strlen(text) > SCHEMA_TEXT_MAX) {
		rc = -EINVAL;
		*ret_what = "a string of at most 4096 characters";
	} else if (r->kind == SCHEMA_ENUM) {
		rc = enum_parse(r, text, field, buf, len, ret_what);
	} else if (r->kind == SCHEMA_STRING) {
		rc = string_parse(r, text, field);
	} else {
		rc = r->type->parse(scope, text, field, buf, len, ret_what);
	}
	refusal = !rc && r->check ? r->check(field) : NULL;
	if (refusal)
		*ret_what = refusal;
	return refusal ? -EINVAL : rc;
}

/* With the escapes that libconfig reads back. Bytes of UTF-8 stay. */
static void quote(const char *text, char *buf, size_t len)
{
	const u8 *p = (const u8 *)text;
	size_t at = 0;

	buf[at++] = '"';
	for (; *p && at + 6 < len; p++) {
		if (*p == '"' || *p == '\\')
			at += (size_t)snprintf(buf + at, len - at, "\\%c", *p);
		else if (*p < 0x20 || *p == 0x7f)
			at += (size_t)snprintf(buf + at, len - at, "\\x%02x", *p);
		else
			buf[at++] = (char)*p;
	}
	buf[at++] = '"';
	buf[at] = 0;
}

bool schema_scalar_format(const struct schema_row *r, const void *root, const void *field,
			  char *buf, size_t len)
{
	char raw[SCHEMA_TEXT_MAX + 1];
	const char *text;
	s64 v;

	switch (r->kind) {
	case SCHEMA_INT:
		v = schema_int_load(r, field);
		/* libconfig wants to be told that an integer is wide */
		snprintf(buf, len, "%" PRId64 "%s", v, v == (s32)v ? "" : "L");
		return true;
	case SCHEMA_BOOL:
		snprintf(buf, len, "%s", *(const bool *)field ? "true" : "false");
		return true;
	case SCHEMA_ENUM:
		quote(r->names[*(const u32 *)field], buf, len);
		return true;
	case SCHEMA_STRING:
		quote(field, buf, len);
		return true;
	case SCHEMA_VALUE:
		text = r->type->format(root, field, raw, sizeof(raw));
		if (text)
			quote(text, buf, len);
		return text;
	default:
		return false;
	}
}

int schema_row_default(const struct schema_row *r, const struct schema_scope *scope, void *base)
{
	char *field = (char *)base + r->offset, buf[256];
	const char *what;

	if (r->fill) {
		r->fill(field, (char *)base + r->n_offset);
		return 0;
	}
	if (r->kind == SCHEMA_GROUP || r->kind == SCHEMA_LIST || r->flags & SCHEMA_ARRAY)
		return 0;
	if (r->kind == SCHEMA_INT || r->kind == SCHEMA_ENUM)
		schema_int_store(r, field, r->def);
	else if (r->kind == SCHEMA_BOOL)
		*(bool *)field = r->def != 0;
	else if (r->kind == SCHEMA_STRING && r->def_text)
		return string_parse(r, r->def_text, field);
	else if (r->kind == SCHEMA_VALUE && r->type->clear)
		r->type->clear(field);
	if (r->kind == SCHEMA_VALUE && r->def_text)
		return r->type->parse(scope, r->def_text, field, buf, sizeof(buf), &what);
	return 0;
}

static void enum_names(const struct schema_row *r, char *buf, size_t len)
{
	size_t at = 0;
	u32 i;

	buf[0] = 0;
	for (i = 0; r->names[i] && at < len; i++)
		at += (size_t)snprintf(buf + at, len - at, "%s\"%s\"",
				       !i		 ? ""
				       : r->names[i + 1] ? ", "
							 : " or ",
				       r->names[i]);
}

static const char *scalar_expected(const struct schema_row *r, char *buf, size_t len)
{
	switch (r->kind) {
	case SCHEMA_INT:
		snprintf(buf, len, "an integer %" PRId64 "..%" PRId64 "%s%s%s", r->min, r->max,
			 r->unit ? " (" : "", r->unit ? r->unit : "", r->unit ? ")" : "");
		break;
	case SCHEMA_BOOL:
		return "true or false";
	case SCHEMA_ENUM:
		enum_names(r, buf, len);
		break;
	case SCHEMA_STRING:
		snprintf(buf, len, "a string of %" PRId64 "..%u characters", r->min, r->bytes - 1);
		break;
	case SCHEMA_VALUE:
		return r->type->what;
	default:
		return "";
	}
	return buf;
}

const char *schema_expected(const struct schema_row *r, bool whole, char *buf, size_t len)
{
	char elem[256];

	if (r->kind == SCHEMA_GROUP)
		return "a group { … }";
	if (r->kind == SCHEMA_LIST) {
		snprintf(buf, len, "a list of %u..%u groups ( { … }, … )", r->n_min, r->n_max);
		return buf;
	}
	if (!whole || !(r->flags & SCHEMA_ARRAY))
		return scalar_expected(r, buf, len);
	snprintf(buf, len, "an array of %u..%u elements [ … ], each %s", r->n_min, r->n_max,
		 scalar_expected(r, elem, sizeof(elem)));
	return buf;
}

/* At most 40 bytes of it, nothing that could play tricks with a terminal. */
static void got_string(const char *text, char *buf, size_t len)
{
	char shown[44];
	size_t n = strnlen(text, 41), i;

	for (i = 0; i < DWCP_MIN(n, 40u); i++)
		shown[i] = text[i] < 0x20 || text[i] >= 0x7f ? '?' : text[i];
	shown[i] = 0;
	snprintf(buf, len, "\"%s%s\"", shown, n > 40 ? "…" : "");
}

static void got_int(const struct schema_row *r, const config_setting_t *s, char *buf, size_t len)
{
	s64 v = s->type == CONFIG_TYPE_INT ? s->value.ival : s->value.llval;
	const char *type = r->kind == SCHEMA_INT ? "" : "an integer, ";

	if (s->format == CONFIG_FORMAT_HEX)
		snprintf(buf, len, "a hexadecimal one");
	else if (v == INT64_MAX || v == INT64_MIN)
		snprintf(buf, len, "%sone of more than 63 bits", type);
	else
		snprintf(buf, len, "%s%" PRId64, type, v);
}

const char *schema_got(const struct schema_row *r, const config_setting_t *s, char *buf, size_t len)
{
	bool text_row = r->kind >= SCHEMA_ENUM && r->kind <= SCHEMA_VALUE;
	char text[64];

	switch (s->type) {
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		got_int(r, s, buf, len);
		return buf;
	case CONFIG_TYPE_STRING:
		got_string(s->value.sval ? s->value.sval : "", text, sizeof(text));
		snprintf(buf, len, "%s%s", text_row ? "" : "a string, ", text);
		return buf;
	case CONFIG_TYPE_BOOL:
		return s->value.ival ? "a boolean, true" : "a boolean, false";
	case CONFIG_TYPE_FLOAT:
		snprintf(buf, len, "a float, %g", s->value.fval);
		return buf;
	case CONFIG_TYPE_GROUP:
		return "a group { … }";
	case CONFIG_TYPE_ARRAY:
		return "an array [ … ]";
	case CONFIG_TYPE_LIST:
		return "a list ( … )";
	default:
		return "nothing";
	}
}
