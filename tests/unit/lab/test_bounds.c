/* SPDX-License-Identifier: MIT */
/* Hostile and broken documents: each ends soon, with a fault that has a place. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/lab/parse.h"

static void assert_faults(const char *text, size_t len, const char *expected)
{
	/* Of exact size, so that a sanitizer sees a read behind it. */
	cleanup_free char *exact = malloc(len + !len), *faults = NULL;

	assert_non_null(exact);
	memcpy(exact, text, len);
	faults = parse_faults_of(exact, len);
	assert_string_equal(faults, expected);
}

static void test_empty(void **state)
{
	static const char *const texts[] = {"",
					    "\n",
					    "# only a comment\n",
					    "---\n",
					    "~\n",
					    "null\n",
					    "--- # a\n...\n",
					    "{}\n",
					    "vms:\npools: ~\nnetworks: null\nprofiles: {}\n"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct lab *lab = parse_lab(texts[i]);

		assert_int_equal(lab->n_networks + lab->n_pools + lab->n_vms, 0);
		lab_free(lab);
	}
	assert_faults("", 0, "");
}

static void test_syntax(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: {a: {cpus: 1}\n", "2:1: not YAML: did not find expected ',' or '}' "
					 "while parsing a flow mapping that begins in line 1\n"},
		{"vms:\n  a: {}\n b: {}\n",
		 "3:2: not YAML: did not find expected key "
		 "while parsing a block mapping that begins in line 1\n"},
		{"vms:\n\ta: {}\n", "2:1: not YAML: found character that cannot start any token "
				    "while scanning for the next token that begins in line 2\n"},
		{"vms: \"a\n", "2:1: not YAML: found unexpected end of stream "
			       "while scanning a quoted scalar that begins in line 1\n"},
		{"vms: *none\n", "1:6: not YAML: found undefined alias\n"},
		{"vms: {}\n---\npools: {}\n", "3:1: a second document; one file holds one\n"},
		{"vms: {}\n...\n{\n", "3:1: not YAML: did not find expected <document start>\n"},
		{"%YAML 9.9\n---\n{}\n", "1:1: not YAML: found incompatible YAML document\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

static void test_bytes(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *faults;
	} rows[] = {
#define ROW(text, faults) {text, sizeof(text) - 1, faults}
		/* Latin-1, a sequence that the end cuts, overlong, a surrogate. */
		ROW("vms:\n  b\xe9ta: {}\n", "2:5: not YAML: invalid trailing UTF-8 octet\n"),
		ROW("vms: {}\n# \xe2\x82", "2:3: not YAML: incomplete UTF-8 octet sequence\n"),
		ROW("# \xc0\xaf\n", "1:3: not YAML: invalid length of a UTF-8 sequence\n"),
		ROW("#\n# \xed\xa0\x80\n", "2:3: not YAML: invalid Unicode character\n"),
		/* Bytes that are no text at all. */
		ROW("\x7f"
		    "ELF\x02\x01\x01\0\0\0",
		    "1:1: not YAML: control characters are not allowed\n"),
		ROW("vms: {}\n\0vms: {}\n", "2:1: not YAML: control characters are not allowed\n"),
		ROW("vms: {a: {cmdline: \"a\\0b\", kernel: /k}}\n", "1:20: text with a NUL byte\n"),
		/* Marks of byte order, and UTF-16 by one, which YAML allows. */
		ROW("\xef\xbb\xbfvms: {}\n", ""),
		ROW("\xff\xfe{\0}\0", ""),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_faults(rows[i].text, rows[i].len, rows[i].faults);
}

/* n times s. */
static void repeat(struct strbuf *b, const char *s, size_t n)
{
	while (n--)
		strbuf_add(b, s, strlen(s));
}

static void test_deep(void **state)
{
	static const struct {
		size_t depth;
		const char *faults;
	} rows[] = {
		{18, "1:20: cmdline: has to be text, not a list\n"},
		{19, "1:38: nested too deeply\n"},
		{900, "1:38: nested too deeply\n"},
		{1000000, "1:38: nested too deeply\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_strbuf struct strbuf b = {0};

		/* The document is depth 0, its keys 1, the VM's 3. */
		strbuf_addf(&b, "vms: {a: {cmdline: ");
		repeat(&b, "[", rows[i].depth);
		repeat(&b, "]", rows[i].depth);
		strbuf_addf(&b, "}}\n");
		assert_faults(b.data, b.len, rows[i].faults);
	}
}

static void test_alias_bomb(void **state)
{
	cleanup_strbuf struct strbuf b = {0};

	(void)state;
	strbuf_addf(&b, "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
	for (int i = 1; i <= 9; i++) {
		strbuf_addf(&b, "a%d: &a%d [", i, i);
		for (int j = 0; j < 10; j++)
			strbuf_addf(&b, "%s*a%d", j ? ", " : "", i - 1);
		strbuf_addf(&b, "]\n");
	}
	assert_faults(b.data, b.len, "1:22: too many entries\n");
}

/* The kinds of depth and number at which libyaml alone takes for ever. */
static void test_libyaml_is_spared(void **state)
{
	static const struct {
		const char *first, *again;
		size_t n;
		const char *faults;
	} rows[] = {
		{"vms: ", "[", 2000000, "1:26: nested too deeply\n"},
		{"vms: ", "{a: ", 500000, "1:83: nested too deeply\n"},
		{"", "? ", 1000000, "1:43: nested too deeply\n"},
		{"", "- ", 1000000, "1:43: nested too deeply\n"},
	};
	cleanup_strbuf struct strbuf anchors = {0};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_strbuf struct strbuf b = {0};

		strbuf_addf(&b, "%s", rows[i].first);
		repeat(&b, rows[i].again, rows[i].n);
		assert_faults(b.data, b.len, rows[i].faults);
	}
	strbuf_addf(&anchors, "vms: [\n");
	for (int i = 0; i < 90000; i++)
		strbuf_addf(&anchors, "&a%d x,\n", i);
	strbuf_addf(&anchors, "]\n");
	assert_faults(anchors.data, anchors.len, "1002:1: too many anchors\n");
}

static void test_alias_cycle(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: &a\n  b: *a\n", "2:3: nested too deeply\n"},
		{"pools: &a [*a, *a]\n", "1:8: nested too deeply\n"},
		{"? &a [*a]\n: x\n", "1:3: nested too deeply\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

static void test_many(void **state)
{
	cleanup_strbuf struct strbuf entries = {0}, text = {0}, list = {0}, longest = {0};

	(void)state;
	strbuf_addf(&entries, "pools: [");
	repeat(&entries, "a,", 100000);
	strbuf_addf(&entries, "]\n");
	assert_faults(entries.data, entries.len, "1:200003: too many entries\n");

	strbuf_addf(&text, "vms: {a: {kernel: /k, cmdline: ");
	repeat(&text, "x", 4096);
	strbuf_addf(&text, "}}\n");
	assert_faults(text.data, text.len, "1:32: text of more than 4095 bytes\n");

	strbuf_addf(&longest, "vms: {a: {kernel: /k, cmdline: ");
	repeat(&longest, "x", 4095);
	strbuf_addf(&longest, "}}\n");
	assert_faults(longest.data, longest.len, "");

	strbuf_addf(&list, "vms: {a: {cdroms: [");
	repeat(&list, "/x,", 65);
	strbuf_addf(&list, "]}}\n");
	assert_faults(list.data, list.len, "1:19: cdroms: more than 64 entries\n");
}

static void test_many_faults(void **state)
{
	cleanup_strbuf struct strbuf b = {0};
	struct lab_config *c = lab_config_new();
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct lab *lab = NULL;

	(void)state;
	strbuf_addf(&b, "vms:\n");
	for (int i = 0; i < 1500; i++)
		strbuf_addf(&b, "  a%d: {cpus: 0}\n", i);
	assert_int_equal(lab_config_add(c, "f", b.data, b.len, &err), 0);
	assert_int_equal(lab_config_resolve(c, &lab, &faults, &err), -EINVAL);
	assert_int_equal(faults.n, 1000);
	lab_faults_free(&faults);
	lab_config_free(c);
}

static void test_many_documents(void **state)
{
	cleanup_free char *faults = NULL;
	struct lab_config *c = lab_config_new();

	(void)state;
	for (int i = 0; i < 4096; i++)
		assert_int_equal(lab_config_add(c, "f", "vms: {}\n", 8, NULL), 0);
	assert_int_equal(lab_config_add(c, "one-more", "vms: {}\n", 8, NULL), 0);
	faults = resolve_to_text(c, true);
	assert_string_equal(faults, "one-more:1:1: more than 4096 files of configuration\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),          cmocka_unit_test(test_syntax),
		cmocka_unit_test(test_bytes),          cmocka_unit_test(test_deep),
		cmocka_unit_test(test_alias_bomb),     cmocka_unit_test(test_alias_cycle),
		cmocka_unit_test(test_many),           cmocka_unit_test(test_many_faults),
		cmocka_unit_test(test_many_documents), cmocka_unit_test(test_libyaml_is_spared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
