/* SPDX-License-Identifier: MIT */
/* Keyboard and mouse of a machine, by QMP: type, key, mouse. */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "qmp/sync.h"
#include "vmm/keymap.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>

enum { OPT_DELAY, OPT_ENTER };
enum { DELAY_MS = 20, DELAY_MS_MAX = 10 * 1000, AXIS_MAX = 32767, STEPS_MAX = 100 };

#define DELAY_OPTION                                                                \
	{                                                                           \
		"delay", 'd', "MILLISECONDS", "between two keys (20)", false, false \
	}

static const struct cli_option type_options[] = {
	[OPT_DELAY] = DELAY_OPTION,
	[OPT_ENTER] = {"enter", 'r', NULL, "and the return key in the end", false, false},
	{0},
};
static const struct cli_option key_options[] = {
	[OPT_DELAY] = DELAY_OPTION,
	{0},
};

struct typist {
	struct qmp_sync *sync;
	const char *name;
	int delay_ms;
};

static int open_machine(struct cli *cli, uint64_t delay_ms, struct typist *ret_typist)
{
	const struct spec_vm *vm;
	int rc = cli_find_any_vm(cli, cli->names[0], &vm);

	if (rc < 0)
		return rc;
	*ret_typist = (struct typist){.name = vm->name, .delay_ms = (int)delay_ms};
	return cli_connect(cli, PATHS_VM, vm->name, &ret_typist->sync, &cli->err);
}

static int send_events(struct cli *cli, struct typist *t, json_t *args)
{
	int rc = args ? qmp_sync_call(t->sync, "input-send-event", args, CLI_COMMAND_MS, NULL,
				      &cli->err)
		      : error_oom(&cli->err);

	return error_wrap_if(&cli->err, rc, "vm '%s'", t->name);
}

/* A keyboard holds a few keys and drops the rest, and tells nobody when it was read: so
 * there is a pause behind each. */
static int press(struct cli *cli, struct typist *t, const char *const *names, size_t n)
{
	int rc = send_events(cli, t, keymap_events(names, n));

	(void)poll(NULL, 0, t->delay_ms);
	return rc;
}

static int type_text(struct cli *cli, struct typist *t, const char *text)
{
	int rc = 0;

	for (const char *p = text; rc == 0 && *p; p++) {
		bool shift;
		const char *key = keymap_of_character((unsigned char)*p, &shift);
		const char *const names[] = {shift ? "shift" : key, key};

		rc = press(cli, t, names, shift ? 2 : 1);
	}
	return rc;
}

/* Nothing is typed where not all can be. */
static int check_text(struct cli *cli, const char *text)
{
	bool shift;

	for (const char *p = text; *p; p++) {
		cleanup_strbuf struct strbuf shown = {0};
		size_t len = 1;

		if (keymap_of_character((unsigned char)*p, &shift))
			continue;
		while (((unsigned char)p[len] & 0xc0) == 0x80)
			len++;
		strbuf_add_printable(&shown, p, len, false);
		return error_set(&cli->err, EINVAL, "a US keyboard has no key for '%s'",
				 shown.data ? shown.data : "");
	}
	return 0;
}

static int run_type(struct cli *cli)
{
	static const char *const enter[] = {"ret"};
	cleanup_strbuf struct strbuf text = {0};
	struct typist t = {0};
	uint64_t delay_ms;
	int rc;

	if (!cli_number(cli, &verb_type, OPT_DELAY, DELAY_MS_MAX, DELAY_MS, &delay_ms))
		return 0;
	for (size_t i = 1; i < cli->n_names; i++)
		strbuf_addf(&text, "%s%s", i > 1 ? " " : "", cli->names[i]);
	rc = text.failed ? error_oom(&cli->err) : check_text(cli, text.data);
	if (rc == 0)
		rc = open_machine(cli, delay_ms, &t);
	if (rc == 0)
		rc = type_text(cli, &t, text.data);
	if (rc == 0 && cli->values[OPT_ENTER])
		rc = press(cli, &t, enter, 1);
	qmp_sync_close(t.sync);
	return rc;
}

static int run_key(struct cli *cli)
{
	const char *names[KEYMAP_KEYS_MAX];
	struct typist t = {0};
	uint64_t delay_ms;
	size_t n;
	int rc = 0;

	if (!cli_number(cli, &verb_key, OPT_DELAY, DELAY_MS_MAX, DELAY_MS, &delay_ms))
		return 0;
	for (size_t i = 1; rc == 0 && i < cli->n_names; i++)
		rc = keymap_parse(cli->names[i], names, &n, &cli->err);
	if (rc == 0)
		rc = open_machine(cli, delay_ms, &t);
	for (size_t i = 1; rc == 0 && i < cli->n_names; i++) {
		rc = keymap_parse(cli->names[i], names, &n, &cli->err);
		if (rc == 0)
			rc = press(cli, &t, names, n);
	}
	qmp_sync_close(t.sync);
	return rc;
}

