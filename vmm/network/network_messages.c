/* SPDX-License-Identifier: MIT */
#include "vmm/network/network_messages.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>

/* What a kind of request carries; all the rest has to be zero. */
static const struct {
	const char *name;
	bool serial, host, cause, force, fd;
} kinds[] = {
	[NETWORK_REQUEST_STARTED] = {"started"},
	[NETWORK_REQUEST_WORDS] = {"words", .cause = true},
	[NETWORK_REQUEST_ATTACH] = {"attach", .serial = true, .host = true, .fd = true},
	[NETWORK_REQUEST_ATTACHED] = {"attached", .serial = true},
	[NETWORK_REQUEST_DETACH] = {"detach", .serial = true},
	[NETWORK_REQUEST_KEEP] = {"keep", .serial = true},
	[NETWORK_REQUEST_RELEASE] = {"release", .serial = true},
	[NETWORK_REQUEST_DOWN] = {"down", .serial = true, .force = true},
	[NETWORK_REQUEST_RELOAD] = {"reload", .serial = true},
	[NETWORK_REQUEST_STATUS] = {"status", .serial = true},
	[NETWORK_REQUEST_ALIVE] = {"alive"},
};
static_assert(ARRAY_SIZE(kinds) == NETWORK_REQUEST_COUNT, "a kind has no row");

const char *network_request_name(enum network_request_kind kind)
{
	return kinds[kind].name;
}

static bool ends(const char *text, size_t size)
{
	return memchr(text, '\0', size) != NULL;
}

static bool is_plain(const char *text)
{
	for (; *text; text++)
		if (*text < 0x20 || *text > 0x7e)
			return false;
	return true;
}

/* A host's: neither the subnet's edges nor the bridge itself. */
static bool is_host_of(const struct spec_network *net, struct in_addr address)
{
	uint32_t mask = ~0U << (32 - net->prefix), a = ntohl(address.s_addr);
	uint32_t own = ntohl(net->address.s_addr);

	return (a & mask) == (own & mask) && a != own && (a & ~mask) != 0 && (a | mask) != ~0U;
}

/* One card's: no group's, and not the one that stands for none. */
static bool is_card(const uint8_t mac[static MAC_BYTES])
{
	static const uint8_t none[MAC_BYTES];

	return !(mac[0] & 1) && memcmp(mac, none, MAC_BYTES) != 0;
}

static int check_host(const struct spec_network *net, const struct network_request *r,
		      struct error *err)
{
	char address[INET_ADDRSTRLEN];

	if (!ends(r->vm, sizeof(r->vm)) || !str_is_name(r->vm))
		return error_set(err, EPROTO, "the name of its machine is none");
	if (r->has_address > 1 || (!r->has_address && r->address.s_addr))
		return error_set(err, EPROTO, "an address that is neither there nor not");
	if (!is_card(r->mac))
		return error_set(err, EINVAL, "vm '%s': its MAC is not that of a network card",
				 r->vm);
	if (r->has_address && !is_host_of(net, r->address))
		return error_set(err, EINVAL, "vm '%s': address %s is not a host's in its subnet",
				 r->vm, inet_ntop(AF_INET, &r->address, address, sizeof(address)));
	return 0;
}

static bool is_zero(const void *data, size_t size)
{
	const unsigned char *p = data;

	while (size && !*p) {
		p++;
		size--;
	}
	return size == 0;
}

int network_request_check(const struct spec_network *net, const struct network_request *r,
			  bool has_fd, struct error *err)
{
	bool host;

	if (r->kind >= NETWORK_REQUEST_COUNT)
		return error_set(err, EPROTO, "a request of an unknown kind");
	host = kinds[r->kind].host;
	if (has_fd != kinds[r->kind].fd || (r->serial != 0) != kinds[r->kind].serial ||
	    r->force > kinds[r->kind].force ||
	    r->cause >= (kinds[r->kind].cause ? NETWORK_CAUSE_COUNT : 1) ||
	    (!host && (r->has_address || r->address.s_addr || !is_zero(r->vm, sizeof(r->vm)) ||
		       !is_zero(r->mac, sizeof(r->mac)))))
		return error_set(err, EPROTO, "'%s' with what does not belong to it",
				 kinds[r->kind].name);
	if (!ends(r->text, sizeof(r->text)) || !is_plain(r->text) ||
	    (!kinds[r->kind].cause && *r->text))
		return error_set(err, EPROTO, "'%s' with a text that is none", kinds[r->kind].name);
	return host ? check_host(net, r, err) : 0;
}
