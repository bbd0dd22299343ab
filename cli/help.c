/* SPDX-License-Identifier: MIT */
#include "cli/verb.h"

#include "base/str.h"
#include "vmm/json.h"
#include "vmm/snapshot/snapshot_record.h"

void cli_print_overview(FILE *out)
{
	(void)fprintf(out, "hv - virtual machines from a file, on QEMU/KVM, without a daemon\n\n"
			   "usage: hv [-c CONFIG] VERB [ARGUMENTS]\n"
			   "       hvup [NAME…]           the same as hv up [NAME…]\n\n");
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden)
			(void)fprintf(out, "  %-12s %s\n", cli_verbs[i]->name,
				      cli_verbs[i]->summary);
	(void)fprintf(out, "\n`hv VERB --help` tells more; hv(1) and hv.yaml(5) tell all.\n");
}

bool cli_has_options(const struct verb *verb)
{
	for (const struct cli_option *o = verb->options; o && o->name; o++)
		if (!o->hidden)
			return true;
	return false;
}

void cli_print_help(const struct verb *verb)
{
	(void)printf("usage: hv %s%s%s%s\n\n%s\n", verb->name,
		     cli_has_options(verb) ? " [OPTIONS]" : "", *verb->args ? " " : "", verb->args,
		     verb->summary);
	if (verb->text)
		(void)printf("\n%s\n", verb->text);
	(void)printf("\noptions:\n");
	for (const struct cli_option *o = verb->options; o && o->name; o++) {
		char left[64];

		if (o->hidden)
			continue;
		(void)str_format(left, sizeof(left), "%c%c%s --%s%s%s", o->letter ? '-' : ' ',
				 o->letter ? o->letter : ' ', o->letter ? "," : " ", o->name,
				 o->arg ? "=" : "", o->arg ? o->arg : "");
		if (strlen(left) > 26)
			(void)printf("  %s\n  %-26s %s\n", left, "", o->help);
		else
			(void)printf("  %-26s %s\n", left, o->help);
	}
	(void)printf("  -h, --help                 this text\n");
}

int cli_usage(struct cli *cli, const struct verb *verb, const char *fmt, ...)
{
	cleanup_strbuf struct strbuf text = {0}, shown = {0};
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	if (text.data)
		strbuf_add_printable(&shown, text.data, text.len, false);
	(void)fprintf(stderr, "hv%s%s: %s (see hv%s%s --help)\n", verb ? " " : "",
		      verb ? verb->name : "", shown.data ? shown.data : "", verb ? " " : "",
		      verb ? verb->name : "");
	if (cli)
		cli->exit_code = CLI_USAGE;
	return 0;
}

bool cli_number(struct cli *cli, const struct verb *verb, size_t option, uint64_t max,
		uint64_t fallback, uint64_t *ret_value)
{
	const char *s = cli->values[option];

	*ret_value = fallback;
	if (!s || str_parse_u64(s, max, ret_value))
		return true;
	(void)cli_usage(cli, verb, "--%s takes a number up to %llu, not '%s'",
			verb->options[option].name, (unsigned long long)max, s);
	return false;
}

bool cli_check_note(struct cli *cli, const struct verb *verb, const char *note)
{
	/* It goes into records, which are JSON. */
	cleanup_json json_t *text = note ? json_string(note) : NULL;

	if (note && !text)
		(void)cli_usage(cli, verb, "a note has to be UTF-8");
	else if (note && strlen(note) > SNAPSHOT_NOTE_MAX)
		(void)cli_usage(cli, verb, "a note has at most %d bytes", SNAPSHOT_NOTE_MAX);
	else
		return true;
	return false;
}
