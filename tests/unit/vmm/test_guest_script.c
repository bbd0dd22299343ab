/* SPDX-License-Identifier: MIT */
/* Commands for a guest: what the agent is told, and that a shell does with it what it should. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/guest_script.h"
#include "vmm/json.h"

#include <errno.h>

static void check_powershell(const char *script, const char *bytes, size_t len)
{
	cleanup_free char *encoded = guest_encode_powershell(script);
	cleanup_free char *wanted = base64_encode(bytes, len);

	assert_non_null(encoded);
	assert_string_equal(encoded, wanted);
}

static void test_powershell(void **state)
{
	(void)state;
	check_powershell("", "", 0);
	check_powershell("a", "a\0", 2);
	check_powershell("\"$x\"\n", "\"\0$\0x\0\"\0\n\0", 10);
	check_powershell("\xc3\xbc", "\xfc\0", 2);
	check_powershell("\xe2\x82\xac", "\xac\x20", 2);
	/* Beyond 16 bits: a pair of surrogates. */
	check_powershell("\xf0\x9f\x98\x80", "\x3d\xd8\x00\xde", 4);
	check_powershell("\xf4\x8f\xbf\xbf", "\xff\xdb\xff\xdf", 4);
	/* As Microsoft's own documentation has it for `dir`. */
	{
		cleanup_free char *encoded = guest_encode_powershell("dir");

		assert_string_equal(encoded, "ZABpAHIA");
	}
}

