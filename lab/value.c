/* SPDX-License-Identifier: MIT */
/* One decoder per type of lab/schema.h. Each says what would be right. */
#include "lab/value_private.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <uuid/uuid.h>

void value_set_text(struct lab_decoder *d, char **field, const char *text)
{
	char *copy = strdup(text);

	if (!copy) {
		d->failed = true;
		return;
	}
	free(*field);
	*field = copy;
}

static void take_text(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	(void)row;
	value_set_text(d, field, value->text);
}

static void take_word(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	const char *s = value->text;

	/* It goes onto QEMU's command line, where a comma would begin an option. */
	while (isalnum((unsigned char)*s) || (*s && strchr("_.+-", *s)))
		s++;
	if (*s || !*value->text)
		lab_decoder_fault(d, value,
				  "'%s' is not a word for %s: letters, digits and _ . + - only",
				  value->text, row->key);
	else
		value_set_text(d, field, value->text);
}

static void take_name(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	if (!str_is_name(value->text))
		lab_decoder_fault(d, value,
				  "'%s' is not a name for %s: 1 to 63 letters, digits and _ . -, "
				  "the first a letter or digit",
				  value->text, row->key);
	else
		value_set_text(d, field, value->text);
}

/* One spelling for one path, so that two disks can be compared: "//" and "/./" are
 * "/", and none stands at the end. False where it goes up. */
static bool tidy_path(const char *path, struct strbuf *into)
{
	while (*path) {
		size_t len;

		path += strspn(path, "/");
		len = strcspn(path, "/");
		if (len == 2 && strncmp(path, "..", 2) == 0)
			return false;
		if (len && !(len == 1 && *path == '.'))
			strbuf_addf(into, "/%.*s", (int)len, path);
		path += len;
	}
	if (!into->len)
		strbuf_add(into, "/", 1);
	return true;
}

static void take_path(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	cleanup_strbuf struct strbuf tidy = {0};

	if (value->text[0] != '/' || strchr(value->text, '\n'))
		lab_decoder_fault(d, value, "%s: '%s' is not an absolute path", row->key,
				  value->text);
	else if (!tidy_path(value->text, &tidy))
		lab_decoder_fault(d, value, "%s: '%s' goes up by '..'; write out where it leads",
				  row->key, value->text);
	else if (tidy.failed)
		d->failed = true;
	else
		value_set_text(d, field, tidy.data);
}

static void take_bool(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	bool is_true = str_eq(value->text, "true");

	if (!value->plain || !(is_true || str_eq(value->text, "false")))
		lab_decoder_fault(d, value, "%s: '%s' is not true or false%s", row->key,
				  value->text, value->plain ? "" : " (without quotes)");
	else
		*(bool *)field = is_true;
}

static void take_uint(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	uint64_t number;

	if (!value->plain || !str_parse_u64(value->text, UINT32_MAX, &number) ||
	    number < row->min || number > row->max)
		lab_decoder_fault(d, value, "%s: '%s' is not a number from %" PRIu64 " to %" PRIu64,
				  row->key, value->text, row->min, row->max);
	else
		*(unsigned *)field = (unsigned)number;
}

/* "1.5" in thousandths, where it has at most three decimals. */
static bool parse_milli(const char *text, uint64_t *ret_milli)
{
	const char *dot = strchr(text, '.');
	uint64_t whole, rest = 0;
	char number[16];

	if (!str_format(number, sizeof(number), "%.*s", dot ? (int)(dot - text) : 15, text) ||
	    (!dot && strlen(text) > 15) || !str_parse_u64(number, UINT32_MAX, &whole))
		return false;
	if (dot) {
		size_t decimals = strlen(dot + 1);

		if (decimals > 3 || !str_parse_u64(dot + 1, 999, &rest))
			return false;
		for (; decimals < 3; decimals++)
			rest *= 10;
	}
	*ret_milli = whole * 1000 + rest;
	return true;
}

static void take_decimal(struct lab_decoder *d, const struct lab_schema_row *row,
			 const struct lab_node *value, void *field)
{
	char least[32], most[32];
	uint64_t milli;

	if (!value->plain || !parse_milli(value->text, &milli) || milli < row->min ||
	    milli > row->max) {
		str_format_milli(least, sizeof(least), row->min);
		str_format_milli(most, sizeof(most), row->max);
		lab_decoder_fault(d, value,
				  "%s: '%s' is not a number from %s to %s with at most three "
				  "decimals, as in 1.5",
				  row->key, value->text, least, most);
		return;
	}
	*(unsigned *)field = (unsigned)milli;
}

