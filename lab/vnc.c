/* SPDX-License-Identifier: MIT */
/* Where a VM's screen listens to TCP: an address, or a map of that and a password. */
#include "lab/decode.h"

#include "base/str.h"

#include <arpa/inet.h>
#include <stdlib.h>

void lab_vnc_free(struct spec_vm *vm)
{
	free(vm->vnc.address);
	lab_credential_free(&vm->vnc.password);
	vm->vnc = (struct spec_vnc){0};
}

bool spec_vnc_is_local(const struct spec_vnc *vnc)
{
	struct in6_addr six;
	struct in_addr four;

	if (inet_pton(AF_INET, vnc->address, &four) == 1)
		return ntohl(four.s_addr) >> 24 == 127;
	return inet_pton(AF_INET6, vnc->address, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

/* 127.0.0.1:5901 or [::1]:5901. */
static bool parse_listen(const char *text, struct spec_vnc *vnc)
{
	const char *colon = strrchr(text, ':');
	size_t len = colon ? (size_t)(colon - text) : 0;
	bool six = len > 2 && text[0] == '[' && text[len - 1] == ']';
	unsigned char bytes[sizeof(struct in6_addr)];
	uint64_t port;

	if (!colon || !str_parse_u64(colon + 1, 65535, &port) || !port)
		return false;
	free(vnc->address);
	vnc->address = strndup(six ? text + 1 : text, six ? len - 2 : len);
	vnc->port = (uint16_t)port;
	return vnc->address && inet_pton(six ? AF_INET6 : AF_INET, vnc->address, bytes) == 1;
}

static void take_listen(struct lab_decoder *d, const char *key, const struct lab_node *value,
			struct spec_vm *vm)
{
	if (value->kind != LAB_NODE_SCALAR || !parse_listen(value->text, &vm->vnc))
		lab_decoder_fault(d, value,
				  "%s: has to be ADDRESS:PORT, as in 127.0.0.1:5901 or [::1]:5901",
				  key);
	vm->vnc.where = value->where;
}

void lab_decode_vnc(struct lab_decoder *d, const struct lab_schema_row *row,
		    const struct lab_node *value, struct spec_vm *vm)
{
	/* What is told of a credential has its name, and "unit" looks for that. */
	struct lab_node name = {
		.kind = LAB_NODE_SCALAR, .text = (char *)SPEC_VNC_PASSWORD, .where = value->where};

	if (str_eq(row->key, "password-credential")) {
		lab_credential_free(&vm->vnc.password);
		lab_decode_credential(d, &name, value, &vm->vnc.password);
		return;
	}
	if (str_eq(row->key, "listen")) {
		take_listen(d, row->key, value, vm);
		return;
	}
	lab_vnc_free(vm);
	if (value->kind == LAB_NODE_SCALAR && str_eq(value->text, "no"))
		return;
	if (value->kind != LAB_NODE_MAP) {
		take_listen(d, row->key, value, vm);
		return;
	}
	lab_decode_map(d, LAB_SECTION_VNC, value, false, vm);
	lab_decode_required(d, LAB_SECTION_VNC, value);
}
