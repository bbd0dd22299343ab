/* SPDX-License-Identifier: MIT */
/* The lists of a VM: disks, cdroms, nics, after. */
#include "lab/decode.h"

#include "base/str.h"

#include <stdlib.h>

enum { LIST_MAX = 64 };

void lab_disks_free(struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		free(vm->disks[i].name);
		free(vm->disks[i].path);
	}
	free(vm->disks);
	vm->disks = NULL;
	vm->n_disks = 0;
}

void lab_cdroms_free(struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_cdroms; i++)
		free(vm->cdroms[i].path);
	free(vm->cdroms);
	vm->cdroms = NULL;
	vm->n_cdroms = 0;
}

void lab_nics_free(struct spec_vm *vm)
{
	free(vm->nics);
	vm->nics = NULL;
	vm->n_nics = 0;
}

void lab_after_free(struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_after; i++)
		free(vm->after[i].name);
	free(vm->after);
	vm->after = NULL;
	vm->n_after = 0;
}

static void decode_disk(struct lab_decoder *d, const struct lab_node *entry, struct spec_disk *disk)
{
	bool volume = lab_node_get(entry, "volume"), path = lab_node_get(entry, "path");

	disk->where = entry->where;
	lab_decode_defaults(d, LAB_SECTION_DISK, disk);
	lab_decode_map(d, LAB_SECTION_DISK, entry, false, disk);
	if (entry->kind != LAB_NODE_MAP)
		return;
	if (volume == path)
		lab_decoder_fault(d, entry,
				  volume ? "a disk has volume: or path:, not both"
					 : "a disk needs volume: POOL/FILE or path: /FILE");
	if (disk->path && !disk->name) {
		disk->name = strdup(disk->path);
		d->failed = d->failed || !disk->name;
	}
	if (disk->image && disk->format == SPEC_FORMAT_RAW &&
	    disk->image->format != SPEC_FORMAT_RAW)
		lab_decoder_fault(d, entry,
				  "a disk with format: raw is a copy of its image, and "
				  "'%s' is not raw",
				  disk->image->name);
	if (disk->read_only && disk->bus == SPEC_BUS_SATA)
		lab_decoder_fault(d, entry,
				  "a disk on SATA cannot be read_only; take bus: virtio or scsi");
}

/* A CD is a path, or a map with one. */
static void decode_cdrom(struct lab_decoder *d, const struct lab_node *entry,
			 struct spec_cdrom *cdrom)
{
	cdrom->where = entry->where;
	if (entry->kind == LAB_NODE_SCALAR) {
		lab_decode_value(d, lab_schema_find(LAB_SECTION_CDROM, "path"), entry, cdrom);
		return;
	}
	lab_decode_map(d, LAB_SECTION_CDROM, entry, false, cdrom);
	lab_decode_required(d, LAB_SECTION_CDROM, entry);
}

static void decode_nic(struct lab_decoder *d, const struct lab_node *entry, struct spec_nic *nic)
{
	nic->where = entry->where;
	lab_decode_defaults(d, LAB_SECTION_NIC, nic);
	lab_decode_map(d, LAB_SECTION_NIC, entry, false, nic);
	lab_decode_required(d, LAB_SECTION_NIC, entry);
}

/* Whom it names is looked up when all machines are known (lab/order.c). */
static void decode_after(struct lab_decoder *d, const struct lab_node *entry,
			 struct spec_after *after)
{
	after->where = entry->where;
	if (entry->kind != LAB_NODE_SCALAR || lab_node_is_null(entry)) {
		lab_decoder_fault(d, entry, "after: has to be a list of names, not one of %s",
				  lab_node_is_null(entry) ? "nothing" : lab_node_describe(entry));
		return;
	}
	after->name = strdup(entry->text);
	d->failed = d->failed || !after->name;
}

void lab_decode_list(struct lab_decoder *d, const struct lab_schema_row *row,
		     const struct lab_node *value, struct spec_vm *vm)
{
	if (value->kind != LAB_NODE_LIST) {
		lab_decoder_fault(d, value, "%s: has to be a list, not %s", row->key,
				  lab_node_describe(value));
		return;
	}
	if (value->n > LIST_MAX) {
		lab_decoder_fault(d, value, "%s: more than %d entries", row->key, LIST_MAX);
		return;
	}
	switch ((int)row->type) {
	case LAB_TYPE_DISKS:
		lab_disks_free(vm);
		vm->disks = calloc(value->n + 1, sizeof(*vm->disks));
		for (; vm->disks && vm->n_disks < value->n; vm->n_disks++)
			decode_disk(d, value->items[vm->n_disks], &vm->disks[vm->n_disks]);
		d->failed = d->failed || !vm->disks;
		break;
	case LAB_TYPE_CDROMS:
		lab_cdroms_free(vm);
		vm->cdroms = calloc(value->n + 1, sizeof(*vm->cdroms));
		for (; vm->cdroms && vm->n_cdroms < value->n; vm->n_cdroms++)
			decode_cdrom(d, value->items[vm->n_cdroms], &vm->cdroms[vm->n_cdroms]);
		d->failed = d->failed || !vm->cdroms;
		break;
	case LAB_TYPE_NICS:
		lab_nics_free(vm);
		vm->nics = calloc(value->n + 1, sizeof(*vm->nics));
		for (; vm->nics && vm->n_nics < value->n; vm->n_nics++)
			decode_nic(d, value->items[vm->n_nics], &vm->nics[vm->n_nics]);
		d->failed = d->failed || !vm->nics;
		break;
	case LAB_TYPE_AFTER:
		lab_after_free(vm);
		vm->after = calloc(value->n + 1, sizeof(*vm->after));
		for (; vm->after && vm->n_after < value->n; vm->n_after++)
			decode_after(d, value->items[vm->n_after], &vm->after[vm->n_after]);
		d->failed = d->failed || !vm->after;
		break;
	default:
		break;
	}
}
