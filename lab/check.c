/* SPDX-License-Identifier: MIT */
#include "lab/check.h"

#include "base/cleanup.h"
#include "base/mac.h"
#include "base/str.h"
#include "lab/faults.h"

#include <arpa/inet.h>
#include <fnmatch.h>
#include <inttypes.h>
#include <strings.h>

enum { SATA_PORTS = 6, PCI_DEVICES_MAX = 22 };

/*
 * What QEMU needs beyond the guest: 40 MiB of its own before the first instruction,
 * then caches of its images and page tables; and beside its CPUs' threads 64 workers
 * for disks (a backup takes them all), the main loop, RCU, and swtpm.
 */
enum { QEMU_MEMORY_MIB = 128, QEMU_THREADS = 80 };

static uint32_t mask_of(unsigned prefix)
{
	return prefix ? 0xffffffffU << (32 - prefix) : 0;
}

static uint32_t number(struct in_addr a)
{
	return ntohl(a.s_addr);
}

static bool in_subnet(const struct spec_network *net, struct in_addr a)
{
	return ((number(a) ^ number(net->address)) & mask_of(net->prefix)) == 0;
}

static const char *text_of(struct in_addr a, char buf[static INET_ADDRSTRLEN])
{
	return inet_ntop(AF_INET, &a, buf, INET_ADDRSTRLEN);
}

static bool is_edge(const struct spec_network *net, struct in_addr a)
{
	uint32_t host = number(a) & ~mask_of(net->prefix);

	return host == 0 || host == ~mask_of(net->prefix);
}

static void check_dhcp(const struct spec_network *net, struct lab_faults *faults)
{
	char first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN], own[INET_ADDRSTRLEN];

	if (!net->dhcp || !net->prefix)
		return;
	(void)text_of(net->dhcp_first, first);
	(void)text_of(net->dhcp_last, last);
	(void)text_of(net->address, own);
	if (!in_subnet(net, net->dhcp_first) || !in_subnet(net, net->dhcp_last) ||
	    is_edge(net, net->dhcp_first) || is_edge(net, net->dhcp_last))
		lab_fault_add(faults, &net->where,
			      "network '%s': dhcp: %s-%s is not inside of the subnet of %s/%u",
			      net->name, first, last, own, net->prefix);
	else if (number(net->dhcp_first) > number(net->dhcp_last))
		lab_fault_add(faults, &net->where,
			      "network '%s': dhcp: %s-%s is the wrong way round", net->name, first,
			      last);
	else if (number(net->address) >= number(net->dhcp_first) &&
		 number(net->address) <= number(net->dhcp_last))
		lab_fault_add(faults, &net->where,
			      "network '%s': dhcp: %s-%s holds the host's own address %s",
			      net->name, first, last, own);
}

static void check_networks(const struct lab *lab, struct lab_faults *faults)
{
	for (size_t i = 0; i < lab->n_networks; i++) {
		const struct spec_network *net = &lab->networks[i];

		check_dhcp(net, faults);
		for (size_t j = 0; j < i; j++) {
			const struct spec_network *other = &lab->networks[j];
			unsigned prefix = net->prefix < other->prefix ? net->prefix : other->prefix;

			if (*net->bridge && str_eq(net->bridge, other->bridge))
				lab_fault_add(
					faults, &net->where,
					"network '%s': bridge '%s' is that of network '%s' too",
					net->name, net->bridge, other->name);
			if (net->prefix && other->prefix &&
			    ((number(net->address) ^ number(other->address)) & mask_of(prefix)) ==
				    0)
				lab_fault_add(
					faults, &net->where,
					"network '%s': its subnet overlaps that of network '%s'",
					net->name, other->name);
		}
	}
}

static void check_nic(const struct spec_vm *vm, const struct spec_nic *nic,
		      struct lab_faults *faults)
{
	const struct spec_network *net = nic->network;
	char text[INET_ADDRSTRLEN], own[INET_ADDRSTRLEN];

