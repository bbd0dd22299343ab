/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/address.h"
#include "cli/common.h"

#include <errno.h>

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON object, with all that the agent says", false,
		      false},
	{0},
};

/* What is asked, and its key in the object. */
static const struct {
	const char *key, *command;
	bool needed;
} questions[] = {
	{"agent", "guest-info", true},
	{"os", "guest-get-osinfo", false},
	{"host", "guest-get-host-name", false},
	{"timezone", "guest-get-timezone", false},
	{"users", "guest-get-users", false},
	{"filesystems", "guest-get-fsinfo", false},
	{"interfaces", "guest-network-get-interfaces", false},
};

static void print_line(const char *label, const char *text)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, text, strlen(text), false);
	(void)printf("%-10s %s\n", label, shown.data ? shown.data : "");
}

static void print_users(json_t *users)
{
	json_t *user;
	size_t i;

	json_array_foreach (users, i, user)
		print_line(i ? "" : "users", cli_text(user, "user"));
}

static void print_filesystems(json_t *filesystems)
{
	cleanup_strbuf struct strbuf text = {0};
	json_t *fs;
	size_t i;

	json_array_foreach (filesystems, i, fs) {
		char size[32];

		strbuf_consume(&text, text.len);
		str_format_size(size, sizeof(size),
				(uint64_t)json_integer_value(json_object_get(fs, "total-bytes")));
		strbuf_addf(&text, "%s, %s, %s", cli_text(fs, "mountpoint"), cli_text(fs, "type"),
			    size);
		print_line(i ? "" : "mounts", text.data ? text.data : "");
	}
}

static void print(json_t *info)
{
	json_t *os = json_object_get(info, "os");
	cleanup_strv struct strv addresses = {0};

	print_line("host name", cli_text(json_object_get(info, "host"), "host-name"));
	print_line("system", cli_text(os, "pretty-name"));
	print_line("kernel", cli_text(os, "kernel-release"));
	print_line("machine", cli_text(os, "machine"));
	print_line("time zone", cli_text(json_object_get(info, "timezone"), "zone"));
	print_line("agent", cli_text(json_object_get(info, "agent"), "version"));
	cli_add_agent_addresses(&addresses, json_object_get(info, "interfaces"));
	for (size_t i = 0; i < addresses.n; i++)
		print_line(i ? "" : "addresses", addresses.v[i]);
	print_users(json_object_get(info, "users"));
	print_filesystems(json_object_get(info, "filesystems"));
}

static int run(struct cli *cli)
{
	cleanup_agent struct cli_agent agent = {0};
	cleanup_json json_t *info = json_object();
	int rc = cli_agent_open(cli, cli->names[0], &agent, &cli->err);

	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(questions); i++) {
		struct error err = ERROR_INIT;
		json_t *answer = NULL;

		rc = cli_agent_call(&agent, questions[i].command, NULL, CLI_AGENT_MS, &answer,
				    &err);
		(void)json_object_set_new(info, questions[i].key, rc < 0 ? json_null() : answer);
		/* Older agents, and those of other systems, lack some. */
		if (rc < 0 && (questions[i].needed || (rc != -ENOENT && rc != -EREMOTEIO)))
			cli->err = err;
		else
			rc = 0;
	}
	if (rc < 0)
		return rc;
	if (cli->values[OPT_JSON])
		return cli_print_json(cli, json_incref(info));
	print(info);
	return 0;
}

const struct verb verb_guest_info = {
	.name = "guest-info",
	.args = "NAME",
	.summary = "tell what a guest's agent says of it",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
