/* SPDX-License-Identifier: MIT */
/* The ruleset of a network, in nft's language. */
#include "tests/unit/vmm/golden.h"

#include "net/nft.h"

#include <arpa/inet.h>
#include <errno.h>

static struct net_rules lab_net(void)
{
	return (struct net_rules){
		.network = "lab-net",
		.owner = "net=lab-net;run=/run/hv",
		.bridge = "virbr56",
		.address = {.s_addr = inet_addr("192.168.56.1")},
		.prefix = 24,
		.nat = true,
	};
}

static void expect(const char *golden, const struct net_rules *rules)
{
	cleanup_free char *text = net_rules_text(rules);

	golden_expect(golden, text);
}

static void test_nat(void **state)
{
	struct net_rules rules = lab_net();

	(void)state;
	expect("nat.nft", &rules);
}

static void test_isolated(void **state)
{
	struct net_rules rules = lab_net();

	(void)state;
	rules.nat = false;
	expect("isolated.nft", &rules);
}

/* The subnet is the address without its host bits. */
static void test_subnets(void **state)
{
	static const struct {
		const char *address;
		unsigned prefix;
		const char *subnet;
	} rows[] = {
		{"10.255.255.254", 8, "10.0.0.0/8"},
		{"172.20.7.1", 12, "172.16.0.0/12"},
		{"192.168.57.1", 23, "192.168.56.0/23"},
		{"192.168.56.129", 25, "192.168.56.128/25"},
		{"192.168.56.6", 30, "192.168.56.4/30"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_rules rules = lab_net();
		cleanup_free char *text = NULL,
				  *wanted = str_printf("ip saddr %s accept", rows[i].subnet);

		rules.address.s_addr = inet_addr(rows[i].address);
		rules.prefix = rows[i].prefix;
		text = net_rules_text(&rules);
		if (!strstr(text, wanted))
			fail_msg("not in %s/%u: %s", rows[i].address, rows[i].prefix, wanted);
	}
}

/* No byte leaves its quotes: refused before anything is loaded or touched. */
static void test_what_cannot_be_quoted(void **state)
{
	static const struct {
		const char *network, *owner, *bridge;
	} rows[] = {
		{"a b", "x", "br0"},        {"a\"b", "x", "br0"},   {"", "x", "br0"},
		{"a;b", "x", "br0"},        {"a/../b", "x", "br0"}, {"lab", "a\"b", "br0"},
		{"lab", "a\\b", "br0"},     {"lab", "a\nb", "br0"}, {"lab", "", "br0"},
		{"lab", "x", "br\"; drop"}, {"lab", "x", "br*"},    {"lab", "x", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_rules rules = lab_net();
		struct error err = ERROR_INIT;

		rules.network = rows[i].network;
		rules.owner = rows[i].owner;
		rules.bridge = rows[i].bridge;
		assert_int_equal(net_rules_apply(&rules, &err), -EINVAL);
		assert_int_equal(err.code, EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat),
		cmocka_unit_test(test_isolated),
		cmocka_unit_test(test_subnets),
		cmocka_unit_test(test_what_cannot_be_quoted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