	if (!nic->has_address || !net || !net->prefix)
		return;
	(void)text_of(nic->address, text);
	(void)text_of(net->address, own);
	if (!net->dhcp)
		lab_fault_add(faults, &nic->where,
			      "vm '%s': address %s, but network '%s' has no dhcp: to give it out",
			      vm->name, text, net->name);
	else if (!in_subnet(net, nic->address) || is_edge(net, nic->address))
		lab_fault_add(faults, &nic->where,
			      "vm '%s': address %s is not a host's in the subnet %s/%u of network "
			      "'%s'",
			      vm->name, text, own, net->prefix, net->name);
	else if (nic->address.s_addr == net->address.s_addr)
		lab_fault_add(faults, &nic->where,
			      "vm '%s': address %s is the host's own on network '%s'", vm->name,
			      text, net->name);
}

static void check_boot(const struct spec_vm *vm, struct lab_faults *faults)
{
	if (vm->firmware == SPEC_FIRMWARE_NONE && !vm->kernel)
		lab_fault_add(faults, &vm->where,
			      "vm '%s': firmware: none needs kernel:", vm->name);
	if (!vm->kernel && (vm->initrd || vm->cmdline))
		lab_fault_add(faults, &vm->where, "vm '%s': %s: without kernel:", vm->name,
			      vm->initrd ? "initrd" : "cmdline");
	if (vm->machine && fnmatch("q35", vm->machine, 0) != 0 &&
	    fnmatch("pc-q35-*", vm->machine, 0) != 0)
		lab_fault_add(faults, &vm->where,
			      "vm '%s': machine: '%s' is not q35 or a version of it (pc-q35-…)",
			      vm->name, vm->machine);
	if (vm->memory_bytes % (1 << 20))
		lab_fault_add(faults, &vm->where, "vm '%s': memory: is not a multiple of 1M",
			      vm->name);
}

static void check_places(const struct spec_vm *vm, struct lab_faults *faults)
{
	size_t sata = vm->n_cdroms, pci = vm->n_nics;

	for (size_t i = 0; i < vm->n_disks; i++) {
		enum spec_bus bus = vm->disks[i].bus;

		sata += bus == SPEC_BUS_SATA;
		pci += bus == SPEC_BUS_VIRTIO || bus == SPEC_BUS_NVME;
	}
	if (sata > SATA_PORTS)
		lab_fault_add(faults, &vm->where,
			      "vm '%s': %zu disks and CDs on SATA; the machine has %d ports",
			      vm->name, sata, SATA_PORTS);
	if (pci > PCI_DEVICES_MAX)
		lab_fault_add(faults, &vm->where,
			      "vm '%s': %zu NICs, virtio and NVMe disks; the machine has room for "
			      "%d (take bus: scsi for disks)",
			      vm->name, pci, PCI_DEVICES_MAX);
}

static void check_limits(const struct spec_vm *vm, struct lab_faults *faults)
{
	const struct spec_limits *limits = &vm->limits;
	uint64_t least = vm->memory_bytes + ((uint64_t)QEMU_MEMORY_MIB << 20);
	char have[32], want[32];

	if (limits->memory_max_bytes && limits->memory_max_bytes < least) {
		str_format_size(have, sizeof(have), limits->memory_max_bytes);
		str_format_size(want, sizeof(want), vm->memory_bytes);
		lab_fault_add(faults, &limits->memory_max_where,
			      "vm '%s': memory_max: %s is too little for a guest with %s; it has "
			      "to be at least %" PRIu64 "M, with %dM for QEMU itself",
			      vm->name, have, want, least >> 20, QEMU_MEMORY_MIB);
	}
	if (limits->pids && limits->pids < QEMU_THREADS + vm->cpus)
		lab_fault_add(faults, &limits->pids_where,
			      "vm '%s': pids: %u is too little for QEMU's threads; with %u CPUs it "
			      "has to be at least %u",
			      vm->name, limits->pids, vm->cpus, QEMU_THREADS + vm->cpus);
}

/* Two NICs, of one VM or of two. */
static void check_nic_pair(const struct spec_vm *vm, const struct spec_nic *nic,
			   const struct spec_vm *other_vm, const struct spec_nic *other,
			   struct lab_faults *faults)
{
	char text[INET_ADDRSTRLEN], mac[MAC_TEXT_SIZE];

	mac_format(mac, nic->mac);
	if (memcmp(nic->mac, other->mac, MAC_BYTES) == 0)
		lab_fault_add(faults, &nic->where,
			      "vm '%s': MAC %s is that of a NIC of vm '%s' too", vm->name, mac,
			      other_vm->name);
	if (nic->has_address && other->has_address && nic->address.s_addr == other->address.s_addr)
		lab_fault_add(faults, &nic->where,
			      "vm '%s': address %s is that of a NIC of vm '%s' too", vm->name,
			      text_of(nic->address, text), other_vm->name);
}