static void test_no_utf8(void **state)
{
	static const char *const rows[] = {
		"\x80",
		"\xc3",
		"\xc3(",
		"\xc0\x80",
		"\xe0\x80\x80",
		"\xed\xa0\x80",
		"\xf4\x90\x80\x80",
		"\xf5\x80\x80\x80",
		"\xf0\x80\x80\x80",
		"a\xff",
		"\xe2\x82",
		"\xf8\x88\x80\x80\x80",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_null(guest_encode_powershell(rows[i]));
}

/* The words of guest-exec's arguments as one text. */
static char *words_of(json_t *args)
{
	struct strbuf text = {0};
	json_t *word;
	size_t i;

	strbuf_addf(&text, "%s", json_get_string(args, "path"));
	json_array_foreach (json_object_get(args, "arg"), i, word)
		strbuf_addf(&text, "|%s", json_string_value(word));
	return strbuf_steal(&text);
}

static void check_windows(char *const *argv, const char *wanted)
{
	const struct guest_command command = {.argv = argv};
	struct error err = ERROR_INIT;
	json_t *args = NULL;
	char *text;

	assert_int_equal(guest_windows_exec(&command, &args, &err), 0);
	text = words_of(args);
	assert_string_equal(text, wanted);
	free(text);
	json_decref(args);
}

static void test_windows(void **state)
{
	static char ps[] = "powershell", exe[] = "PowerShell.exe", dir[] = "dir", a[] = "d",
		    b[] = "ir", file[] = "-File", cmd[] = "cmd.exe", c[] = "/c",
		    quoted[] = "echo \"a b\"";

	(void)state;
	check_windows((char *[]){ps, dir, NULL},
		      "powershell|-NoProfile|-NonInteractive|-EncodedCommand|ZABpAHIA");
	check_windows((char *[]){exe, dir, NULL},
		      "PowerShell.exe|-NoProfile|-NonInteractive|-EncodedCommand|ZABpAHIA");
	/* Words become one script with spaces between. */
	check_windows((char *[]){ps, a, b, NULL},
		      "powershell|-NoProfile|-NonInteractive|-EncodedCommand|ZAAgAGkAcgA=");
	/* Options of its own are left as they are. */
	check_windows((char *[]){ps, file, dir, NULL}, "powershell|-File|dir");
	check_windows((char *[]){ps, NULL}, "powershell");
	check_windows((char *[]){cmd, c, quoted, NULL}, "cmd.exe|/c|echo \"a b\"");
}

static void test_windows_refused(void **state)
{
	static char ps[] = "powershell", var[] = "A=B";
	static char script[16001];
	char *const argv[] = {ps, script, NULL}, *const env[] = {var, NULL};
	char *const other[] = {script, NULL};
	struct guest_command command = {.argv = argv};
	struct error err = ERROR_INIT;
	json_t *args = NULL;

	(void)state;
	/* 4 characters of base64 for 1.5 of the script. */
	memset(script, 'x', 12000);
	assert_int_equal(guest_windows_exec(&command, &args, &err), 0);
	json_decref(args);
	memset(script, 'x', 12001);
	assert_int_equal(guest_windows_exec(&command, &args, &err), -E2BIG);
	(void)str_format(script, sizeof(script), "\xff");
	assert_int_equal(guest_windows_exec(&command, &args, &err), -EINVAL);
	(void)str_format(script, sizeof(script), "dir");
	command.user = "somebody";
	assert_int_equal(guest_windows_exec(&command, &args, &err), -ENOTSUP);
	command.user = NULL;
	command.env = env;
	command.argv = other;
	assert_int_equal(guest_windows_exec(&command, &args, &err), -ENOTSUP);
}

/* Variables go in front of a script, with every quote that PowerShell knows. */
static void test_windows_variables(void **state)
{
	static char ps[] = "powershell", script[] = "dir", a[] = "A=it's \"$x\"", b[] = "B=";
	char *const argv[] = {ps, script, NULL}, *const env[] = {a, b, NULL};
	const struct guest_command command = {.argv = argv, .env = env};
	cleanup_free char *wanted = guest_encode_powershell("$env:A='it''s \"$x\"';$env:B='';dir");
	cleanup_json json_t *args = NULL;
	struct error err = ERROR_INIT;
	json_t *words;

	(void)state;
	assert_int_equal(guest_windows_exec(&command, &args, &err), 0);
	words = json_object_get(args, "arg");
	assert_string_equal(json_string_value(json_array_get(words, 3)), wanted);
	assert_null(json_object_get(args, "env"));
}

static bool has_env(json_t *args, const char *wanted)
{
	json_t *entry;
	size_t i;

	json_array_foreach (json_object_get(args, "env"), i, entry)
		if (str_eq(json_string_value(entry), wanted))
			return true;
	return false;
}

static void test_linux(void **state)
{
	static char ls[] = "ls", odd[] = "a'b \"$(c)\"", var[] = "K=v w";
	char *const argv[] = {ls, odd, NULL}, *const env[] = {var, NULL};
	const struct guest_command command = {
		.argv = argv,
		.env = env,
		.user = "nobody",
		.input = "\0in",
		.input_len = 3,
		.streams_input = true,
	};
	json_t *args = guest_linux_exec(&command, "/tmp/hv-0"), *words;

	(void)state;
	assert_string_equal(json_get_string(args, "path"), "/bin/sh");
	words = json_object_get(args, "arg");
	assert_int_equal(json_array_size(words), 5);
	assert_string_equal(json_string_value(json_array_get(words, 0)), "-c");
	/* Words are handed over as they are, and never become part of the script. */
	assert_string_equal(json_string_value(json_array_get(words, 3)), ls);
	assert_string_equal(json_string_value(json_array_get(words, 4)), odd);
	assert_null(strstr(json_string_value(json_array_get(words, 1)), "/tmp/hv-0"));
	assert_true(has_env(args, "HV_EXEC=/tmp/hv-0"));
	assert_true(has_env(args, "HV_EXEC_USER=nobody"));
	assert_true(has_env(args, "HV_EXEC_INPUT=1"));
	assert_true(has_env(args, "K=v w"));
	assert_true(has_env(args, "HOME=/root"));
	assert_string_equal(json_get_string(args, "input-data"), "AGlu");
	json_decref(args);
}

static void test_linux_no_utf8(void **state)
{
	static char ls[] = "ls", odd[] = "\xff";
	char *const argv[] = {ls, odd, NULL};
	const struct guest_command command = {.argv = argv};

	(void)state;
	assert_null(guest_linux_exec(&command, "/tmp/hv-0"));
}

static void test_names(void **state)
{
	(void)state;
	assert_true(guest_env_is_valid("A=b"));
	assert_true(guest_env_is_valid("_a1="));
	assert_true(guest_env_is_valid("A=b=c"));
	assert_false(guest_env_is_valid("A"));
	assert_false(guest_env_is_valid("=b"));
	assert_false(guest_env_is_valid("1a=b"));
	assert_false(guest_env_is_valid("a-b=c"));
	assert_false(guest_env_is_valid("HV_EXEC=/etc"));
	assert_false(guest_env_is_valid("HV_EXEC_USER=root"));
	assert_true(guest_user_is_valid("www-data"));
	assert_true(guest_user_is_valid("_apt"));
	assert_true(guest_user_is_valid("j.doe2"));
	assert_false(guest_user_is_valid(""));
	assert_false(guest_user_is_valid("-x"));
	assert_false(guest_user_is_valid("a b"));
	assert_false(guest_user_is_valid("a;id"));
	assert_false(guest_user_is_valid("a$(id)"));
	assert_false(guest_user_is_valid("../root"));
}

static void test_bases_differ(void **state)
{
	char a[GUEST_SCRIPT_BASE_BYTES], b[GUEST_SCRIPT_BASE_BYTES];

	(void)state;
	guest_script_make_base(a);
	guest_script_make_base(b);
	assert_string_not_equal(a, b);
	assert_int_equal(strlen(a), strlen("/tmp/hv-") + 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_powershell),        cmocka_unit_test(test_no_utf8),
		cmocka_unit_test(test_windows),           cmocka_unit_test(test_windows_refused),
		cmocka_unit_test(test_windows_variables), cmocka_unit_test(test_linux),
		cmocka_unit_test(test_linux_no_utf8),     cmocka_unit_test(test_names),
		cmocka_unit_test(test_bases_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
