/* SPDX-License-Identifier: MIT */
/* What is written of a network: interfaces, addresses, and a domain's name. */
#include "lab/value_private.h"

#include "base/mac.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>

void value_take_interface(struct lab_decoder *d, const struct lab_schema_row *row,
			  const struct lab_node *value, void *field)
{
	const char *s = value->text;
	size_t len = strlen(s);

	if (len >= IFNAMSIZ) {
		lab_decoder_fault(d, value,
				  "%s: '%s' has %zu bytes; an interface name has at most %d",
				  row->key, s, len, IFNAMSIZ - 1);
		return;
	}
	while (isalnum((unsigned char)*s) || (*s && strchr("_.-", *s)))
		s++;
	if (*s || !len || value->text[0] == '-' || str_eq(value->text, ".") ||
	    str_eq(value->text, ".."))
		lab_decoder_fault(
			d, value,
			"%s: '%s' is not an interface name: letters, digits and _ . - only",
			row->key, value->text);
	else
		memcpy(field, value->text, len + 1);
}

void value_take_cidr(struct lab_decoder *d, const struct lab_schema_row *row,
		     const struct lab_node *value, void *field)
{
	struct spec_network *net =
		(struct spec_network *)((char *)field - offsetof(struct spec_network, address));
	const char *slash = strchr(value->text, '/');
	char text[INET_ADDRSTRLEN];
	struct in_addr address;
	uint64_t prefix;
	uint32_t host;

	if (!slash ||
	    !str_format(text, sizeof(text), "%.*s", (int)(slash - value->text), value->text) ||
	    inet_pton(AF_INET, text, &address) != 1 || !str_parse_u64(slash + 1, 30, &prefix) ||
	    prefix < 8) {
		lab_decoder_fault(d, value,
				  "%s: '%s' is not an address with a prefix of 8 to 30, as in "
				  "192.168.56.1/24",
				  row->key, value->text);
		return;
	}
	host = ntohl(address.s_addr) & (0xffffffffU >> prefix);
	if (host == 0 || host == (0xffffffffU >> prefix)) {
		lab_decoder_fault(d, value,
				  "%s: '%s' is the %s address of its subnet; give the host's own",
				  row->key, value->text, host ? "broadcast" : "network");
		return;
	}
	net->address = address;
	net->prefix = (unsigned)prefix;
}

void value_take_range(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field)
{
	struct spec_network *net =
		(struct spec_network *)((char *)field - offsetof(struct spec_network, dhcp_first));
	const char *dash = strchr(value->text, '-');
	char text[INET_ADDRSTRLEN];
	struct in_addr first, last;

	if (!dash ||
	    !str_format(text, sizeof(text), "%.*s", (int)(dash - value->text), value->text) ||
	    inet_pton(AF_INET, text, &first) != 1 || inet_pton(AF_INET, dash + 1, &last) != 1) {
		lab_decoder_fault(d, value,
				  "%s: '%s' is not a range of addresses, as in "
				  "192.168.56.100-192.168.56.200",
				  row->key, value->text);
		return;
	}
	net->dhcp = true;
	net->dhcp_first = first;
	net->dhcp_last = last;
}

void value_take_address(struct lab_decoder *d, const struct lab_schema_row *row,
			const struct lab_node *value, void *field)
{
	struct spec_nic *nic =
		(struct spec_nic *)((char *)field - offsetof(struct spec_nic, address));

	if (inet_pton(AF_INET, value->text, &nic->address) != 1)
		lab_decoder_fault(d, value, "%s: '%s' is not an IPv4 address", row->key,
				  value->text);
	else
		nic->has_address = true;
}

void value_take_mac(struct lab_decoder *d, const struct lab_schema_row *row,
		    const struct lab_node *value, void *field)
{
	struct spec_nic *nic = (struct spec_nic *)((char *)field - offsetof(struct spec_nic, mac));
	uint8_t mac[MAC_BYTES];

	if (!mac_parse(value->text, mac)) {
		lab_decoder_fault(d, value, "%s: '%s' is not a MAC, as in 52:54:00:12:34:56",
				  row->key, value->text);
	} else if (mac[0] & 1) {
		lab_decoder_fault(d, value,
				  "%s: '%s' is a multicast address; the first byte has to be even",
				  row->key, value->text);
	} else {
		memcpy(nic->mac, mac, sizeof(mac));
		nic->mac_given = true;
	}
}

void value_take_domain(struct lab_decoder *d, const struct lab_schema_row *row,
		       const struct lab_node *value, void *field)
{
	const char *s = value->text;
	size_t label = 0;
	bool good = *s && strlen(s) <= 253;

	for (; good && *s; s++) {
		if (*s == '.')
			good = label > 0 && s[-1] != '-' && s[1];
		else
			good = isalnum((unsigned char)*s) || (*s == '-' && label > 0);
		label = *s == '.' ? 0 : label + 1;
		good = good && label <= 63;
	}
	if (!good || s[-1] == '-')
		lab_decoder_fault(d, value, "%s: '%s' is not a domain name, as in lab.test",
				  row->key, value->text);
	else
		value_set_text(d, field, value->text);
}
