/* SPDX-License-Identifier: MIT */
/* What dnsmasq is told: arguments and hosts files. */
#include "tests/unit/vmm/golden.h"

#include "net/dnsmasq.h"

#include <arpa/inet.h>

static struct in_addr address(const char *text)
{
	return (struct in_addr){.s_addr = inet_addr(text)};
}

static struct net_dhcp lab_net(void)
{
	return (struct net_dhcp){
		.network = "lab-net",
		.bridge = "virbr56",
		.address = address("192.168.56.1"),
		.prefix = 24,
		.first = address("192.168.56.100"),
		.last = address("192.168.56.200"),
		.domain = "lab.test",
		.nat = true,
		.hosts_file = "/var/lib/hv/net/lab-net/hosts",
		.addn_hosts_file = "/var/lib/hv/net/lab-net/addn-hosts",
		.leases_file = "/var/lib/hv/net/lab-net/leases",
		.resolver_file = "/var/lib/hv/net/lab-net/resolv.conf",
	};
}

static void expect(const char *golden, const struct net_dhcp *dhcp)
{
	cleanup_strv struct strv argv = {0};

	net_dnsmasq_args(dhcp, "/usr/sbin/dnsmasq", &argv);
	golden_expect_argv(golden, &argv);
}

static void test_nat(void **state)
{
	struct net_dhcp dhcp = lab_net();

	(void)state;
	expect("dnsmasq-nat.argv", &dhcp);
}

static void test_isolated(void **state)
{
	struct net_dhcp dhcp = lab_net();

	(void)state;
	dhcp.nat = false;
	dhcp.domain = NULL;
	dhcp.address = address("10.1.2.3");
	dhcp.prefix = 30;
	dhcp.first = dhcp.last = address("10.1.2.2");
	expect("dnsmasq-isolated.argv", &dhcp);
}

/* Each path is the rest of one argument, whatever is in it. */
static void test_paths(void **state)
{
	struct net_dhcp dhcp = lab_net();

	(void)state;
	dhcp.hosts_file = "/srv/a b,\"c\"/hosts";
	dhcp.addn_hosts_file = "/srv/a,b=c#d/addn";
	dhcp.leases_file = "/srv/'x' --conf-file=/etc/passwd";
	dhcp.resolver_file = "/srv/ --no-resolv,#";
	expect("dnsmasq-paths.argv", &dhcp);
}

static void test_every_netmask(void **state)
{
	(void)state;
	for (unsigned prefix = 8; prefix <= 30; prefix++) {
		cleanup_strv struct strv argv = {0};
		struct net_dhcp dhcp = lab_net();
		const char *range = NULL;
		struct in_addr mask = {.s_addr = htonl(~0U << (32 - prefix))};

		dhcp.prefix = prefix;
		net_dnsmasq_args(&dhcp, "dnsmasq", &argv);
		for (size_t i = 0; i < argv.n && !range; i++)
			range = str_after(argv.v[i], "--dhcp-range=192.168.56.100,192.168.56.200,");
		assert_non_null(range);
		assert_int_equal(strncmp(range, inet_ntoa(mask), strlen(inet_ntoa(mask))), 0);
	}
}

static const struct net_host hosts[] = {
	{.name = "dc01", .mac = {0x52, 0x54, 0, 0x12, 0x34, 0x56}, .has_address = true},
	{.name = "web-1", .mac = {0x52, 0x54, 0, 0xff, 0xab, 0x0f}},
	/* Names of VMs that are no names of hosts. */
	{.name = "a_b", .mac = {1, 2, 3, 4, 5, 6}, .has_address = true},
	{.name = "a.b", .mac = {1, 2, 3, 4, 5, 7}},
	{.name = "a-", .mac = {1, 2, 3, 4, 5, 8}, .has_address = true},
	{.name = "0123456789-123456789-123456789-123456789-123456789-123456789-12",
	 .mac = {1, 2, 3, 4, 5, 9},
	 .has_address = true},
};

static void with_addresses(struct net_host copy[static ARRAY_SIZE(hosts)])
{
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++) {
		copy[i] = hosts[i];
		copy[i].address.s_addr = htonl(0xc0a8380a + (uint32_t)i);
	}
}

static void test_hosts_file(void **state)
{
	struct net_host copy[ARRAY_SIZE(hosts)];
	cleanup_strbuf struct strbuf text = {0};

	(void)state;
	with_addresses(copy);
	net_dnsmasq_hosts(copy, ARRAY_SIZE(copy), &text);
	golden_expect("hosts", text.data);
}

static void test_addn_hosts_file(void **state)
{
	struct net_host copy[ARRAY_SIZE(hosts)];
	cleanup_strbuf struct strbuf text = {0}, plain = {0}, none = {0};

	(void)state;
	with_addresses(copy);
	net_dnsmasq_addn_hosts(copy, ARRAY_SIZE(copy), "lab.test", &text);
	golden_expect("addn-hosts", text.data);
	net_dnsmasq_addn_hosts(copy, 1, NULL, &plain);
	assert_string_equal(plain.data, "192.168.56.10 dc01\n");
	net_dnsmasq_addn_hosts(NULL, 0, "lab.test", &none);
	assert_string_equal(none.data, "");
	assert_false(none.failed);
}

/* A name that would be more than a name never gets into a file. */
static void test_hostile_names(void **state)
{
	static const char *const names[] = {
		"",      "-a",
		"a b",   "a,b",
		"a\nb",  "a#b",
		"a=b",   "a\xc3\xbc",
		"*",     "a/b",
		"a\x7f", "0123456789-123456789-123456789-123456789-123456789-123456789-123",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct net_host host = {
			.name = names[i], .mac = {1, 2, 3, 4, 5, 6}, .has_address = true};
		cleanup_strbuf struct strbuf text = {0}, addn = {0};

		net_dnsmasq_hosts(&host, 1, &text);
		assert_string_equal(text.data, "01:02:03:04:05:06,0.0.0.0\n");
		net_dnsmasq_addn_hosts(&host, 1, "lab.test", &addn);
		assert_string_equal(addn.data, "");
	}
}

/* In a line of its hosts file dnsmasq takes these for a lease time, or for the
 * wish to give that host no address at all. */
static void test_names_that_are_words(void **state)
{
	static const struct {
		const char *name;
		bool written;
	} rows[] = {
		{"ignore", false}, {"infinite", false}, {"12h", false}, {"7", false},
		{"90m", false},    {"1w", false},       {"3D", false},  {"ignore2", true},
		{"h12", true},     {"12hh", true},      {"12-h", true}, {"12x", true},
		{"h", true},       {"Ignore", true},    {"12h3", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct net_host host = {.name = rows[i].name, .mac = {1, 2, 3, 4, 5, 6}};
		cleanup_free char *wanted =
			str_printf("01:02:03:04:05:06%s%s\n", rows[i].written ? "," : "",
				   rows[i].written ? rows[i].name : "");
		cleanup_strbuf struct strbuf text = {0}, addn = {0};

		net_dnsmasq_hosts(&host, 1, &text);
		assert_string_equal(text.data, wanted);
		/* As a name for an address each of them is good. */
		host.has_address = true;
		net_dnsmasq_addn_hosts(&host, 1, NULL, &addn);
		assert_non_null(strstr(addn.data, rows[i].name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nat),           cmocka_unit_test(test_isolated),
		cmocka_unit_test(test_paths),         cmocka_unit_test(test_every_netmask),
		cmocka_unit_test(test_hosts_file),    cmocka_unit_test(test_addn_hosts_file),
		cmocka_unit_test(test_hostile_names), cmocka_unit_test(test_names_that_are_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
