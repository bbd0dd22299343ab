/* SPDX-License-Identifier: MIT */
#include "lab/plan.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>

static const char *const kind_names[] = {
	[PLAN_BRIDGE_CREATE] = "create-bridge", [PLAN_FORWARDING_SET] = "set-forwarding",
	[PLAN_NFT_APPLY] = "apply-rules",       [PLAN_DNSMASQ_START] = "start-dnsmasq",
	[PLAN_VOLUME_CREATE] = "create-volume", [PLAN_VOLUME_GROW] = "grow-volume",
	[PLAN_NVRAM_CREATE] = "create-nvram",   [PLAN_TPM_CREATE] = "create-tpm",
	[PLAN_FILES_OPEN] = "open-files",       [PLAN_TPM_START] = "start-swtpm",
	[PLAN_TAPS_OPEN] = "open-taps",         [PLAN_QEMU_START] = "start-qemu",
	[PLAN_GUEST_RUN] = "run-guest",         [PLAN_WAIT] = "wait",
};
static_assert(ARRAY_SIZE(kind_names) == PLAN_KIND_COUNT, "a name each");

const char *plan_kind_name(enum plan_kind kind)
{
	return kind_names[kind];
}

void plan_free(struct plan *plan)
{
	for (size_t i = 0; i < plan->n; i++) {
		free(plan->steps[i].object);
		free(plan->steps[i].detail);
	}
	free(plan->steps);
	*plan = (struct plan){0};
}

/* Appends a step; a failure is kept in *failed. */
static void add(struct plan *plan, bool *failed, enum plan_kind kind, unsigned index,
		const char *type, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 7, 8)));

static void add(struct plan *plan, bool *failed, enum plan_kind kind, unsigned index,
		const char *type, const char *name, const char *fmt, ...)
{
	struct plan_step step = {.kind = kind, .index = index}, *grown;
	va_list ap;

	va_start(ap, fmt);
	step.detail = str_vprintf(fmt, ap);
	va_end(ap);
	step.object = str_printf("%s '%s'", type, name);
	grown = step.detail && step.object ? reallocarray(plan->steps, plan->n + 1, sizeof(*grown))
					   : NULL;
	if (!grown) {
		free(step.detail);
		free(step.object);
		*failed = true;
		return;
	}
	plan->steps = grown;
	plan->steps[plan->n++] = step;
}

int plan_add_network(struct plan *plan, const struct spec_network *net, struct error *err)
{
	char own[INET_ADDRSTRLEN], first[INET_ADDRSTRLEN], last[INET_ADDRSTRLEN];
	bool failed = false;

	(void)inet_ntop(AF_INET, &net->address, own, sizeof(own));
	(void)inet_ntop(AF_INET, &net->dhcp_first, first, sizeof(first));
	(void)inet_ntop(AF_INET, &net->dhcp_last, last, sizeof(last));
	add(plan, &failed, PLAN_BRIDGE_CREATE, 0, "network", net->name, "bridge %s with %s/%u",
	    net->bridge, own, net->prefix);
	if (net->nat)
		add(plan, &failed, PLAN_FORWARDING_SET, 0, "network", net->name,
		    "IPv4 forwarding on %s and the uplinks", net->bridge);
	add(plan, &failed, PLAN_NFT_APPLY, 0, "network", net->name, "nftables table inet hv_%s: %s",
	    net->name, net->nat ? "NAT, nothing in from outside" : "nothing in or out");
	if (net->dhcp)
		add(plan, &failed, PLAN_DNSMASQ_START, 0, "network", net->name,
		    "dnsmasq: DHCP %s to %s%s%s", first, last, net->domain ? ", domain " : "",
		    net->domain ? net->domain : "");
	return failed ? error_oom(err) : 0;
}

static void add_volumes(struct plan *plan, bool *failed, const struct spec_vm *vm,
			const struct plan_found_vm *found)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];
		char size[32], before[32];

		str_format_size(size, sizeof(size), disk->size_bytes);
		str_format_size(before, sizeof(before), found->disks[i].size_bytes);
		if (!found->disks[i].exists && found->state && !disk->read_only)
			add(plan, failed, PLAN_VOLUME_CREATE, (unsigned)i, "vm", vm->name,
			    "volume %s, an overlay on what %s has", disk->name, found->state);
		else if (!found->disks[i].exists && disk->image)
			add(plan, failed, PLAN_VOLUME_CREATE, (unsigned)i, "vm", vm->name,
			    "volume %s, %s%s%s of image %s", disk->name,
			    disk->size_bytes ? size : "", disk->size_bytes ? ", " : "",
			    disk->format == SPEC_FORMAT_RAW ? "a copy" : "an overlay",
			    disk->image->name);
		else if (!found->disks[i].exists)
			add(plan, failed, PLAN_VOLUME_CREATE, (unsigned)i, "vm", vm->name,
			    "volume %s, %s, %s, sparse", disk->name, size,
			    spec_format_name(disk->format));
		else if (disk->size_bytes > found->disks[i].size_bytes)
			add(plan, failed, PLAN_VOLUME_GROW, (unsigned)i, "vm", vm->name,
			    "volume %s, from %s to %s", disk->name, before, size);
	}
}

