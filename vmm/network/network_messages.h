/* SPDX-License-Identifier: MIT */
/*
 * What a network's supervisor asks of its keeper, and what the keeper tells it: one
 * struct in each direction, by base/channel.h.
 *
 * The keeper trusts no member of a request. Before it looks at anything else it has
 * network_request_check() pass, which knows the plan: a name is a name, a text ends, an
 * address is a host's in the subnet. The supervisor asks the same function before it
 * sends, and tells its client; so a request that fails at the keeper comes from a
 * supervisor that is not itself any more.
 */
#ifndef HV_VMM_NETWORK_MESSAGES_H
#define HV_VMM_NETWORK_MESSAGES_H

#include "base/mac.h"
#include "lab/spec.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

struct error;

enum network_request_kind {
	NETWORK_REQUEST_STARTED, /* dnsmasq says that it serves */
	NETWORK_REQUEST_WORDS, /* cause, text: what dnsmasq said last; the answer to WORDS */
	NETWORK_REQUEST_ATTACH, /* vm, mac, address; with the user's connection */
	NETWORK_REQUEST_ATTACHED, /* that user has his answer */
	NETWORK_REQUEST_DETACH, /* his connection was dropped */
	NETWORK_REQUEST_KEEP,
	NETWORK_REQUEST_RELEASE,
	NETWORK_REQUEST_DOWN, /* force */
	NETWORK_REQUEST_RELOAD, /* the keeper starts anew, the network stays */
	NETWORK_REQUEST_STATUS,
	NETWORK_REQUEST_ALIVE, /* the answer to PING */
	NETWORK_REQUEST_COUNT
};

/* Why dnsmasq did not start, where its words say so. */
enum network_cause {
	NETWORK_CAUSE_NONE,
	NETWORK_CAUSE_DHCP_PORT, /* somebody else has port 67 on the bridge */
	NETWORK_CAUSE_DNS_PORT,
	NETWORK_CAUSE_COUNT
};

enum { NETWORK_VM_SIZE = 64, NETWORK_WORDS_SIZE = 640, NETWORK_TEXT_SIZE = 1024 };

struct network_request {
	uint32_t kind;
	/* Names a call (ATTACH, KEEP, RELEASE, DOWN, RELOAD, STATUS), which its answer names again,
	 * or the user that came of it; 0 for the others. */
	uint32_t serial;
	uint32_t cause;
	struct in_addr address;
	uint8_t mac[MAC_BYTES];
	uint8_t has_address, force; /* 0 or 1 */
	char vm[NETWORK_VM_SIZE];
	char text[NETWORK_WORDS_SIZE]; /* printable ASCII */
};

enum network_order_kind {
	NETWORK_ORDER_RESULT, /* serial, code, text: the answer to a call; with status.json for one
			       * that asks for it */
	NETWORK_ORDER_DNSMASQ, /* with what a new dnsmasq says on standard error */
	NETWORK_ORDER_WORDS, /* dnsmasq has ended: what did it say? */
	NETWORK_ORDER_PING,
	NETWORK_ORDER_DONE, /* the network is gone: answer who asked for it, and end */
	NETWORK_ORDER_COUNT
};

struct network_order {
	uint32_t kind;
	uint32_t serial;
	int32_t code; /* 0, or a positive errno value, which text explains */
	char text[NETWORK_TEXT_SIZE];
};

const char *network_request_name(enum network_request_kind kind); /* for messages */

/* Whether a request is one that may be made of this network; has_fd says whether a
 * descriptor came along. Pure. -EPROTO for what no supervisor says, -EINVAL for a MAC or an
 * address that this network cannot have. */
int network_request_check(const struct spec_network *net, const struct network_request *request,
			  bool has_fd, struct error *err);

#endif
