/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/wait.h"
#include "vmm/json.h"
#include "vmm/vm_status.h"

#include <errno.h>
#include <stdlib.h>

enum { OPT_FOR, OPT_TIMEOUT };
enum { TIMEOUT_S = 120 };

static const struct cli_option options[] = {
	[OPT_FOR] = {"for", 'f', "WHAT",
		     "running (the default), agent, ip, ssh, console:REGEX, unit:NAME, port:NUMBER "
		     "or stopped; several times: all of them, in that order",
		     false, true},
	[OPT_TIMEOUT] = {"timeout", 't', "SECONDS", "how long, for all of them together (120)",
			 false, false},
	{0},
};

/* regex is filled in where the condition needs it; why, which has size bytes, where it is wrong. */
static bool parse(const char *what, regex_t *regex, struct wait_condition *ret_condition, char *why,
		  size_t size)
{
	const char *rest;
	uint64_t port;

	*ret_condition = (struct wait_condition){0};
	*why = '\0';
	if ((rest = str_after(what, "console:"))) {
		int rc = *rest ? regcomp(regex, rest, REG_EXTENDED | REG_NOSUB) : 0;

		if (rc)
			(void)regerror(rc, regex, why, size);
		if (!*rest || rc)
			return false;
		ret_condition->what = WAIT_CONSOLE;
		ret_condition->regex = regex;
	} else if ((rest = str_after(what, "unit:"))) {
		ret_condition->what = WAIT_UNIT;
		ret_condition->text = rest;
		return *rest;
	} else if ((rest = str_after(what, "port:"))) {
		if (!str_parse_u64(rest, 65535, &port) || !port)
			return false;
		ret_condition->what = WAIT_PORT;
		ret_condition->port = (unsigned)port;
	} else if (str_eq(what, "stopped")) {
		ret_condition->what = WAIT_DOWN;
	} else if (str_eq(what, "ssh")) {
		ret_condition->what = WAIT_SSH;
	} else if (str_eq(what, "agent")) {
		ret_condition->what = WAIT_ANSWER;
	} else {
		return cli_wait_parse(what, ret_condition);
	}
	return true;
}

static bool is_up(struct cli *cli, const char *name)
{
	cleanup_json json_t *status = NULL;
	const struct spec_vm *vm;
	enum vm_state state;

	/* What is wrong with a name is told when its turn comes. */
	if (cli_find_any_vm(cli, name, &vm) < 0 ||
	    vm_status_read(&cli->paths, vm, &status, NULL) < 0)
		return false;
	state = vm_state_parse(json_get_string(status, "state"));
	return state != VM_STATE_STOPPED && state != VM_STATE_CRASHED;
}

/* -1: what is wrong was told. */
static int parse_all(struct cli *cli, struct wait_condition *conditions, regex_t *regexes, size_t n)
{
	char why[128];

	for (size_t i = 0; i < n; i++) {
		const char *what = cli->many[i] ?: "running";

		if (parse(what, &regexes[i], &conditions[i], why, sizeof(why)))
			continue;
		(void)(*why ? cli_usage(cli, &verb_wait, "--for '%s': %s", what, why)
			    : cli_usage(
				      cli, &verb_wait,
				      "--for does not take '%s': agent, running, stopped, ip, ssh, "
				      "console:REGEX, unit:NAME and port:N it does",
				      what));
		return -1;
	}
	return 0;
}

static void wait_all(struct cli *cli, const struct wait_condition *conditions, size_t n,
		     const bool *was_up, uint64_t deadline_usec)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_vm *vm;
		int rc = cli_find_any_vm(cli, cli->names[i], &vm);
		bool up = was_up[i];

		for (size_t k = 0; rc == 0 && k < n; k++) {
			rc = cli_wait_vm(cli, vm, &conditions[k], up, deadline_usec);
			up = conditions[k].what != WAIT_DOWN;
		}
		if (rc < 0) {
			cli_tell(&cli->err);
			cli->exit_code = CLI_FAILED;
		}
	}
}

static int run(struct cli *cli)
{
	cleanup_free struct wait_condition *conditions = NULL;
	cleanup_free regex_t *regexes = NULL;
	cleanup_free bool *was_up = NULL;
	uint64_t seconds, deadline_usec;
	size_t n = 0;

	if (!cli_number(cli, &verb_wait, OPT_TIMEOUT, 7 * 86400, TIMEOUT_S, &seconds))
		return 0;
	while (cli->many[n])
		n++;
	n = n ? n : 1;
	conditions = calloc(n, sizeof(*conditions));
	regexes = calloc(n, sizeof(*regexes));
	was_up = calloc(cli->n_names, sizeof(*was_up));
	if (!conditions || !regexes || !was_up)
		return error_oom(&cli->err);
	deadline_usec = clock_now_usec() + seconds * 1000000;
	if (parse_all(cli, conditions, regexes, n) == 0) {
		/* One that ends while another is waited for has ended all the same. */
		for (size_t i = 0; i < cli->n_names; i++)
			was_up[i] = is_up(cli, cli->names[i]);
		wait_all(cli, conditions, n, was_up, deadline_usec);
	}
	for (size_t i = 0; i < n; i++)
		if (conditions[i].regex)
			regfree(&regexes[i]);
	return 0;
}

const struct verb verb_wait = {
	.name = "wait",
	.args = "NAME…",
	.summary = "wait until virtual machines have come so far",
	.text = "What shows in a file (a state, a lease, the console's log) is heard of at once. "
		"What does not\n(an answer of the agent, ssh, a unit, a port) is asked for twice a "
		"second. REGEX is an\nextended regular expression for a line of the console since "
		"the start. One that is not\nup yet is waited for; one that ends while it is waited "
		"for fails, and so does a unit that has failed.",
	.options = options,
	.min_names = 1,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
