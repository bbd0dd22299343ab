/* SPDX-License-Identifier: MIT */
/* What this host can do: looked at once per process, without changing it. */
#ifndef HV_VMM_HOST_H
#define HV_VMM_HOST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct host {
	char *qemu, *qemu_img, *swtpm, *dnsmasq; /* absolute paths; NULL: not installed */
	bool root;
	bool vsock; /* /dev/vhost-vsock opens */
	bool tun; /* /dev/net/tun is there */
	bool kvm_device; /* /dev/kvm opens */
	bool hyperv; /* and its KVM has what Hyper-V enlightenments need */
	bool kvm; /* and runs guests: the CPU has vmx or svm, or is aarch64 */
	uint64_t memory_bytes; /* of the host; 0: unknown */
};

void host_probe(struct host *ret_host);
void host_free(struct host *host);

/* The QEMU system emulator for this host's architecture, "qemu-system-x86_64". */
const char *host_qemu_name(void);
/* As in firmware descriptors, "x86_64". */
const char *host_arch(void);

#endif
