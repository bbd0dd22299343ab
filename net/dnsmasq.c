/* SPDX-License-Identifier: MIT */
#include "net/dnsmasq.h"

#include "base/mac.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>

enum { HOST_NAME_MAX_BYTES = 63 };

static const char *text_of(struct in_addr address, char buf[static INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, &address, buf, INET_ADDRSTRLEN);
}

void net_dnsmasq_args(const struct net_dhcp *d, const char *program, struct strv *ret_argv)
{
	char address[INET_ADDRSTRLEN], first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN];
	char mask[INET_ADDRSTRLEN];
	struct in_addr netmask = {.s_addr = htonl((uint32_t)(0xffffffffULL << (32 - d->prefix)))};
	struct strv *a = ret_argv;

	strv_add(a, program);
	strv_add(a, "--keep-in-foreground");
	strv_add(a, "--log-facility=-");
	/* Nothing of the host's own dnsmasq. */
	strv_add(a, "--conf-file=/dev/null");
	strv_add(a, "--no-hosts");
	strv_add(a, "--pid-file");
	strv_add(a, "--bind-interfaces");
	strv_addf(a, "--interface=%s", d->bridge);
	strv_add(a, "--except-interface=lo");
	strv_addf(a, "--listen-address=%s", text_of(d->address, address));
	/* A lease outlives a night, so a lab has its addresses back at morning. */
	strv_addf(a, "--dhcp-range=%s,%s,%s,%dh", text_of(d->first, first), text_of(d->last, last),
		  text_of(netmask, mask), NET_LEASE_SECONDS / 3600);
	if (d->mtu)
		strv_addf(a, "--dhcp-option-force=option:mtu,%u", d->mtu);
	strv_add(a, "--dhcp-authoritative");
	strv_add(a, "--dhcp-no-override");
	strv_add(a, "--dhcp-lease-max=65536");
	strv_addf(a, "--dhcp-hostsfile=%s", d->hosts_file);
	strv_addf(a, "--addn-hosts=%s", d->addn_hosts_file);
	strv_addf(a, "--dhcp-leasefile=%s", d->leases_file);
	if (d->domain) {
		strv_addf(a, "--domain=%s", d->domain);
		strv_addf(a, "--local=/%s/", d->domain);
		strv_add(a, "--expand-hosts");
	}
	if (!d->nat) {
		/* No way out: no gateway to offer, nobody to ask. */
		strv_add(a, "--dhcp-option=3");
		strv_add(a, "--no-resolv");
	} else {
		strv_addf(a, "--resolv-file=%s", d->resolver_file);
	}
}

/* VM names may hold '_' and '.', host names may not. */
static bool is_host_name(const char *s)
{
	size_t n = strlen(s);

	if (!n || n > HOST_NAME_MAX_BYTES || s[0] == '-' || s[n - 1] == '-')
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '-')
			return false;
	return true;
}

/* What dnsmasq takes for something else than a name behind a MAC: the wish to
 * ignore that host, or a lease time. */
static bool is_hosts_word(const char *s)
{
	size_t digits = strspn(s, "0123456789");

	if (str_eq(s, "ignore") || str_eq(s, "infinite"))
		return true;
	return digits && (!s[digits] || (strchr("smhdwSMHDW", s[digits]) && !s[digits + 1]));
}

void net_dnsmasq_hosts(const struct net_host *hosts, size_t n, struct strbuf *ret_text)
{
	for (size_t i = 0; i < n; i++) {
		const struct net_host *h = &hosts[i];
		char address[INET_ADDRSTRLEN], mac[MAC_TEXT_SIZE];

		mac_format(mac, h->mac);
		strbuf_addf(ret_text, "%s", mac);
		if (h->has_address)
			strbuf_addf(ret_text, ",%s", text_of(h->address, address));
		if (is_host_name(h->name) && !is_hosts_word(h->name))
			strbuf_addf(ret_text, ",%s", h->name);
		strbuf_addf(ret_text, "\n");
	}
}

void net_dnsmasq_addn_hosts(const struct net_host *hosts, size_t n, const char *domain,
			    struct strbuf *ret_text)
{
	for (size_t i = 0; i < n; i++) {
		const struct net_host *h = &hosts[i];
		char address[INET_ADDRSTRLEN];

		if (!h->has_address || !is_host_name(h->name))
			continue;
		strbuf_addf(ret_text, "%s ", text_of(h->address, address));
		if (domain)
			strbuf_addf(ret_text, "%s.%s ", h->name, domain);
		strbuf_addf(ret_text, "%s\n", h->name);
	}
	/* An empty buffer is still a text. */
	strbuf_add(ret_text, "", 0);
}
