/* SPDX-License-Identifier: MIT */
/* Which of QEMU's commands a client does not get. */
#include "vmm/supervisor/monitor_rules.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "vmm/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
	const char *command, *args; /* NULL: none */
	bool refused;
} rows[] = {
	{"query-status", NULL, false},
	{"quit", NULL, false},
	{"chardev-remove", "{\"id\": \"monitor\"}", true},
	{"chardev-remove", "{\"id\": \"tpm\"}", true},
	{"chardev-remove", "{\"id\": \"mine\"}", false},
	/* QEMU says what is wrong with these. */
	{"chardev-remove", NULL, false},
	{"chardev-remove", "{\"id\": 7}", false},
	{"chardev-change", "{\"id\": \"serial\", \"backend\": {}}", true},
	{"chardev-add", "{\"id\": \"monitor\", \"backend\": {}}", true},
	{"chardev-add", "{\"id\": \"mine\", \"backend\": {}}", false},
	{"migrate", "{\"uri\": \"tcp:host:1\"}", true},
	{"migrate", "{\"uri\": \"exec:sh\"}", true},
	{"migrate", "{\"uri\": \"fd:mine\"}", false},
	{"human-monitor-command", NULL, false},
	{"human-monitor-command", "{\"command-line\": \"info chardev\"}", false},
	{"human-monitor-command", "{\"command-line\": \"chardev-remove serial\"}", true},
	{"human-monitor-command", "{\"command-line\": \"  chardev-remove\\t serial\"}", true},
	{"human-monitor-command", "{\"command-line\": \"chardev-remove mine\"}", false},
	{"human-monitor-command", "{\"command-line\": \"chardev-remove\"}", false},
	{"human-monitor-command", "{\"command-line\": \"migrate -d tcp:host:1\"}", true},
	{"human-monitor-command", "{\"command-line\": \"migrate -d fd:x\"}", false},
	{"human-monitor-command", "{\"command-line\": \"\"}", false},
};

static void test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_json json_t *args = rows[i].args ? json_loads(rows[i].args, 0, NULL) : NULL;

		if ((monitor_rule(rows[i].command, args) != NULL) != rows[i].refused)
			fail_msg("%s %s", rows[i].command, rows[i].args ?: "");
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