static json_t *axis(const char *type, const char *name, long value)
{
	return json_pack("{s:s s:{s:s s:I}}", "type", type, "data", "axis", name, "value",
			 (json_int_t)value);
}

static json_t *button(const char *name, bool down)
{
	return json_pack("{s:s s:{s:b s:s}}", "type", "btn", "data", "down", down, "button", name);
}

/* A whole number in a range, with a sign. */
static bool parse_axis(const char *s, long low, long high, long *ret_value)
{
	uint64_t value;

	if (!str_parse_u64(*s == '-' ? s + 1 : s, AXIS_MAX, &value))
		return false;
	*ret_value = *s == '-' ? -(long)value : (long)value;
	return *ret_value >= low && *ret_value <= high;
}

/* The events of one action; NULL: it is none. */
static json_t *mouse_events(char *const *words, size_t n)
{
	static const char *const buttons[] = {"left", "middle", "right", "side", "extra"};
	bool to = str_eq(words[0], "to");
	const char *type = to ? "abs" : "rel";
	long x, y, steps = 1;
	json_t *events;

	if ((to || str_eq(words[0], "move")) && n == 3 &&
	    parse_axis(words[1], to ? 0 : -AXIS_MAX, AXIS_MAX, &x) &&
	    parse_axis(words[2], to ? 0 : -AXIS_MAX, AXIS_MAX, &y))
		return json_pack("[o o]", axis(type, "x", x), axis(type, "y", y));
	if (str_eq(words[0], "click") && n <= 2)
		for (size_t i = 0; i < ARRAY_SIZE(buttons); i++)
			if (str_eq(n == 2 ? words[1] : "left", buttons[i]))
				return json_pack("[o o]", button(buttons[i], true),
						 button(buttons[i], false));
	if (!str_eq(words[0], "wheel") || n < 2 || n > 3 ||
	    (!str_eq(words[1], "up") && !str_eq(words[1], "down")) ||
	    (n == 3 && !parse_axis(words[2], 1, STEPS_MAX, &steps)))
		return NULL;
	events = json_array();
	for (long i = 0; i < 2 * steps; i++)
		(void)json_array_append_new(
			events,
			button(str_eq(words[1], "up") ? "wheel-up" : "wheel-down", i % 2 == 0));
	return events;
}

/* Places are for a tablet; QEMU's words for that there is none would help nobody. */
static int check_tablet(struct cli *cli, struct typist *t)
{
	cleanup_json json_t *mice = NULL;
	json_t *mouse;
	size_t i;
	int rc = qmp_sync_call(t->sync, "query-mice", NULL, CLI_COMMAND_MS, &mice, &cli->err);

	json_array_foreach (mice, i, mouse)
		if (json_is_true(json_object_get(mouse, "absolute")))
			return 0;
	if (rc == 0)
		rc = error_set(&cli->err, ENODEV,
			       "it has no tablet to take places (display: vga gives it one at its "
			       "next start); move goes without");
	return error_wrap(&cli->err, rc, "vm '%s'", cli->names[0]);
}

static int run_mouse(struct cli *cli)
{
	json_t *events = mouse_events(cli->names + 1, cli->n_names - 1);
	struct typist t = {0};
	int rc;

	if (!events)
		return cli_usage(
			cli, &verb_mouse,
			"it takes to X Y (0 to %d), move X Y, click "
			"[left|middle|right|side|extra] or wheel up|down [STEPS] (up to %d)",
			AXIS_MAX, STEPS_MAX);
	rc = open_machine(cli, 0, &t);
	if (rc == 0 && str_eq(cli->names[1], "to"))
		rc = check_tablet(cli, &t);
	if (rc == 0)
		rc = send_events(cli, &t, json_pack("{s:O}", "events", events));
	json_decref(events);
	qmp_sync_close(t.sync);
	return rc;
}

const struct verb verb_type = {
	.name = "type",
	.args = "NAME TEXT…",
	.summary = "type a text on a machine's keyboard, as a US one",
	.text = "A keyboard does not tell when a key was read: where a guest is slow, --delay helps.",
	.options = type_options,
	.min_names = 2,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run_type,
};

const struct verb verb_key = {
	.name = "key",
	.args = "NAME KEYS…",
	.summary = "press keys on a machine's keyboard",
	.text = "KEYS are names with `-` between, ctrl-alt-delete, or one, f2: letters, digits and "
		"QEMU's\nnames of keys.",
	.options = key_options,
	.min_names = 2,
	.max_names = SIZE_MAX,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run_key,
};

const struct verb verb_mouse = {
	.name = "mouse",
	.args = "NAME to X Y|move X Y|click [BUTTON]|wheel up|down [STEPS]",
	.summary = "move and press a machine's mouse",
	.text = "`to` is a place of the screen, 0 to 32767 from its left and from its top, where the "
		"machine\nhas a tablet; `move` is relative. BUTTON is left, middle, right, side or "
		"extra.",
	.min_names = 2,
	.max_names = 4,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.takes_command = true,
	.run = run_mouse,
};
