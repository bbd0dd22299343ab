/* SPDX-License-Identifier: MIT */
/* What a VM tells its guest by its firmware's tables: credentials and OEM strings. */
#include "lab/decode.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <stdlib.h>

/* As many as the tables and the jail have room for, with a margin. */
enum { CREDENTIALS_MAX = 32, STRINGS_MAX = 32, STRING_BYTES_MAX = 1024 };

void lab_credential_free(struct spec_credential *credential)
{
	free(credential->name);
	free(credential->file);
	free(credential->encrypted);
	str_free_secret(credential->text);
	*credential = (struct spec_credential){0};
}

void lab_credentials_free(struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_credentials; i++)
		lab_credential_free(&vm->credentials[i]);
	free(vm->credentials);
	vm->credentials = NULL;
	vm->n_credentials = 0;
}

void spec_credentials_wipe(const struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_credentials; i++)
		if (vm->credentials[i].text)
			explicit_bzero(vm->credentials[i].text, strlen(vm->credentials[i].text));
	for (size_t i = 0; i < vm->n_oem_strings; i++)
		explicit_bzero(vm->oem_strings[i], strlen(vm->oem_strings[i]));
}

void lab_credentials_wipe(const struct lab *lab, const struct spec_vm *but)
{
	for (size_t i = 0; lab && i < lab->n_vms; i++)
		if (&lab->vms[i] != but)
			spec_credentials_wipe(&lab->vms[i]);
}

void lab_oem_strings_free(struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_oem_strings; i++)
		str_free_secret(vm->oem_strings[i]);
	free(vm->oem_strings);
	vm->oem_strings = NULL;
	vm->n_oem_strings = 0;
}

/* A subset of what systemd takes, in which nothing has a meaning to QEMU or to the
 * tables: no "=", no ":" and no comma. */
static bool is_credential_name(const char *name)
{
	static const char good[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				   "0123456789._-";
	size_t len = strlen(name);

	return len > 0 && len <= SPEC_CREDENTIAL_NAME_MAX && *name != '.' &&
	       strspn(name, good) == len;
}

/* Faults here never quote a value: it may be the secret itself. */
void lab_decode_credential(struct lab_decoder *d, const struct lab_node *key,
			   const struct lab_node *entry, struct spec_credential *credential)
{
	static const struct {
		const char *key;
		enum spec_credential_source source;
	} sources[] = {
		{"file", SPEC_CREDENTIAL_FILE},
		{"text", SPEC_CREDENTIAL_TEXT},
		{"from", SPEC_CREDENTIAL_UNIT},
		{"encrypted", SPEC_CREDENTIAL_ENCRYPTED},
	};
	unsigned n = 0;

	credential->where = key->where;
	credential->name = strdup(key->text);
	d->failed = d->failed || !credential->name;
	if (!is_credential_name(key->text))
		lab_decoder_fault(d, key,
				  "'%s' is not a credential's name: up to %d letters, digits and "
				  "_ . - only, and no dot at its beginning",
				  key->text, SPEC_CREDENTIAL_NAME_MAX);
	if (entry->kind != LAB_NODE_MAP) {
		lab_decoder_fault(d, entry,
				  "credential '%s' has to be a map, as in {file: /PATH}, not %s",
				  key->text, lab_node_describe(entry));
		return;
	}
	lab_decode_map(d, LAB_SECTION_CREDENTIAL, entry, false, credential);
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++) {
		if (!lab_node_get(entry, sources[i].key))
			continue;
		credential->source = sources[i].source;
		n++;
	}
	if (n != 1)
		lab_decoder_fault(d, entry,
				  "credential '%s' needs one of file:, text:, from: and "
				  "encrypted:%s",
				  key->text, n ? ", not several" : "");
	if (credential->text && strlen(credential->text) > SPEC_CREDENTIAL_BYTES_MAX)
		lab_decoder_fault(d, entry, "credential '%s' is larger than 1 MiB", key->text);
}

void lab_decode_credentials(struct lab_decoder *d, const struct lab_schema_row *row,
			    const struct lab_node *value, struct spec_vm *vm)
{
	if (value->kind != LAB_NODE_MAP) {
		lab_decoder_fault(d, value, "%s: has to be a map of names, not %s", row->key,
				  lab_node_describe(value));
		return;
	}
	if (value->n > CREDENTIALS_MAX) {
		lab_decoder_fault(d, value, "%s: more than %d entries", row->key, CREDENTIALS_MAX);
		return;
	}
	lab_credentials_free(vm);
	vm->credentials = calloc(value->n + 1, sizeof(*vm->credentials));
	for (; vm->credentials && vm->n_credentials < value->n; vm->n_credentials++)
		lab_decode_credential(d, value->keys[vm->n_credentials],
				      value->items[vm->n_credentials],
				      &vm->credentials[vm->n_credentials]);
	d->failed = d->failed || !vm->credentials;
}

static bool is_plain_text(const char *s)
{
	size_t len = strlen(s);

	for (size_t i = 0; i < len; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			return false;
	return len > 0 && len <= STRING_BYTES_MAX;
}

static void decode_string(struct lab_decoder *d, const struct lab_schema_row *row,
			  const struct lab_node *entry, char **ret_text)
{
	if (entry->kind != LAB_NODE_SCALAR || !is_plain_text(entry->text)) {
		lab_decoder_fault(d, entry,
				  "%s: an entry has to be text of 1 to %d bytes without control "
				  "characters",
				  row->key, STRING_BYTES_MAX);
		return;
	}
	*ret_text = strdup(entry->text);
	d->failed = d->failed || !*ret_text;
}

void lab_decode_strings(struct lab_decoder *d, const struct lab_schema_row *row,
			const struct lab_node *value, struct spec_vm *vm)
{
	if (value->kind != LAB_NODE_LIST) {
		lab_decoder_fault(d, value, "%s: has to be a list of text, not %s", row->key,
				  lab_node_describe(value));
		return;
	}
	if (value->n > STRINGS_MAX) {
		lab_decoder_fault(d, value, "%s: more than %d entries", row->key, STRINGS_MAX);
		return;
	}
	lab_oem_strings_free(vm);
	vm->oem_strings = calloc(value->n + 1, sizeof(*vm->oem_strings));
	for (; vm->oem_strings && vm->n_oem_strings < value->n; vm->n_oem_strings++)
		decode_string(d, row, value->items[vm->n_oem_strings],
			      &vm->oem_strings[vm->n_oem_strings]);
	d->failed = d->failed || !vm->oem_strings;
}
