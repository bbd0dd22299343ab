/* SPDX-License-Identifier: MIT */
/* A migration that is cancelled, of a QEMU that another process plays. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/fork/line.h"
#include "vmm/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { QUESTIONS_MAX = 3 };

static void say(FILE *to, const char *text)
{
	(void)fputs(text, to);
	(void)fputs("\r\n", to);
	(void)fflush(to);
}

static void answer(FILE *to, json_t *message, json_t *call)
{
	cleanup_json json_t *whole = message;
	cleanup_free char *text = NULL;

	(void)json_object_set(whole, "id", json_object_get(call, "id"));
	text = json_dumps(whole, JSON_COMPACT);
	say(to, text);
}

/* As QEMU where it is cancelled in the moment before it waits for migrate-continue. Whoever does
 * not send that asks in vain, and is left. */
static _Noreturn void play(int fd, bool waits)
{
	const char *status = "pre-switchover";
	FILE *from = fdopen(fd, "r"), *to = fdopen(dup(fd), "w");
	int questions = 0;

	say(to, "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, "
		"\"package\": \"\"}, \"capabilities\": []}}");
	while (questions <= QUESTIONS_MAX) {
		cleanup_json json_t *call = json_loadf(from, JSON_DISABLE_EOF_CHECK, NULL);
		const char *command = json_get_string(call, "execute");

		if (!call)
			exit(0);
		if (str_eq(command, "migrate_cancel"))
			status = waits ? "cancelling" : "cancelled";
		if (str_eq(command, "query-migrate")) {
			questions++;
			answer(to, json_pack("{s:{s:s}}", "return", "status", status), call);
		} else if (str_eq(command, "migrate-continue") && !str_eq(status, "cancelling")) {
			answer(to,
			       json_pack("{s:{s:s s:s}}", "error", "class", "GenericError", "desc",
					 "Migration not in expected state"),
			       call);
		} else {
			if (str_eq(command, "migrate-continue"))
				status = "cancelled";
			answer(to, json_pack("{s:{}}", "return"), call);
		}
	}
	exit(1);
}

static void check_cancelled(bool waits)
{
	struct error err = ERROR_INIT;
	sd_event *event = NULL;
	struct line line;
	int ours, theirs, status;
	pid_t pid;

	assert_int_equal(fd_socketpair(&ours, &theirs, NULL), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		(void)close(ours);
		play(theirs, waits);
	}
	(void)close(theirs);
	assert_int_equal(sd_event_new(&event), 0);
	assert_int_equal(line_open(&line, event, "QEMU", ours, &err), 0);
	assert_int_equal(line_cancel_migration(&line, &err), 0);
	line_close(&line);
	sd_event_unref(event);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_cancel_before_the_wait(void **state)
{
	(void)state;
	check_cancelled(true);
}

static void test_cancel_of_what_is_over(void **state)
{
	(void)state;
	check_cancelled(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cancel_before_the_wait),
		cmocka_unit_test(test_cancel_of_what_is_over),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
