/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "vmm/jail_status.h"
#include "vmm/vm_status.h"

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON object", false},
	{0},
};

/* The status is written by a process that reads what strangers say. */
static void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *fmt, ...)
{
	cleanup_strbuf struct strbuf text = {0}, shown = {0};
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	strbuf_add_printable(&shown, text.data ? text.data : "", text.len, false);
	(void)fputs(shown.data ? shown.data : "", stdout);
}

static void line(const char *label, const char *text)
{
	say("%-10s %s", label, text);
	(void)putchar('\n');
}

static void print_state(json_t *status)
{
	const char *reason = json_get_string(status, "reason");
	const char *error = json_get_string(status, "error");
	char uptime[32];

	cli_format_uptime(uptime, sizeof(uptime), json_object_get(status, "started"));
	say("%-10s %s", "state", cli_text(status, "state"));
	if (reason)
		say(" (%s)", reason);
	if (json_is_integer(json_object_get(status, "pid")))
		say("%s%s, QEMU is process %lld",
		    json_is_integer(json_object_get(status, "started")) ? ", up " : "",
		    json_is_integer(json_object_get(status, "started")) ? uptime : "",
		    (long long)json_integer_value(json_object_get(status, "pid")));
	if (json_is_object(json_object_get(status, "saved")))
		say(", saved (hv up resumes it)");
	if (json_is_integer(json_object_get(status, "pid")) &&
	    json_is_null(json_object_get(status, "supervisor")))
		say(", without a supervisor (hv up takes it over)");
	(void)putchar('\n');
	if (error)
		line("error", error);
}

static void print_machine(json_t *status)
{
	char memory[32], text[128];

	str_format_size(memory, sizeof(memory),
			(uint64_t)json_integer_value(json_object_get(status, "memory")));
	(void)str_format(text, sizeof(text), "%s, %s, %lld CPU (%s), %s",
			 cli_text(status, "machine"), cli_text(status, "accel"),
			 (long long)json_integer_value(json_object_get(status, "cpus")),
			 cli_text(status, "cpu"), memory);
	line("machine", text);
	(void)str_format(text, sizeof(text), "%s, TPM %s", cli_text(status, "firmware"),
			 json_is_true(json_object_get(status, "tpm")) ? "2.0" : "none");
	line("firmware", text);
}

static void print_nics(json_t *status)
{
	json_t *nics = json_object_get(status, "nics"), *nic, *address;
	size_t i, j;

	json_array_foreach (nics, i, nic) {
		say("%-10s %s on %s, %s, TAP %s,", i ? "" : "nics", cli_text(nic, "mac"),
		    cli_text(nic, "network"), cli_text(nic, "model"), cli_text(nic, "tap"));
		json_array_foreach (json_object_get(nic, "addresses"), j, address)
			say(" %s", json_string_value(address) ?: "-");
		if (!j)
			say(" no address yet");
		(void)putchar('\n');
	}
}

static void print_storage(json_t *status)
{
	json_t *disks = json_object_get(status, "disks"),
	       *cdroms = json_object_get(status, "cdroms");
	json_t *entry;
	size_t i;

	json_array_foreach (disks, i, entry) {
		char size[32];

		str_format_size(size, sizeof(size),
				(uint64_t)json_integer_value(json_object_get(entry, "size")));
		say("%-10s %s, %s, %s, %s", i ? "" : "disks", cli_text(entry, "name"),
		    json_integer_value(json_object_get(entry, "size")) ? size : "size as it is",
		    cli_text(entry, "format"), cli_text(entry, "bus"));
		(void)putchar('\n');
	}
	json_array_foreach (cdroms, i, entry)
		line(i ? "" : "cdroms", json_string_value(entry) ?: "-");
}

/* A line for each layer that is not there. */
static void print_jail(json_t *status)
{
	json_t *missing = json_object_get(json_object_get(status, "jail"), "missing"), *text;
	size_t i;

	if (json_is_array(missing) && !json_array_size(missing))
		line("jail", "all layers");
	json_array_foreach (missing, i, text)
		(void)printf("%-10s without %s\n", i ? "" : "jail", json_string_value(text));
}

static int run(struct cli *cli)
{
	cleanup_json json_t *status = NULL;
	const struct spec_vm *vm;
	int rc;

	rc = cli_find_any_vm(cli, cli->names[0], &vm);
	if (rc == 0)
		rc = vm_status_read(&cli->paths, vm, &status, &cli->err);
	if (rc < 0)
		return rc;
	jail_status_add(status);
	if (cli->values[OPT_JSON])
		return cli_print_json(cli, json_incref(status));
	line("name", cli_text(status, "name"));
	print_state(status);
	line("uuid", cli_text(status, "uuid"));
	print_machine(status);
	print_nics(status);
	print_storage(status);
	line("agent", json_is_true(json_object_get(status, "agent")) ? "answers" : "not there");
	print_jail(status);
	return 0;
}

const struct verb verb_status = {
	.name = "status",
	.args = "NAME",
	.summary = "tell all about one virtual machine",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
