/* SPDX-License-Identifier: MIT */
/*
 * Private to lab/: from nodes to the structs of lab/spec.h, by the schema table.
 */
#ifndef HV_LAB_DECODE_H
#define HV_LAB_DECODE_H

#include "lab/node.h"
#include "lab/schema.h"

struct lab_decoder {
	struct lab_faults *faults;
	const struct lab *lab; /* networks and pools to refer to */
	const struct lab_node *profiles; /* the map of profiles, or NULL */
	const struct lab_node *vms; /* the map of VMs, or NULL */
	bool failed; /* out of memory */
	bool quiet; /* faults were told before */
	bool taking_over; /* for another VM, by its like: */
};

void lab_decoder_fault(struct lab_decoder *d, const struct lab_node *at, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Fills the section's struct with the defaults of the table. */
void lab_decode_defaults(struct lab_decoder *d, enum lab_section section, void *into);

/* Decodes every key of map over what into holds: scalars are overridden, lists
 * and maps replaced. Faults: unknown keys, wrong types, values out of range. */
void lab_decode_map(struct lab_decoder *d, enum lab_section section, const struct lab_node *map,
		    bool in_profile, void *into);

/* Tells which required keys map lacks. */
void lab_decode_required(struct lab_decoder *d, enum lab_section section,
			 const struct lab_node *map);

/* lab/value.c: one scalar by its row; also for default texts. */
void lab_decode_value(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *into);

/* lab/list.c: disks, cdroms, nics and after of a VM. */
void lab_decode_list(struct lab_decoder *d, const struct lab_schema_row *row,
		     const struct lab_node *value, struct spec_vm *vm);

/* lab/credentials.c: credentials and OEM strings of a VM. */
void lab_decode_credentials(struct lab_decoder *d, const struct lab_schema_row *row,
			    const struct lab_node *value, struct spec_vm *vm);
void lab_decode_strings(struct lab_decoder *d, const struct lab_schema_row *row,
			const struct lab_node *value, struct spec_vm *vm);

/* One of them: its name, and where its value comes from. */
void lab_decode_credential(struct lab_decoder *d, const struct lab_node *key,
			   const struct lab_node *entry, struct spec_credential *credential);

/* lab/vnc.c: vnc of a VM, and the keys of its section. */
void lab_decode_vnc(struct lab_decoder *d, const struct lab_schema_row *row,
		    const struct lab_node *value, struct spec_vm *vm);

/* lab/limits.c: the limits of a VM, over none: a profile's are replaced. */
void lab_decode_limits(struct lab_decoder *d, const struct lab_schema_row *row,
		       const struct lab_node *value, struct spec_limits *limits);

/* Frees what is in it, not the struct. */
void lab_disks_free(struct spec_vm *vm);
void lab_cdroms_free(struct spec_vm *vm);
void lab_nics_free(struct spec_vm *vm);
void lab_after_free(struct spec_vm *vm);
void lab_credentials_free(struct spec_vm *vm);
void lab_oem_strings_free(struct spec_vm *vm);
void lab_vnc_free(struct spec_vm *vm);
void lab_credential_free(struct spec_credential *credential);

#endif
