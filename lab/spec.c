/* SPDX-License-Identifier: MIT */
#include "lab/spec.h"

#include "base/str.h"

const struct spec_vm *lab_find_vm(const struct lab *lab, const char *name)
{
	for (size_t i = 0; i < lab->n_vms; i++)
		if (str_eq(lab->vms[i].name, name))
			return &lab->vms[i];
	return NULL;
}

const struct spec_network *lab_find_network(const struct lab *lab, const char *name)
{
	for (size_t i = 0; i < lab->n_networks; i++)
		if (lab->networks[i].name && str_eq(lab->networks[i].name, name))
			return &lab->networks[i];
	return NULL;
}
