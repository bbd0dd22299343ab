/* SPDX-License-Identifier: MIT */
/* What is written down about a snapshot: there and back, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/snapshot/snapshot_record.h"

#include <errno.h>
#include <stdlib.h>

static void test_tags(void **state)
{
	static const char *const good[] = {"a", "before-update", "2026-11-21-145202", "v1.2_3",
					   "1a"};
	static const char *const bad[] = {"",   "1",   "007", "a/b", "..", ".a",
					  "-a", "a b", "ä",   "a\n", "/",  "a\x1b[m"};
	struct error err = ERROR_INIT;
	char longest[65];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		assert_int_equal(snapshot_tag_check(good[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		assert_int_equal(snapshot_tag_check(bad[i], &err), -EINVAL);
		assert_null(strchr(err.text, '\x1b'));
	}
	memset(longest, 'x', sizeof(longest));
	longest[64] = '\0';
	assert_int_equal(snapshot_tag_check(longest, &err), -EINVAL);
	longest[63] = '\0';
	assert_int_equal(snapshot_tag_check(longest, &err), 0);
}

static void test_round_trip(void **state)
{
	struct snapshot_record r = {.tag = strdup("two"),
				    .parent = strdup("one"),
				    .note = strdup("a note"),
				    .stage = SNAPSHOT_COMPLETE,
				    .guest = SNAPSHOT_GUEST_PAUSED,
				    .date = 1795274323,
				    .date_ns = 999999999,
				    .memory_bytes = 5ULL << 32,
				    .tpm = true,
				    .shape = json_pack("{s:i}", "cpus", 2)},
			       again;
	struct error err = ERROR_INIT;
	cleanup_json json_t *json = NULL;
	cleanup_free char *text = NULL;

	(void)state;
	assert_int_equal(snapshot_record_add(&r, "disk0", "local/a.qcow2", "/a", 1 << 30, &err), 0);
	assert_int_equal(snapshot_record_add(&r, "extra", "extra", NULL, 5, &err), 0);
	json = snapshot_record_encode(&r);
	text = json_dumps(json, 0);
	assert_non_null(text);
	assert_int_equal(snapshot_record_decode(text, "two", &again, &err), 0);
	assert_string_equal(again.parent, "one");
	assert_string_equal(again.note, "a note");
	assert_int_equal(again.stage, SNAPSHOT_COMPLETE);
	assert_int_equal(again.guest, SNAPSHOT_GUEST_PAUSED);
	assert_true(again.date_ns == r.date_ns);
	assert_true(again.date == r.date && again.memory_bytes == r.memory_bytes && again.tpm);
	assert_int_equal(again.n_disks, 2);
	assert_string_equal(again.disks[0].path, "/a");
	assert_null(again.disks[1].path);
	assert_true(json_equal(again.shape, r.shape));
	snapshot_record_free(&again);
	assert_int_equal(snapshot_record_decode(text, "one", &again, &err), -EINVAL);
	snapshot_record_free(&r);
}

/* Each differs from a good one in one thing. */
static void test_refused(void **state)
{
	static const char good[] =
		"{'version':1,'tag':'t','stage':'complete','guest':'running','date':1,'memory':2,"
		"'tpm':false,'disks':[{'node':'disk0','name':'n','path':'/p','size':3}]}";
	static const struct {
		const char *from, *to;
	} changes[] = {
		{"'version':1", "'version':2"},      {"'stage':'complete'", "'stage':'done'"},
		{"'guest':'running'", "'guest':''"}, {"'date':1", "'date':-1"},
		{"'memory':2", "'memory':-2"},       {"'tpm':false", "'tpm':0"},
		{"'size':3", "'size':-3"},           {"'node':'disk0'", "'node':0"},
		{"'disks':[", "'disks':[1,"},        {"'date':1,", ""},
	};
	struct snapshot_record r;
	struct error err = ERROR_INIT;

	(void)state;
	for (size_t i = 0; i <= ARRAY_SIZE(changes); i++) {
		cleanup_free char *text = NULL;

		if (i == ARRAY_SIZE(changes)) {
			text = strdup(good);
		} else {
			const char *at = strstr(good, changes[i].from);

			assert_non_null(at);
			text = str_printf("%.*s%s%s", (int)(at - good), good, changes[i].to,
					  at + strlen(changes[i].from));
		}
		assert_non_null(text);
		for (char *p = text; *p; p++)
			*p = *p == '\'' ? '"' : *p;
		if (i < ARRAY_SIZE(changes)) {
			assert_int_equal(snapshot_record_decode(text, "t", &r, &err), -EINVAL);
			continue;
		}
		assert_int_equal(snapshot_record_decode(text, "t", &r, &err), 0);
		snapshot_record_free(&r);
	}
	assert_int_equal(snapshot_record_decode("{", "t", &r, &err), -EINVAL);
	assert_int_equal(snapshot_record_decode("[]", "t", &r, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