static void take_size(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	char least[32], most[32];
	uint64_t bytes;

	if (!str_parse_size(value->text, &bytes)) {
		lab_decoder_fault(
			d, value,
			"%s: '%s' is not a size: bytes, or a number with K, M, G or T, as "
			"in 60G",
			row->key, value->text);
		return;
	}
	if (bytes < row->min || bytes > row->max) {
		str_format_size(least, sizeof(least), row->min);
		str_format_size(most, sizeof(most), row->max);
		lab_decoder_fault(d, value, "%s: '%s' is not between %s and %s", row->key,
				  value->text, least, most);
		return;
	}
	*(uint64_t *)field = bytes;
}

static void take_enum(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	struct strbuf words = {0};

	for (unsigned i = 0; row->words[i]; i++) {
		if (str_eq(value->text, row->words[i])) {
			*(unsigned *)field = i;
			strbuf_free(&words);
			return;
		}
		strbuf_addf(&words, "%s%s", i ? ", " : "", row->words[i]);
	}
	lab_decoder_fault(d, value, "%s: '%s' is none of: %s", row->key, value->text,
			  words.data ? words.data : "");
	strbuf_free(&words);
}

static void take_uuid(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	uuid_t uuid;

	if (uuid_parse(value->text, uuid) < 0 || uuid_is_null(uuid))
		lab_decoder_fault(d, value,
				  "%s: '%s' is not a UUID, as in "
				  "4c82c973-7299-468e-bf15-d442ee681475 (uuidgen makes one)",
				  row->key, value->text);
	else
		uuid_unparse_lower(uuid, field);
}

