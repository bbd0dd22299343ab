/* SPDX-License-Identifier: MIT */
/*
 * The QEMU command line: a pure function of what is wanted, where it sits, and
 * the numbers that descriptors will have in QEMU. The only file that knows how
 * QEMU quotes. No path of an image, socket or TAP appears in the result, and
 * names given by the user only where QEMU shows them.
 */
#ifndef HV_VMM_QEMU_ARGS_H
#define HV_VMM_QEMU_ARGS_H

#include "base/mac.h"
#include "base/str.h"
#include "lab/spec.h"
#include "vmm/hardware.h"

/* Where QEMU finds what it reads by path, in its jail. */
#define QEMU_KERNEL "/boot/kernel"
#define QEMU_INITRD "/boot/initrd"
/* Nothing is there: it gets a descriptor when it opens it (jail/seal.h). */
#define QEMU_MEMORY "/memory"

enum { QEMU_LAYERS_MAX = 15 };

/* What lies below the image of a disk, from the top on, each only to be read. */
struct qemu_layer {
	int fd;
	bool qcow2;
};

struct qemu_layers {
	struct qemu_layer v[QEMU_LAYERS_MAX];
	size_t n;
	bool direct; /* the disk itself goes past the host's page cache */
};

/* Descriptor numbers in QEMU, 3 and up; -1: not there. */
struct qemu_fds {
	int monitor, serial, serial_log; /* listening, listening, append-only file */
	int agent; /* listening */
	int tpm; /* swtpm's control channel */
	int code, vars; /* firmware, NVRAM */
	int vsock; /* /dev/vhost-vsock */
	int *disks, *cdroms, *taps; /* as many as the spec has */
	const struct qemu_layers *below; /* the disks; NULL: each is one image */
};

/* Where the contents of table i lie in its jail. */
#define QEMU_TABLE "/tables/%zu"

enum { QEMU_TABLE_NAME_MAX = 56 }; /* of a file of fw_cfg, with its NUL */

/* Text for the guest that stands in a file, for a command line can be read by anybody. */
struct qemu_table {
	/* The file of fw_cfg that it becomes; "": an OEM string of SMBIOS. */
	char fw_cfg[QEMU_TABLE_NAME_MAX];
};

enum qemu_memory {
	QEMU_MEMORY_OWN, /* its own */
	QEMU_MEMORY_WRITE, /* a file's, which it fills */
	QEMU_MEMORY_FORK, /* a file's, copied where it writes to it */
};

struct qemu_inputs {
	const struct spec_vm *vm;
	const struct hardware *hw;
	bool kvm;
	bool hyperv; /* enlightenments: asked for, and this host's KVM has them */
	bool smm; /* the firmware needs SMM and secure pflash */
	enum qemu_memory memory;
	const uint64_t *stand_ins; /* sizes of disks that hold nothing, in place of images; NULL */
	/* MACs of the NICs of the machine that it goes on as, as many as the spec has; NULL: as in
	 * hw. A NIC that shows its MAC as part of itself has to be what it was. */
	const uint8_t (*first_macs)[MAC_BYTES];
	bool waits; /* for a state to go on from, by migrate-incoming */
	bool code_qcow2; /* format of the firmware's code; NVRAM is qcow2 always */
	const struct qemu_table *tables;
	size_t n_tables;
	struct qemu_fds fds;
};

/* argv[0] is program. Look at ret_argv->failed. */
void qemu_args_build(const struct qemu_inputs *in, const char *program, struct strv *ret_argv);

#endif
