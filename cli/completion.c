/* SPDX-License-Identifier: MIT */
/* Completion for bash, made from the table of verbs at build time. */
#include "cli/common.h"

#include "base/str.h"

static void print_words(const char *prefix)
{
	const char *last = "";

	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *word =
			*prefix ? str_after(cli_verbs[i]->name, prefix) : cli_verbs[i]->name;
		int len = word ? (int)strcspn(word, " ") : 0;

		if (!word || cli_verbs[i]->hidden || strncmp(word, last, (size_t)len) == 0)
			continue;
		(void)printf("%s%.*s", *last ? " " : "", len, word);
		last = word;
	}
}

static void print_options(const struct verb *verb)
{
	(void)printf("--help");
	for (const struct cli_option *o = verb->options; o && o->name; o++)
		if (!o->hidden)
			(void)printf(" --%s%s", o->name, o->arg ? "=" : "");
}

static const char *names_function(const struct verb *verb)
{
	switch (verb->names) {
	case CLI_NAMES_VM:
		return "_hv_names ls";
	case CLI_NAMES_NETWORK:
		return "_hv_names net ls";
	case CLI_NAMES_NONE:
		break;
	}
	return ":";
}

static void print_case(const struct verb *verb)
{
	(void)printf("\t'%s')\n\t\toptions='", verb->name);
	print_options(verb);
	(void)printf("'\n\t\tnames='%s'\n\t\t;;\n", names_function(verb));
}

static int run(struct cli *cli)
{
	(void)cli;
	(void)printf(
		"# bash completion for hv and hvup, made from hv's own table of verbs\n\n"
		"# What `hv ls --json` and `hv net ls --json` list, by the key \"name\" at the "
		"outer level.\n"
		"_hv_names()\n{\n"
		"\thv \"${_hv_config[@]}\" \"$@\" --json 2>/dev/null | sed -n "
		"'s/^    \"name\": \"\\(.*\\)\",\\{0,1\\}$/\\1/p'\n}\n\n"
		"_hv_verb()\n{\n\tlocal options names\n\tcase $1 in\n");
	for (size_t i = 0; cli_verbs[i]; i++)
		if (!cli_verbs[i]->hidden)
			print_case(cli_verbs[i]);
	(void)printf("\t*) return ;;\n\tesac\n"
		     "\tcase $2 in\n"
		     "\t-*) mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$2\")\n"
		     "\t\t[[ ${COMPREPLY[0]} != *= ]] || compopt -o nospace ;;\n"
		     "\t*) mapfile -t COMPREPLY < <(compgen -W \"$($names)\" -- \"$2\") ;;\n"
		     "\tesac\n}\n\n"
		     "_hv()\n{\n"
		     "\tlocal word=${COMP_WORDS[COMP_CWORD]} i=1 verb _hv_config=()\n"
		     "\tif [[ ${COMP_WORDS[0]##*/} == hvup ]]; then\n"
		     "\t\t_hv_verb up \"$word\"\n\t\treturn\n\tfi\n"
		     "\tif [[ ${COMP_WORDS[1]} == -c || ${COMP_WORDS[1]} == --config ]]; then\n"
		     "\t\tif ((COMP_CWORD == 2)); then\n"
		     "\t\t\tcompopt -o filenames\n"
		     "\t\t\tmapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
		     "\t\t\treturn\n\t\tfi\n"
		     "\t\t_hv_config=(-c \"${COMP_WORDS[2]}\")\n\t\ti=3\n\tfi\n"
		     "\tverb=${COMP_WORDS[i]}\n"
		     "\tif ((COMP_CWORD == i)); then\n"
		     "\t\tmapfile -t COMPREPLY < <(compgen -W '");
	print_words("");
	(void)printf(" --config --help --version' -- \"$word\")\n\t\treturn\n\tfi\n"
		     "\tif [[ $verb == net ]]; then\n"
		     "\t\tif ((COMP_CWORD == i + 1)); then\n"
		     "\t\t\tmapfile -t COMPREPLY < <(compgen -W '");
	print_words("net ");
	(void)printf("' -- \"$word\")\n\t\t\treturn\n\t\tfi\n"
		     "\t\tverb=\"net ${COMP_WORDS[i + 1]}\"\n\tfi\n"
		     "\t_hv_verb \"$verb\" \"$word\"\n}\n\n"
		     "complete -F _hv hv hvup\n");
	return 0;
}

const struct verb verb_completion = {
	.name = "completion",
	.args = "",
	.summary = "print the completion for bash",
	.hidden = true,
	.lab = CLI_LAB_NONE,
	.run = run,
};
