/* SPDX-License-Identifier: MIT */
/* dnsmasq's lease file, of net/dnsmasq.h: "EXPIRES MAC ADDRESS NAME CLIENT-ID",
 * one a line. Names are the guests' own words. */
#include "net/dnsmasq.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/mac.h"

#include <arpa/inet.h>
#include <stdlib.h>

enum { LEASES_MAX = 65536, FIELD_MAX = 64 };

/* Cuts the next field off line; false where there is none. */
static bool next_field(const char **line, const char *end, const char **ret_field, size_t *ret_len)
{
	const char *p = *line, *start;

	while (p < end && *p == ' ')
		p++;
	start = p;
	while (p < end && *p != ' ')
		p++;
	*line = p;
	*ret_field = start;
	*ret_len = (size_t)(p - start);
	return p > start;
}

/* As next_field(), copied; fields that are too long are none. */
static bool short_field(const char **line, const char *end, char buf[static FIELD_MAX])
{
	const char *field;
	size_t len;

	if (!next_field(line, end, &field, &len) || len >= FIELD_MAX || memchr(field, '\0', len))
		return false;
	memcpy(buf, field, len);
	buf[len] = '\0';
	return true;
}

static void take_name(struct net_lease *lease, const char *name, size_t len)
{
	size_t out = 0;

	if (len == 1 && *name == '*')
		len = 0;
	/* Host names are ASCII; whatever else a guest sent is shown as '?'. */
	for (size_t i = 0; i < len && out + 1 < sizeof(lease->hostname); i++)
		lease->hostname[out++] = name[i] > 0x20 && name[i] < 0x7f ? name[i] : '?';
	lease->hostname[out] = '\0';
}

static bool parse_line(const char *line, const char *end, struct net_lease *ret_lease)
{
	struct net_lease lease = {0};
	char field[FIELD_MAX];
	const char *name;
	size_t len;

	if (!short_field(&line, end, field) || !str_parse_u64(field, UINT64_MAX, &lease.expires))
		return false;
	if (!short_field(&line, end, field) || !mac_parse(field, lease.mac))
		return false;
	if (!short_field(&line, end, field) || inet_pton(AF_INET, field, &lease.address) != 1)
		return false;
	if (next_field(&line, end, &name, &len))
		take_name(&lease, name, len);
	*ret_lease = lease;
	return true;
}

int net_leases_parse(const char *text, size_t len, struct net_lease **ret_leases, size_t *ret_n,
		     struct error *err)
{
	cleanup_free struct net_lease *leases = NULL;
	const char *end = text + len;
	size_t n = 0, cap = 0;

	while (text < end && n < LEASES_MAX) {
		const char *eol = memchr(text, '\n', (size_t)(end - text));
		struct net_lease lease;

		eol = eol ? eol : end;
		if (parse_line(text, eol, &lease)) {
			if (n == cap) {
				struct net_lease *grown;

				cap = cap ? cap * 2 : 16;
				grown = reallocarray(leases, cap, sizeof(*grown));
				if (!grown)
					return error_oom(err);
				leases = grown;
			}
			leases[n++] = lease;
		}
		text = eol + 1;
	}
	*ret_leases = steal_ptr(&leases);
	*ret_n = n;
	return 0;
}
