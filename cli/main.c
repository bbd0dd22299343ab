/* SPDX-License-Identifier: MIT */
/* The entry: which verb, its options, the configuration, the verb, its error. */
#include "cli/common.h"
#include "cli/program.h"
#include "cli/verb.h"

#include "base/cleanup.h"
#include "base/log.h"
#include "base/str.h"
#include "base/title.h"
#include "lab/config.h"

#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { OPTION_BASE = 256, OPTION_HELP = 255 };

#define bad_usage(verb, ...) (cli_usage(NULL, verb, __VA_ARGS__), (int)CLI_USAGE)

/* The verb that argv begins with, and how many words it has. */
static const struct verb *find_verb(char *const *argv, int argc, int *ret_words)
{
	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *second = strchr(cli_verbs[i]->name, ' ');
		size_t first =
			second ? (size_t)(second - cli_verbs[i]->name) : strlen(cli_verbs[i]->name);

		if (strlen(argv[0]) != first || strncmp(argv[0], cli_verbs[i]->name, first) != 0)
			continue;
		if (second && (argc < 2 || !str_eq(argv[1], second + 1)))
			continue;
		*ret_words = second ? 2 : 1;
		return cli_verbs[i];
	}
	return NULL;
}

/* One word of two: what can stand behind it. */
static int unknown_verb(const char *word)
{
	cleanup_strbuf struct strbuf known = {0};

	for (size_t i = 0; cli_verbs[i]; i++) {
		const char *second = str_after(cli_verbs[i]->name, word);

		if (second && *second == ' ' && !cli_verbs[i]->hidden)
			strbuf_addf(&known, "%s%s", known.len ? ", " : "", second + 1);
	}
	return known.len ? bad_usage(NULL, "%s takes one of: %s", word, known.data)
			 : bad_usage(NULL, "there is no verb '%s'", word);
}

static void take_option(struct cli *cli, const struct cli_option *option, size_t i, char *value)
{
	char **end = cli->many;

	cli->values[i] = value ? value : "";
	if (!option->many)
		return;
	while (*end)
		end++;
	*end = value;
}

/* What getopt said with '?' or ':'. A letter may be one of several behind a dash. */
static int bad_option(const struct verb *verb, int said, char *const *argv)
{
	if (said == ':')
		return bad_usage(verb, "option '%s' needs a value", argv[optind - 1]);
	if (optopt > 0 && optopt < OPTION_HELP)
		return bad_usage(verb, "unknown option '-%c'", optopt);
	return bad_usage(verb, "unknown option '%s'", argv[optind - 1]);
}

/* Returns CLI_DONE to go on, CLI_USAGE, or -1 where help was all. */
static int parse_options(const struct verb *verb, struct cli *cli, int argc, char **argv)
{
	struct option longs[CLI_OPTIONS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
	char shorts[2 * CLI_OPTIONS_MAX + 8] = "+:h";
	size_t n = 0;
	int c;

	for (const struct cli_option *o = verb->options; o && o->name; o++, n++) {
		longs[n + 1] = (struct option){o->name, o->arg ? required_argument : no_argument,
					       NULL, OPTION_BASE + (int)n};
		if (o->letter)
			(void)str_format(shorts + strlen(shorts), 3, "%c%s", o->letter,
					 o->arg ? ":" : "");
	}
	/* Options may stand behind names too, as people type them. 0 makes getopt
	 * begin anew, with the new order. */
	shorts[0] = verb->takes_command ? '+' : '-';
	optind = 0;
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (c == 'h') {
			cli_print_help(verb);
			return -1;
		}
		if (c == 1) {
			((char **)cli->names)[cli->n_names++] = optarg;
			if (verb->ends_in_command && cli->n_names > 1)
				break;
			continue;
		}
		if (c == '?' || c == ':')
			return bad_option(verb, c, argv);
		for (size_t i = 0; i < n; i++)
			if (c == OPTION_BASE + (int)i ||
			    (verb->options[i].letter && c == verb->options[i].letter))
				take_option(cli, &verb->options[i], i, optarg);
	}
	while (optind < argc)
		((char **)cli->names)[cli->n_names++] = argv[optind++];
	if (cli->n_names < verb->min_names)
		return bad_usage(verb, "too little: it takes %s", verb->args);
	if (cli->n_names > verb->max_names)
		return bad_usage(verb, "'%s' is too much", cli->names[verb->max_names]);
	return CLI_DONE;
}

static int load_lab(struct cli *cli)
{
	cleanup_free char *made = paths_machines(&cli->paths);
	struct lab_faults faults = {0};
	int rc;

	if (!made)
		return error_oom(&cli->err);
	rc = lab_load_all(cli->paths.config, made, NULL, &cli->lab, &faults, &cli->err);
	if (!faults.n)
		return rc;
	/* The faults are the error: FILE:LINE:COL: what. */
	for (size_t i = 0; i < faults.n; i++)
		(void)fprintf(stderr, "%s:%u:%u: %s\n", faults.v[i].file, faults.v[i].line,
			      faults.v[i].column, faults.v[i].text);
	lab_faults_free(&faults);
	return rc;
}

