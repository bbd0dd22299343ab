/* SPDX-License-Identifier: MIT */
#include "lab/derive.h"

#include "base/str.h"
#include "lab/spec.h"

#include <errno.h>
#include <uuid/uuid.h>

/* hvup's name space, made once at random. */
static const uuid_t name_space = {0x6d, 0x0e, 0x7f, 0x5c, 0x1b, 0x0a, 0x4c, 0x9e,
				  0x9a, 0x57, 0x2e, 0x83, 0xd4, 0x41, 0xb6, 0x70};

void lab_derive_network(struct spec_network *net)
{
	uuid_t derived;

	uuid_generate_sha1(derived, name_space, net->name, strlen(net->name));
	net->mac[0] = 0x52;
	net->mac[1] = 0x54;
	net->mac[2] = 0x01;
	memcpy(net->mac + 3, derived, 3);
}

/* In the upper half of what is signed: low numbers are those that people give. */
static uint32_t derive_cid(const uuid_t own)
{
	static const char name[] = "vsock";
	uuid_t derived;

	uuid_generate_sha1(derived, own, name, strlen(name));
	return 0x40000000U | (uint32_t)(derived[0] & 0x3f) << 24 | (uint32_t)derived[1] << 16 |
	       (uint32_t)derived[2] << 8 | derived[3];
}

int lab_derive_vm(struct spec_vm *vm)
{
	uuid_t own;

	if (vm->uuid[0]) {
		if (uuid_parse(vm->uuid, own) < 0)
			return -EINVAL;
	} else {
		uuid_generate_sha1(own, name_space, vm->name, strlen(vm->name));
		uuid_unparse_lower(own, vm->uuid);
	}
	for (size_t i = 0; i < vm->n_nics; i++) {
		char name[16];
		uuid_t derived;

		if (vm->nics[i].mac_given)
			continue;
		(void)str_format(name, sizeof(name), "nic%zu", i);
		uuid_generate_sha1(derived, own, name, strlen(name));
		vm->nics[i].mac[0] = 0x52;
		vm->nics[i].mac[1] = 0x54;
		vm->nics[i].mac[2] = 0x00;
		memcpy(vm->nics[i].mac + 3, derived, 3);
	}
	if (vm->vsock == SPEC_VSOCK_AUTO)
		vm->vsock_cid = derive_cid(own);
	return 0;
}
