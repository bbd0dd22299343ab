/* SPDX-License-Identifier: MIT */
#include "firmware/descriptor.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fnmatch.h>
#include <jansson.h>
#include <stdlib.h>

void firmware_found_free(struct firmware_found *f)
{
	free(f->descriptor);
	free(f->code);
	free(f->vars_template);
	*f = (struct firmware_found){0};
}

static const char *string_at(json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

static bool has_string(json_t *array, const char *wanted)
{
	json_t *value;
	size_t i;

	json_array_foreach (array, i, value) {
		const char *s = json_string_value(value);

		if (s && str_eq(s, wanted))
			return true;
	}
	return false;
}

static bool fits_target(json_t *targets, const struct firmware_want *want)
{
	json_t *target;
	size_t i;

	json_array_foreach (targets, i, target) {
		json_t *machines = json_object_get(target, "machines"), *pattern;
		size_t j;

		if (!str_eq(string_at(target, "architecture"), want->arch))
			continue;
		json_array_foreach (machines, j, pattern) {
			const char *p = json_string_value(pattern);

			if (p && fnmatch(p, want->machine, 0) == 0)
				return true;
		}
	}
	return false;
}

/* NULL where the descriptor fits, else why it does not. */
static const char *misfit(json_t *root, const struct firmware_want *want)
{
	json_t *mapping = json_object_get(root, "mapping");
	json_t *features = json_object_get(root, "features");
	bool secure = has_string(features, "secure-boot");
	bool enrolled = has_string(features, "enrolled-keys");
	bool smm = has_string(features, "requires-smm");

	if (!has_string(json_object_get(root, "interface-types"), "uefi"))
		return "no UEFI";
	if (!str_eq(string_at(mapping, "device"), "flash"))
		return "not a flash device";
	if (!str_eq(json_string_value(json_object_get(mapping, "mode")) ?: "split", "split"))
		return "code and variables are not in two files";
	if (!fits_target(json_object_get(root, "targets"), want))
		return "not for this machine type";
	if (want->secure_boot && !(secure && enrolled && smm))
		return "no Secure Boot with enrolled keys and SMM";
	if (!want->secure_boot && (enrolled || smm))
		return "made for Secure Boot";
	return NULL;
}

static bool decode_file(json_t *file, char **ret_path, bool *ret_qcow2)
{
	const char *path = string_at(file, "filename"), *format = string_at(file, "format");

	if (*path != '/' || !(str_eq(format, "raw") || str_eq(format, "qcow2")))
		return false;
	*ret_path = strdup(path);
	*ret_qcow2 = str_eq(format, "qcow2");
	return *ret_path != NULL;
}

/* jansson quotes what it stumbled over. */
static int fail_syntax(const json_error_t *fault, struct error *err)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, fault->text, strlen(fault->text), false);
	return error_set(err, EINVAL, "line %d: %s", fault->line, shown.data ? shown.data : "");
}

int firmware_match(const char *text, size_t len, const struct firmware_want *want,
		   struct firmware_found *ret_found, struct strbuf *why, struct error *err)
{
	struct firmware_found found = {0};
	json_error_t fault;
	json_t *root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &fault), *mapping;
	const char *reason;

	if (!root)
		return fail_syntax(&fault, err);
	mapping = json_object_get(root, "mapping");
	reason = misfit(root, want);
	if (!reason &&
	    !(decode_file(json_object_get(mapping, "executable"), &found.code, &found.code_qcow2) &&
	      decode_file(json_object_get(mapping, "nvram-template"), &found.vars_template,
			  &found.vars_qcow2)))
		reason = "it names no absolute path and format for code and variables";
	found.smm = has_string(json_object_get(root, "features"), "requires-smm");
	json_decref(root);
	if (reason) {
		firmware_found_free(&found);
		strbuf_addf(why, "%s", reason);
		return 0;
	}
	*ret_found = found;
	return 1;
}
