/* SPDX-License-Identifier: MIT */
/* dnsmasq's lease file, as guests would write it if they could. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "net/dnsmasq.h"

#include <arpa/inet.h>

#define LEASE "1700000000 52:54:00:12:34:56 192.168.56.101 "

static size_t parse(const char *text, size_t len, struct net_lease **ret_leases)
{
	struct error err = ERROR_INIT;
	/* A copy without a NUL behind it: what is read beyond is found. */
	char *copy = malloc(len ? len : 1);
	size_t n = 99999;

	assert_non_null(copy);
	memcpy(copy, text, len);
	if (net_leases_parse(copy, len, ret_leases, &n, &err) < 0)
		fail_msg("%s", err.text);
	free(copy);
	return n;
}

static void test_lease_file(void **state)
{
	static const char text[] =
		"1700000000 52:54:00:12:34:56 192.168.56.101 dc01 01:52:54:00:12:34:56\n"
		"0 52:54:00:AB:cd:EF 10.0.0.1 * *\n"
		"18446744073709551615 00:00:00:00:00:00 0.0.0.0 web.lab.test ff\n";
	cleanup_free struct net_lease *leases = NULL;

	(void)state;
	assert_int_equal(parse(text, strlen(text), &leases), 3);
	assert_int_equal(leases[0].expires, 1700000000);
	assert_memory_equal(leases[0].mac, "\x52\x54\x00\x12\x34\x56", 6);
	assert_int_equal(leases[0].address.s_addr, inet_addr("192.168.56.101"));
	assert_string_equal(leases[0].hostname, "dc01");
	assert_int_equal(leases[1].expires, 0);
	assert_memory_equal(leases[1].mac, "\x52\x54\x00\xab\xcd\xef", 6);
	assert_string_equal(leases[1].hostname, "");
	assert_int_equal(leases[2].expires, UINT64_MAX);
	assert_string_equal(leases[2].hostname, "web.lab.test");
}

static void test_lines_that_are_no_leases(void **state)
{
	static const char *const rows[] = {
		"",
		"\n\n\n",
		"duid 00:01:00:01:2c:11:22:33:52:54:00:12:34:56\n",
		"1700000000 12345678 fd00::100 name 00:01\n",
		"1700000000 52:54:00:12:34:56 fd00::100 name 00:01\n",
		"-1 52:54:00:12:34:56 192.168.56.101 a *\n",
		"x 52:54:00:12:34:56 192.168.56.101 a *\n",
		"1x 52:54:00:12:34:56 192.168.56.101 a *\n",
		"18446744073709551616 52:54:00:12:34:56 192.168.56.101 a *\n",
		"1 06-52:54:00:12:34:56 192.168.56.101 a *\n",
		"1 52:54:00:12:34 192.168.56.101 a *\n",
		"1 52:54:00:12:34:56:78 192.168.56.101 a *\n",
		"1 52:54:00:12:34:5g 192.168.56.101 a *\n",
		"1 52:54:00:12:34:5 192.168.56.101 a *\n",
		"1 5254.0012.3456 192.168.56.101 a *\n",
		"1 52:54:00:12:34:56 192.168.56 a *\n",
		"1 52:54:00:12:34:56 192.168.56.256 a *\n",
		"1 52:54:00:12:34:56 192.168.56.101x a *\n",
		"1 52:54:00:12:34:56\n",
		"1\n",
		"1\t52:54:00:12:34:56\t192.168.56.101\ta\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *around = str_printf("%s" LEASE "after *\n", rows[i]);
		cleanup_free struct net_lease *leases = NULL, *more = NULL;

		if (parse(rows[i], strlen(rows[i]), &leases) != 0)
			fail_msg("taken: %s", rows[i]);
		/* What stands behind it is found. */
		assert_int_equal(parse(around, strlen(around), &more), 1);
		assert_string_equal(more[0].hostname, "after");
	}
}

static void test_hostile_names(void **state)
{
	static const struct {
		const char *line;
		size_t len;
		const char *hostname;
	} rows[] = {
#define ROW(name, wanted) {LEASE name " *\n", sizeof(LEASE name " *\n") - 1, wanted}
		ROW("\x1b[2J\x1b]0;x\x07", "?[2J?]0;x?"),
		ROW("a\0b", "a?b"),
		ROW("\0", "?"),
		ROW("\r", "?"),
		ROW("a\tb", "a?b"),
		ROW("\x7f\x80\x9b\xff", "????"),
		ROW("\xe2\x80\xae", "???"),
		ROW("%s%n", "%s%n"),
		ROW("\"';$(x)`<>&|", "\"';$(x)`<>&|"),
		ROW("../../etc", "../../etc"),
		ROW("**", "**"),
		ROW("*", ""),
#undef ROW
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free struct net_lease *leases = NULL;

		assert_int_equal(parse(rows[i].line, rows[i].len, &leases), 1);
		assert_string_equal(leases[0].hostname, rows[i].hostname);
	}
}

/* A name of any length is cut, and the line behind it is its own. */
static void test_lines_of_64_kib(void **state)
{
	static const size_t sizes[] = {254, 255, 256, 257, 4096, 65536};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		cleanup_free struct net_lease *leases = NULL;
		cleanup_strbuf struct strbuf text = {0};
		size_t wanted = sizes[i] < 255 ? sizes[i] : 255;

		strbuf_addf(&text, LEASE);
		for (size_t j = 0; j < sizes[i]; j++)
			strbuf_add(&text, "n", 1);
		strbuf_addf(&text, " *\n" LEASE "after *\n");
		/* The same in place of each other field. */
		for (int field = 0; field < 3; field++) {
			for (int j = 0; j < field; j++)
				strbuf_addf(&text, "1 ");
			for (size_t j = 0; j < sizes[i]; j++)
				strbuf_add(&text, "1", 1);
			strbuf_addf(&text, " x y z\n");
		}
		assert_false(text.failed);
		assert_int_equal(parse(text.data, text.len, &leases), 2);
		assert_int_equal(strlen(leases[0].hostname), wanted);
		assert_string_equal(leases[1].hostname, "after");
	}
}

/* Cut anywhere: never more leases than lines, and never another address. */
static void test_cut_short(void **state)
{
	static const char text[] = LEASE "dc01 01:52\n0 52:54:00:00:00:01 10.0.0.1 * *\n";

	(void)state;
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		cleanup_free struct net_lease *leases = NULL;
		size_t n = parse(text, cut, &leases);

		assert_true(n <= 2);
		if (n)
			assert_int_equal(leases[0].expires, 1700000000);
		if (cut >= strlen(LEASE))
			assert_int_equal(leases[0].address.s_addr, inet_addr("192.168.56.101"));
	}
}

static void test_bound(void **state)
{
	cleanup_free struct net_lease *leases = NULL;
	cleanup_strbuf struct strbuf text = {0};

	(void)state;
	for (size_t i = 0; i < 65536 + 10; i++)
		strbuf_addf(&text, "%zu 52:54:00:12:34:56 10.0.0.1 a *\n", i);
	assert_false(text.failed);
	assert_int_equal(parse(text.data, text.len, &leases), 65536);
	assert_int_equal(leases[65535].expires, 65535);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lease_file),
		cmocka_unit_test(test_lines_that_are_no_leases),
		cmocka_unit_test(test_hostile_names),
		cmocka_unit_test(test_lines_of_64_kib),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_bound),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
