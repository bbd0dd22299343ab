/* SPDX-License-Identifier: MIT */
/* The parts of the manual that follow from tables, in mdoc(7): the verbs from
 * cli/verbs.c, the keys of the configuration from lab/schema.c. */
#include "cli/common.h"

#include "base/str.h"
#include "lab/schema.h"

#include <errno.h>
#include <inttypes.h>

/* Text for mdoc: each sentence on a line of its own, a backslash is escaped, no
 * line begins with a dot, and `words` in back quotes become literals. */
static void print_text(const char *text)
{
	bool open = false;

	for (const char *p = text; *p; p++) {
		if (*p == '`') {
			(void)fputs(open ? "\\fR" : "\\fB", stdout);
			open = !open;
		} else if (*p == '\\') {
			(void)fputs("\\e", stdout);
		} else if (*p == '-') {
			(void)fputs("\\-", stdout);
		} else if (*p == ' ' && p > text && p[-1] == '.') {
			(void)fputc('\n', stdout);
		} else if ((*p == '.' || *p == '\'') && (p == text || p[-1] == '\n')) {
			(void)printf("\\&%c", *p);
		} else {
			(void)fputc(*p, stdout);
		}
	}
	(void)fputc('\n', stdout);
}

static void print_options(const struct cli_option *o)
{
	(void)printf(".Bl -tag -width 8n\n");
	for (; o->name; o++) {
		if (o->hidden)
			continue;
		if (o->letter)
			(void)printf(".It Fl %c , Fl Fl %s", o->letter, o->name);
		else
			(void)printf(".It Fl Fl %s", o->name);
		if (o->arg)
			(void)printf("= Ns Ar %s", o->arg);
		(void)printf("\n");
		print_text(o->help);
	}
	(void)printf(".El\n");
}

static void print_verb(const struct verb *verb)
{
	bool has_options = cli_has_options(verb);
	char first = verb->summary[0];

	(void)printf(".It Cm %s%s", verb->name, has_options ? " Oo Ar options Oc" : "");
	if (*verb->args)
		(void)printf(" Ar %s", verb->args);
	(void)printf("\n%c", first >= 'a' && first <= 'z' ? first - 'a' + 'A' : first);
	print_text(verb->summary + 1);
	if (verb->text) {
		(void)printf(".Pp\n");
		print_text(verb->text);
	}
	if (has_options)
		print_options(verb->options);
}

static void print_verbs(void)
{
	(void)printf(".Bl -tag -width 4n\n");
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden)
			print_verb(cli_verbs[i]);
	(void)printf(".El\n");
}

static void print_bounds(const struct lab_schema_row *row)
{
	char low[32], high[32];

	if (!row->max)
		return;
	if (row->type == LAB_TYPE_SIZE) {
		str_format_size(low, sizeof(low), row->min);
		str_format_size(high, sizeof(high), row->max);
	} else if (row->type == LAB_TYPE_DECIMAL) {
		str_format_milli(low, sizeof(low), row->min);
		str_format_milli(high, sizeof(high), row->max);
	} else {
		(void)str_format(low, sizeof(low), "%" PRIu64, row->min);
		(void)str_format(high, sizeof(high), "%" PRIu64, row->max);
	}
	(void)printf("From %s to %s.\n", low, high);
}

static void print_key(const struct lab_schema_row *row)
{
	(void)printf(".It Cm %s : Ar %s", row->key, lab_type_name(row->type));
	for (size_t i = 0; row->words && row->words[i]; i++)
		(void)printf("%s Cm %s", i ? " |" : "", row->words[i]);
	(void)printf("\n");
	print_text(row->help);
	print_bounds(row);
	if (row->required) {
		(void)printf("Required.\n");
	} else if (row->default_text || row->default_note) {
		(void)printf("Default: ");
		print_text(row->default_text ? row->default_text : row->default_note);
	}
	if (row->section == LAB_SECTION_VM && row->not_in_profile)
		(void)printf("Not in a profile.\n");
}

static void print_keys(const char *section)
{
	size_t n;
	const struct lab_schema_row *rows = lab_schema_rows(&n);

	(void)printf(".Bl -tag -width 4n\n");
	for (size_t i = 0; i < n; i++)
		if (str_eq(lab_section_name(rows[i].section), section))
			print_key(&rows[i]);
	(void)printf(".El\n");
}

static int run(struct cli *cli)
{
	if (str_eq(cli->names[0], "verbs")) {
		print_verbs();
		return 0;
	}
	for (int i = 0; i < LAB_SECTION_COUNT; i++)
		if (str_eq(cli->names[0], lab_section_name((enum lab_section)i))) {
			print_keys(cli->names[0]);
			return 0;
		}
	return error_set(&cli->err, EINVAL, "there is no table '%s'", cli->names[0]);
}

const struct verb verb_man = {
	.name = "man",
	.args = "verbs|SECTION",
	.summary = "print a table of the manual in mdoc",
	.min_names = 1,
	.max_names = 1,
	.hidden = true,
	.lab = CLI_LAB_NONE,
	.run = run,
};
