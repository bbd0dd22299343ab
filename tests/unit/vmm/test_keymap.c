/* SPDX-License-Identifier: MIT */
/* Keys for texts and combinations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/keymap.h"

#include <errno.h>

static void test_characters(void **state)
{
	static const struct {
		char c;
		const char *key;
		bool shift;
	} rows[] = {
		{'a', "a", false},        {'Z', "z", true},           {'0', "0", false},
		{')', "0", true},         {'1', "1", false},          {'!', "1", true},
		{'@', "2", true},         {'^', "6", true},           {'~', "grave_accent", true},
		{'_', "minus", true},     {'+', "equal", true},       {'{', "bracket_left", true},
		{'|', "backslash", true}, {':', "semicolon", true},   {'"', "apostrophe", true},
		{'<', "comma", true},     {'>', "dot", true},         {'?', "slash", true},
		{'/', "slash", false},    {' ', "spc", false},        {'\n', "ret", false},
		{'\t', "tab", false},     {'\\', "backslash", false},
	};
	bool shift;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *key = keymap_of_character((unsigned char)rows[i].c, &shift);

		assert_string_equal(key, rows[i].key);
		assert_int_equal(shift, rows[i].shift);
	}
}

/* Every printable character has a key of its own, and no other byte but the known ones. */
static void test_all_bytes(void **state)
{
	const char *seen[256];
	bool shift, shifts[256];

	(void)state;
	for (unsigned c = 0; c < 256; c++) {
		bool wanted = (c >= 0x20 && c < 0x80) || (c && strchr("\b\t\n\r\x1b", (int)c));

		seen[c] = keymap_of_character((unsigned char)c, &shift);
		shifts[c] = shift;
		assert_int_equal(seen[c] != NULL, wanted);
		for (unsigned d = 0x20; c < 0x7f && d < c; d++)
			assert_false(seen[c] && seen[d] && shifts[c] == shifts[d] &&
				     str_eq(seen[c], seen[d]));
	}
}

static void check(const char *text, const char *wanted)
{
	const char *names[KEYMAP_KEYS_MAX];
	cleanup_strbuf struct strbuf all = {0};
	struct error err = ERROR_INIT;
	size_t n;

	assert_int_equal(keymap_parse(text, names, &n, &err), 0);
	for (size_t i = 0; i < n; i++)
		strbuf_addf(&all, "%s%s", i ? " " : "", names[i]);
	assert_string_equal(all.data, wanted);
}

static void test_combinations(void **state)
{
	(void)state;
	check("ctrl-alt-delete", "ctrl alt delete");
	check("Ctrl-Alt-Del", "ctrl alt delete");
	check("f12", "f12");
	check("a", "a");
	check("shift-A", "shift a");
	check("-", "minus");
	check("ctrl--", "ctrl minus");
	check("ctrl---a", "ctrl minus a");
	check("win-r", "meta_l r");
	check("esc", "esc");
	check("ctrl-minus", "ctrl minus");
	check("altgr-q", "alt_r q");
}

static void test_refused(void **state)
{
	static const char *const rows[] = {"",
					   "ctrl-nothing",
					   "ctrl+c",
					   "!",
					   "-ctrl-",
					   "\xc3\xbc",
					   "f13",
					   "ctrl alt",
					   "a-b-c-d-e-f-g-h-i",
					   "averyveryverylongnameofsomekeythatisnotthere"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *names[KEYMAP_KEYS_MAX];
		struct error err = ERROR_INIT;
		size_t n;

		assert_int_equal(keymap_parse(rows[i], names, &n, &err), -EINVAL);
		assert_true(*err.text);
	}
}

static void test_events(void **state)
{
	static const char *const names[] = {"ctrl", "c"};
	json_t *events = keymap_events(names, 2);
	cleanup_free char *text = json_dumps(events, JSON_COMPACT);

	(void)state;
	assert_string_equal(
		text,
		"{\"events\":["
		"{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\",\"data\":\"ctrl\"}}},"
		"{\"type\":\"key\",\"data\":{\"down\":true,\"key\":{\"type\":\"qcode\",\"data\":\"c\"}}},"
		"{\"type\":\"key\",\"data\":{\"down\":false,\"key\":{\"type\":\"qcode\",\"data\":\"c\"}}},"
		"{\"type\":\"key\",\"data\":{\"down\":false,\"key\":{\"type\":\"qcode\",\"data\":\"ctrl\"}}}"
		"]}");
	json_decref(events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_characters),   cmocka_unit_test(test_all_bytes),
		cmocka_unit_test(test_combinations), cmocka_unit_test(test_refused),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
