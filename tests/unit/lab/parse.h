/* SPDX-License-Identifier: MIT */
/* Text to a lab, or to the list of its faults, without any file. */
#ifndef HV_TESTS_PARSE_H
#define HV_TESTS_PARSE_H

#include "base/error.h"
#include "base/str.h"
#include "lab/config.h"

#include <errno.h>
#include <stdlib.h>

/* The lab of a text that has no fault; the caller frees it. */
static inline struct lab *parse_lab(const char *text)
{
	struct lab_config *c = lab_config_new();
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct lab *lab = NULL;

	assert_non_null(c);
	assert_int_equal(lab_config_add(c, "lab.yaml", text, strlen(text), &err), 0);
	if (lab_config_resolve(c, &lab, &faults, &err) < 0)
		fail_msg("%s, the first is %u:%u: %s", err.text, faults.v[0].line,
			 faults.v[0].column, faults.v[0].text);
	assert_non_null(lab);
	lab_config_free(c);
	return lab;
}

/* All faults, a line each, "LINE:COLUMN: TEXT"; "" where there is none. Frees
 * the lot of c. */
static inline char *resolve_to_text(struct lab_config *c, bool with_file)
{
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct strbuf all = {0};
	struct lab *lab = NULL;
	int rc = lab_config_resolve(c, &lab, &faults, &err);

	assert_int_equal(rc, faults.n ? -EINVAL : 0);
	assert_int_equal(lab == NULL, faults.n != 0);
	strbuf_addf(&all, "%s", "");
	for (size_t i = 0; i < faults.n; i++) {
		if (with_file)
			strbuf_addf(&all, "%s:", faults.v[i].file);
		else
			assert_string_equal(faults.v[i].file, "lab.yaml");
		strbuf_addf(&all, "%u:%u: %s\n", faults.v[i].line, faults.v[i].column,
			    faults.v[i].text);
	}
	lab_free(lab);
	lab_faults_free(&faults);
	lab_config_free(c);
	return strbuf_steal(&all);
}

static inline char *parse_faults_of(const char *text, size_t len)
{
	struct lab_config *c = lab_config_new();

	assert_non_null(c);
	assert_int_equal(lab_config_add(c, "lab.yaml", text, len, NULL), 0);
	return resolve_to_text(c, false);
}

static inline char *parse_faults(const char *text)
{
	return parse_faults_of(text, strlen(text));
}

struct fault_row {
	const char *text; /* of the configuration */
	const char *faults; /* as of parse_faults() */
};

static inline void assert_fault_rows(const struct fault_row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		char *faults = parse_faults(rows[i].text);

		if (!faults || !str_eq(faults, rows[i].faults))
			print_error("of: %s\n", rows[i].text);
		assert_string_equal(faults, rows[i].faults);
		free(faults);
	}
}

#endif