/* Whoever read has seen enough, as head does. */
static bool nobody_reads(void)
{
	struct pollfd p = {.fd = STDOUT_FILENO, .events = POLLOUT};

	return poll(&p, 1, 0) > 0 && p.revents & POLLERR;
}

static int run_verb(const struct verb *verb, struct cli *cli)
{
	int rc = verb->lab == CLI_LAB_NONE || cli->lab ? 0 : load_lab(cli);
	bool wrote;

	if (rc < 0 && verb->lab == CLI_LAB_OPTIONAL) {
		(void)error_wrap(&cli->err, rc, "note: going by what runs");
		cli_tell(&cli->err);
		cli->lab = calloc(1, sizeof(*cli->lab));
		cli->faulty = true;
		rc = cli->lab ? 0 : error_oom(&cli->err);
	}
	if (rc == 0)
		rc = verb->run(cli);
	lab_free(cli->lab);
	wrote = rc < 0 || (fflush(stdout) == 0 && !ferror(stdout));
	if (rc >= 0 && wrote)
		return cli->exit_code;
	if (!wrote)
		(void)error_errno(&cli->err, errno ?: EIO, "write to standard output");
	if ((wrote && rc != -EPIPE) || !nobody_reads())
		cli_tell(&cli->err);
	return CLI_FAILED;
}

/* Options in front of the verb. Returns as parse_options(). */
static int parse_global(int argc, char **argv, const char **ret_config, int *ret_next)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'V'},
		{"verbose", no_argument, NULL, 'v'},
		{0},
	};
	int c;

	opterr = 0;
	while ((c = getopt_long(argc, argv, "+:c:hVv", longs, NULL)) != -1) {
		if (c == 'h') {
			cli_print_overview(stdout);
			return -1;
		}
		if (c == 'V') {
			(void)printf("hvup %s\n", HV_VERSION);
			return -1;
		}
		if (c == 'v')
			log_set_level(LOG_LEVEL_DEBUG);
		else if (c == 'c')
			*ret_config = optarg;
		else
			return bad_option(NULL, c, argv);
	}
	*ret_next = optind;
	return CLI_DONE;
}

/* The verb that the program's name stands for; NULL: it is hv itself. */
static const struct verb *verb_of_program(const char *argv0)
{
	const char *slash = strrchr(argv0, '/'), *name = slash ? slash + 1 : argv0;

	if (str_eq(name, "hvup"))
		return &verb_up;
	return str_eq(name, "hv-generator") ? &verb_systemd_generator : NULL;
}

int cli_program_main(int argc, char **argv, struct lab *lab)
{
	cleanup_free char **names = calloc((size_t)argc + 1, sizeof(*names));
	cleanup_free char **many = calloc((size_t)argc + 1, sizeof(*many));
	struct cli cli = {.names = names, .many = many, .lab = lab};
	const struct verb *verb = verb_of_program(argv[0] ? argv[0] : "hv");
	const char *config = NULL;
	int next = 1, words = 0, rc;

	(void)signal(SIGPIPE, SIG_IGN);
	/* hvup's supervisors are called the same. */
	(void)prctl(PR_SET_NAME, "hv");
	if (!names || !many)
		return CLI_FAILED;
	optind = opterr = 0;
	if (!verb) {
		rc = parse_global(argc, argv, &config, &next);
		if (rc)
			return rc < 0 ? CLI_DONE : rc;
		if (next >= argc) {
			cli_print_overview(stderr);
			return CLI_USAGE;
		}
		verb = find_verb(argv + next, argc - next, &words);
		if (!verb)
			return unknown_verb(argv[next]);
	} else if (argc > 2 && (str_eq(argv[1], "-c") || str_eq(argv[1], "--config"))) {
		config = argv[2];
		next = 3;
	} else if (argc > 1 && str_after(argv[1], "--config=")) {
		config = str_after(argv[1], "--config=");
		next = 2;
	}
	/* getopt wants a program's name in front. */
	next += words - 1;
	rc = paths_init(&cli.paths, config, &cli.err);
	if (rc < 0) {
		cli_tell(&cli.err);
		return CLI_FAILED;
	}
	rc = parse_options(verb, &cli, argc - next, argv + next);
	if (rc)
		return rc < 0 ? CLI_DONE : rc;
	return run_verb(verb, &cli);
}

int main(int argc, char **argv)
{
	title_init(argc, argv);
	return cli_program_main(argc, argv, NULL);
}