static void take_network(struct lab_decoder *d, const struct lab_schema_row *row,
			 const struct lab_node *value, void *field)
{
	const struct spec_network *net = lab_find_network(d->lab, value->text);
	struct strbuf known = {0};

	(void)row;
	if (net) {
		*(const struct spec_network **)field = net;
		return;
	}
	for (size_t i = 0; i < d->lab->n_networks; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", d->lab->networks[i].name);
	lab_decoder_fault(d, value, "there is no network '%s'; there %s: %s", value->text,
			  d->lab->n_networks == 1 ? "is" : "are", known.data ? known.data : "none");
	strbuf_free(&known);
}

static void take_profile(struct lab_decoder *d, const struct lab_schema_row *row,
			 const struct lab_node *value, void *field)
{
	struct strbuf known = {0};

	(void)row;
	if (lab_node_get(d->profiles, value->text)) {
		value_set_text(d, field, value->text);
		return;
	}
	for (size_t i = 0; d->profiles && i < d->profiles->n; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", d->profiles->keys[i]->text);
	lab_decoder_fault(d, value, "there is no profile '%s'; there %s: %s", value->text,
			  d->profiles && d->profiles->n == 1 ? "is" : "are",
			  known.data ? known.data : "none");
	strbuf_free(&known);
}

static void take_machine(struct lab_decoder *d, const struct lab_schema_row *row,
			 const struct lab_node *value, void *field)
{
	struct strbuf known = {0};

	if (lab_node_get(d->vms, value->text)) {
		value_set_text(d, field, value->text);
		return;
	}
	for (size_t i = 0; d->vms && i < d->vms->n; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", d->vms->keys[i]->text);
	lab_decoder_fault(d, value, "%s: there is no vm '%s'; there %s: %s", row->key, value->text,
			  d->vms && d->vms->n == 1 ? "is" : "are",
			  known.data ? known.data : "none");
	strbuf_free(&known);
}

static void no_pool(struct lab_decoder *d, const struct lab_node *value, const char *name)
{
	struct strbuf known = {0};

	for (size_t i = 0; i < d->lab->n_pools; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", d->lab->pools[i].name);
	lab_decoder_fault(d, value, "there is no pool '%s'; there %s: %s", name,
			  d->lab->n_pools == 1 ? "is" : "are", known.data ? known.data : "none");
	strbuf_free(&known);
}

static void take_volume(struct lab_decoder *d, const struct lab_schema_row *row,
			const struct lab_node *value, void *field)
{
	struct spec_disk *disk =
		(struct spec_disk *)((char *)field - offsetof(struct spec_disk, pool));
	const char *slash = strchr(value->text, '/'), *file = slash ? slash + 1 : NULL;
	cleanup_free char *pool =
		slash ? strndup(value->text, (size_t)(slash - value->text)) : NULL;

	if (!file || !*file || slash == value->text || strchr(file, '/') ||
	    !str_is_printable(file) || str_eq(file, ".") || str_eq(file, "..")) {
		lab_decoder_fault(d, value, "%s: '%s' is not POOL/FILE, as in homelab/dc01.qcow2",
				  row->key, value->text);
		return;
	}
	if (!pool) {
		d->failed = true;
		return;
	}
	for (size_t i = 0; i < d->lab->n_pools; i++)
		if (str_eq(d->lab->pools[i].name, pool))
			disk->pool = &d->lab->pools[i];
	if (!disk->pool) {
		no_pool(d, value, pool);
		return;
	}
	value_set_text(d, &disk->name, value->text);
	free(disk->path);
	disk->path = str_printf("%s/%s", disk->pool->path ? disk->pool->path : "", file);
	d->failed = d->failed || !disk->path;
}

static void take_image(struct lab_decoder *d, const struct lab_schema_row *row,
		       const struct lab_node *value, void *field)
{
	struct strbuf known = {0};

	for (size_t i = 0; i < d->lab->n_images; i++) {
		if (str_eq(d->lab->images[i].name, value->text)) {
			*(const struct spec_image **)field = &d->lab->images[i];
			strbuf_free(&known);
			return;
		}
		strbuf_addf(&known, "%s%s", i ? ", " : "", d->lab->images[i].name);
	}
	lab_decoder_fault(d, value, "%s: there is no image '%s'; there %s: %s", row->key,
			  value->text, d->lab->n_images == 1 ? "is" : "are",
			  known.data ? known.data : "none");
	strbuf_free(&known);
}

static void take_url(struct lab_decoder *d, const struct lab_schema_row *row,
		     const struct lab_node *value, void *field)
{
	const char *rest = str_after(value->text, "https://") ?: str_after(value->text, "http://");
	const char *p = value->text;

	while (*p > ' ' && *p < 0x7f)
		p++;
	if (!rest || !*rest || *rest == '/' || *p)
		lab_decoder_fault(d, value,
				  "%s: '%s' is not a URL that begins with https:// or http://",
				  row->key, value->text);
	else
		value_set_text(d, field, value->text);
}

static void take_sha256(struct lab_decoder *d, const struct lab_schema_row *row,
			const struct lab_node *value, void *field)
{
	const char *text = value->text;
	size_t len = strlen(text);

	if (len != 64 || strspn(text, "0123456789abcdefABCDEF") != len) {
		lab_decoder_fault(d, value,
				  "%s: '%s' is not 64 hexadecimal digits, as sha256sum "
				  "prints them",
				  row->key, text);
		return;
	}
	for (size_t i = 0; i <= len; i++)
		((char *)field)[i] = (char)tolower((unsigned char)text[i]);
}

static void take_vsock(struct lab_decoder *d, const struct lab_schema_row *row,
		       const struct lab_node *value, void *field)
{
	struct spec_vm *vm = (struct spec_vm *)((char *)field - offsetof(struct spec_vm, vsock));
	uint64_t cid = 0;

	/* 0 to 2 are the hypervisor, the loopback and the host. */
	if (str_eq(value->text, "no"))
		vm->vsock = SPEC_VSOCK_NO;
	else if (str_eq(value->text, "auto"))
		vm->vsock = SPEC_VSOCK_AUTO;
	else if (str_parse_u64(value->text, UINT32_MAX - 1, &cid) && cid >= 3)
		vm->vsock = SPEC_VSOCK_CID;
	else
		lab_decoder_fault(d, value,
				  "%s: '%s' is neither no, auto nor a context id from 3 to "
				  "4294967294",
				  row->key, value->text);
	vm->vsock_cid = (uint32_t)cid;
}

static value_fn *const decoders[LAB_TYPE_COUNT] = {
	[LAB_TYPE_TEXT] = take_text,
	[LAB_TYPE_WORD] = take_word,
	[LAB_TYPE_PATH] = take_path,
	[LAB_TYPE_BOOL] = take_bool,
	[LAB_TYPE_UINT] = take_uint,
	[LAB_TYPE_SIZE] = take_size,
	[LAB_TYPE_ENUM] = take_enum,
	[LAB_TYPE_INTERFACE] = value_take_interface,
	[LAB_TYPE_CIDR] = value_take_cidr,
	[LAB_TYPE_RANGE] = value_take_range,
	[LAB_TYPE_ADDRESS] = value_take_address,
	[LAB_TYPE_MAC] = value_take_mac,
	[LAB_TYPE_UUID] = take_uuid,
	[LAB_TYPE_DOMAIN] = value_take_domain,
	[LAB_TYPE_NETWORK] = take_network,
	[LAB_TYPE_PROFILE] = take_profile,
	[LAB_TYPE_VOLUME] = take_volume,
	[LAB_TYPE_DECIMAL] = take_decimal,
	[LAB_TYPE_VSOCK] = take_vsock,
	[LAB_TYPE_MACHINE] = take_machine,
	[LAB_TYPE_IMAGE] = take_image,
	[LAB_TYPE_URL] = take_url,
	[LAB_TYPE_SHA256] = take_sha256,
	[LAB_TYPE_NAME] = take_name,
};

void lab_decode_value(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *into)
{
	if (value->kind != LAB_NODE_SCALAR)
		lab_decoder_fault(d, value, "%s: has to be %s, not %s", row->key,
				  lab_type_name(row->type), lab_node_describe(value));
	else if (lab_node_is_null(value))
		lab_decoder_fault(d, value, "%s: has no value; it has to be %s", row->key,
				  lab_type_name(row->type));
	else
		decoders[row->type](d, row, value, (char *)into + row->offset);
}