static void add_taps(struct plan *plan, bool *failed, const struct spec_vm *vm)
{
	struct strbuf bridges = {0};

	for (size_t i = 0; i < vm->n_nics; i++)
		strbuf_addf(&bridges, "%s%s", i ? ", " : "", vm->nics[i].network->bridge);
	if (bridges.failed)
		*failed = true;
	else if (vm->n_nics)
		add(plan, failed, PLAN_TAPS_OPEN, 0, "vm", vm->name, "%zu TAP%s on %s", vm->n_nics,
		    vm->n_nics == 1 ? "" : "s", bridges.data);
	strbuf_free(&bridges);
}

/* What else is opened and read: names, never values. */
static void add_extras(struct strbuf *into, const struct spec_vm *vm)
{
	bool six = vm->vnc.address && strchr(vm->vnc.address, ':');

	for (size_t i = 0; i < vm->n_credentials; i++)
		strbuf_addf(into, "%s%s", i ? ", " : ", credentials ", vm->credentials[i].name);
	if (vm->n_oem_strings)
		strbuf_addf(into, ", %zu OEM string%s", vm->n_oem_strings,
			    vm->n_oem_strings == 1 ? "" : "s");
	if (vm->vsock_cid)
		strbuf_addf(into, ", vsock %u%s", vm->vsock_cid,
			    vm->vsock == SPEC_VSOCK_AUTO ? " where the host has it" : "");
	if (vm->spice)
		strbuf_addf(into, ", SPICE");
	if (vm->vnc.address)
		strbuf_addf(into, ", VNC at %s%s%s:%u%s", six ? "[" : "", vm->vnc.address,
			    six ? "]" : "", vm->vnc.port,
			    vm->vnc.password.name ? " with a password" : "");
}

static void add_files(struct plan *plan, bool *failed, const struct spec_vm *vm)
{
	cleanup_strbuf struct strbuf extras = {0};

	add_extras(&extras, vm);
	*failed = *failed || extras.failed;
	add(plan, failed, PLAN_FILES_OPEN, 0, "vm", vm->name, "%zu disk%s, %zu CD%s, firmware %s%s",
	    vm->n_disks, vm->n_disks == 1 ? "" : "s", vm->n_cdroms, vm->n_cdroms == 1 ? "" : "s",
	    spec_firmware_name(vm->firmware), extras.data ? extras.data : "");
}

int plan_add_vm(struct plan *plan, const struct spec_vm *vm, const struct plan_found_vm *found,
		struct error *err)
{
	bool uefi = vm->firmware == SPEC_FIRMWARE_UEFI || vm->firmware == SPEC_FIRMWARE_SECURE_BOOT;
	bool failed = false;
	char memory[32];

	str_format_size(memory, sizeof(memory), vm->memory_bytes);
	add_volumes(plan, &failed, vm, found);
	if (uefi && !found->nvram_exists)
		add(plan, &failed, PLAN_NVRAM_CREATE, 0, "vm", vm->name,
		    "NVRAM from the template of firmware %s", spec_firmware_name(vm->firmware));
	if (vm->tpm && !found->tpm_exists)
		add(plan, &failed, PLAN_TPM_CREATE, 0, "vm", vm->name, "state of a new TPM 2.0");
	add_files(plan, &failed, vm);
	add_taps(plan, &failed, vm);
	add(plan, &failed, PLAN_QEMU_START, 0, "vm", vm->name, "%u CPU%s, %s", vm->cpus,
	    vm->cpus == 1 ? "" : "s", memory);
	if (vm->tpm)
		add(plan, &failed, PLAN_TPM_START, 0, "vm", vm->name, "swtpm");
	add(plan, &failed, PLAN_GUEST_RUN, 0, "vm", vm->name, "let the guest %s%s",
	    found->saved   ? "go on from where it was suspended"
	    : found->state ? "go on from "
			   : "run",
	    found->state && !found->saved ? found->state : "");
	return failed ? error_oom(err) : 0;
}

int plan_add_spare(struct plan *plan, const struct spec_vm *vm, struct error *err)
{
	bool failed = false;

	add(plan, &failed, PLAN_GUEST_RUN, 0, "vm", vm->name, "let the guest of the spare begin");
	return failed ? error_oom(err) : 0;
}

int plan_add_wait(struct plan *plan, const struct spec_vm *vm, const char *what, struct error *err)
{
	bool failed = false;

	add(plan, &failed, PLAN_WAIT, 0, "vm", vm->name, "%s", what);
	return failed ? error_oom(err) : 0;
}