static void check_disk_pair(const struct spec_vm *vm, const struct spec_disk *disk,
			    const struct spec_vm *other_vm, const struct spec_disk *other,
			    struct lab_faults *faults)
{
	if (!disk->path || !other->path || !str_eq(disk->path, other->path) ||
	    (disk->read_only && other->read_only))
		return;
	lab_fault_add(faults, &disk->where, "vm '%s': disk '%s' is a disk of vm '%s' too", vm->name,
		      disk->name, other_vm->name);
}

static void check_screen(const struct spec_vm *vm, struct lab_faults *faults)
{
	const struct spec_vnc *vnc = &vm->vnc;

	if (vm->spice && vm->display == SPEC_DISPLAY_NONE)
		lab_fault_add(
			faults, &vm->where,
			"vm '%s': spice: it has no screen; give it one by display:", vm->name);
	if (!vnc->address)
		return;
	if (vm->display == SPEC_DISPLAY_NONE)
		lab_fault_add(faults, &vnc->where,
			      "vm '%s': vnc: it has no screen; give it one by display:", vm->name);
	if (!vnc->password.name && !spec_vnc_is_local(vnc))
		lab_fault_add(faults, &vnc->where,
			      "vm '%s': vnc: '%s' is reached from elsewhere; without a "
			      "password-credential: only this host's own 127.0.0.1 or ::1 is taken",
			      vm->name, vnc->address);
}

static void check_spares(const struct spec_vm *vm, struct lab_faults *faults)
{
	if (vm->spares && !vm->template_state)
		lab_fault_add(faults, &vm->where,
			      "vm '%s': spares: a machine that boots has none; say by "
			      "template-state: what it begins with",
			      vm->name);
}

/* What vm has against itself (other == vm: earlier entries only) or another. */
static void check_pair(const struct spec_vm *vm, const struct spec_vm *other,
		       struct lab_faults *faults)
{
	bool same = vm == other;

	for (size_t i = 0; i < vm->n_nics; i++)
		for (size_t j = 0; j < (same ? i : other->n_nics); j++)
			check_nic_pair(vm, &vm->nics[i], other, &other->nics[j], faults);
	for (size_t i = 0; i < vm->n_disks; i++)
		for (size_t j = 0; j < (same ? i : other->n_disks); j++)
			check_disk_pair(vm, &vm->disks[i], other, &other->disks[j], faults);
	if (same)
		return;
	if (str_eq(vm->uuid, other->uuid))
		lab_fault_add(faults, &vm->where, "vm '%s': uuid %s is that of vm '%s' too",
			      vm->name, vm->uuid, other->name);
	if (vm->vsock_cid && vm->vsock_cid == other->vsock_cid)
		lab_fault_add(faults, &vm->where,
			      "vm '%s': vsock: context id %u is that of vm '%s' too; give one of "
			      "them another",
			      vm->name, vm->vsock_cid, other->name);
	if (vm->vnc.address && other->vnc.address && vm->vnc.port == other->vnc.port &&
	    str_eq(vm->vnc.address, other->vnc.address))
		lab_fault_add(faults, &vm->vnc.where,
			      "vm '%s': vnc: port %u is that of vm '%s' too", vm->name,
			      vm->vnc.port, other->name);
	if (strcasecmp(vm->name, other->name) == 0)
		lab_fault_add(faults, &vm->where,
			      "vm '%s': its name differs from '%s' in case only; host names do not",
			      vm->name, other->name);
}

void lab_check(const struct lab *lab, struct lab_faults *faults)
{
	check_networks(lab, faults);
	for (size_t i = 0; i < lab->n_vms; i++) {
		const struct spec_vm *vm = &lab->vms[i];

		check_boot(vm, faults);
		check_places(vm, faults);
		check_limits(vm, faults);
		check_screen(vm, faults);
		check_spares(vm, faults);
		for (size_t j = 0; j < vm->n_nics; j++)
			check_nic(vm, &vm->nics[j], faults);
		for (size_t j = 0; j <= i; j++)
			check_pair(vm, &lab->vms[j], faults);
	}
}
