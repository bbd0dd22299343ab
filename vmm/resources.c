/* SPDX-License-Identifier: MIT */
#include "vmm/resources.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "disk/copy.h"
#include "disk/record.h"
#include "firmware/nvram.h"
#include "jail/landlock.h"
#include "net/link.h"
#include "tpm/swtpm.h"
#include "vmm/fork/template.h"
#include "vmm/inspect.h"
#include "vmm/jail_status.h"
#include "vmm/keeper/attach.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/machine_group.h"
#include "vmm/names.h"
#include "vmm/owner.h"
#include "vmm/qemu_start.h"
#include "vmm/resources_files.h"
#include "vmm/snapshot/restore.h"
#include "vmm/volumes/images.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <unistd.h>

void resources_init(struct resources *r, const struct paths *paths, const struct spec_vm *vm,
		    const struct host *host, int run_dirfd)
{
	*r = (struct resources){
		.paths = paths,
		.vm = vm,
		.host = host,
		.run_dirfd = run_dirfd,
		.state_dirfd = -1,
		.swtpm = CHILD_INIT,
		.qemu = CHILD_INIT,
		.group = CGROUP_INIT,
		.qemu_stderr = -1,
		.swtpm_stderr = -1,
		.qemu_listener = -1,
		.swtpm_listener = -1,
		.qemu_answerer = JAIL_ANSWERER_INIT,
		.swtpm_answerer = JAIL_ANSWERER_INIT,
		.qemu_net_ns = -1,
		.swtpm_net_ns = -1,
		.prepared = PREPARED_INIT,
		.memory_fd = -1,
		.source_fd = -1,
		.feed_fd = -1,
	};
	resources_files_init(r);
}

static int do_volume_create(struct resources *r, const struct plan_step *step, struct error *err)
{
	const struct spec_disk *disk = &r->vm->disks[step->index];
	const char *layer = r->prepared.name ? prepared_layer(&r->prepared, step->index) : NULL;
	cleanup_free char *copy = strdup(disk->path);
	int rc;

	if (!copy)
		return error_oom(err);
	if (disk->pool) {
		rc = file_mkdir_all(dirname(copy), 0711, err);
		if (rc < 0)
			return rc;
	}
	/* As large as what the guest has in mind; size: is for its next start. */
	if (layer)
		return disk_overlay(disk->path, layer, DISK_FORMAT_QCOW2, 0, err);
	if (disk->image)
		return image_make_volume(r->paths, disk, err);
	return disk_create(disk->path, inspect_format(disk), disk->size_bytes, err);
}

static void undo_volume_create(struct resources *r, const struct plan_step *step)
{
	(void)unlink(r->vm->disks[step->index].path);
	(void)disk_record_remove(r->vm->disks[step->index].path, NULL);
}

static int do_volume_grow(struct resources *r, const struct plan_step *step, struct error *err)
{
	const struct spec_disk *disk = &r->vm->disks[step->index];

	if (r->prepared.name && prepared_layer(&r->prepared, step->index))
		return 0;
	return disk_grow(disk->path, inspect_format(disk), disk->size_bytes, err);
}

static int do_nvram_create(struct resources *r, const struct plan_step *step, struct error *err)
{
	cleanup_free char *cache = str_printf("%s/cache", r->paths->state);
	int rc;

	(void)step;
	if (!cache)
		return error_oom(err);
	rc = file_mkdir_all(cache, 0755, err);
	if (rc < 0)
		return rc;
	return firmware_nvram_create(r->firmware.vars_template, r->firmware.vars_qcow2, cache,
				     r->state_dirfd, NAME_NVRAM, err);
}

static void undo_nvram_create(struct resources *r, const struct plan_step *step)
{
	(void)step;
	(void)unlinkat(r->state_dirfd, NAME_NVRAM, 0);
}

static int do_tpm_create(struct resources *r, const struct plan_step *step, struct error *err)
{
	cleanup_close int dirfd = -1;
	uid_t uid;
	int rc;

	(void)step;
	rc = swtpm_uid(r, &uid, err);
	if (rc < 0)
		return rc;
	return tpm_state_open(r->state_dirfd, r->pins.tpm_used, uid, uid, &dirfd, err);
}

static void undo_tpm_create(struct resources *r, const struct plan_step *step)
{
	(void)step;
	(void)file_remove_tree(r->state_dirfd, "tpm", NULL);
}

static int do_files_open(struct resources *r, const struct plan_step *step, struct error *err)
{
	(void)step;
	return resources_files_open(r, err);
}

static void undo_files_open(struct resources *r, const struct plan_step *step)
{
	(void)step;
	resources_files_close(r);
	close_fd(&r->swtpm_fd);
}

static int do_tpm_start(struct resources *r, const struct plan_step *step, struct error *err)
{
	(void)step;
	return swtpm_start(r, err);
}

static void undo_tpm_start(struct resources *r, const struct plan_step *step)
{
	(void)step;
	child_destroy(&r->swtpm);
	jail_answerer_stop(&r->swtpm_answerer);
	close_fd(&r->swtpm_stderr);
	close_fd(&r->swtpm_listener);
	close_fd(&r->swtpm_net_ns);
}

static int do_taps_open(struct resources *r, const struct plan_step *step, struct error *err)
{
	(void)step;
	return net_taps_open(r->vm->n_nics, r->tap_fds, r->tap_names, err);
}

static void undo_taps_open(struct resources *r, const struct plan_step *step)
{
	(void)step;
	for (size_t i = 0; i < r->vm->n_nics; i++)
		close_fd(&r->tap_fds[i]);
}

static void undo_qemu_start(struct resources *r, const struct plan_step *step)
{
	(void)step;
	child_destroy(&r->qemu);
	close_fd(&r->qemu_stderr);
	attachments_free(r->attachments);
	r->attachments = NULL;
	jail_answerer_stop(&r->qemu_answerer);
	close_fd(&r->qemu_listener);
	close_fd(&r->qemu_net_ns);
	machine_group_remove(r);
	json_decref(steal_ptr(&r->jail_started));
}

static int join_taps(struct resources *r, struct error *err)
{
	struct owner *owners = calloc(2 * r->vm->n_nics + 1, sizeof(*owners));
	struct net_tap *taps = calloc(r->vm->n_nics + 1, sizeof(*taps));
	int rc;

	if (!owners || !taps) {
		free(owners);
		free(taps);
		return error_oom(err);
	}
	for (size_t i = 0; i < r->vm->n_nics; i++) {
		const struct spec_network *net = r->vm->nics[i].network;

		owner_of_nic(&owners[2 * i], r->paths, r->vm->name, i);
		owner_of_network(&owners[2 * i + 1], r->paths, net->name);
		taps[i] = (struct net_tap){
			.bridge = net->bridge,
			.bridge_owner = owners[2 * i + 1].text,
			.owner = owners[2 * i].text,
			.mtu = net->mtu,
		};
	}
	rc = net_taps_join(taps, r->vm->n_nics, r->tap_names, err);
	free(owners);
	free(taps);
	return rc;
}

/* TAPs join their bridges, and the networks hear of their user, while QEMU is busy with its own
 * start. A network that was just on its way down refuses, and its TAP goes with QEMU. */
static int do_qemu_start(struct resources *r, const struct plan_step *step, struct error *err)
{
	int rc = machine_group_make(r, err);

	if (rc == 0)
		r->jail_started =
			jail_status_started(&r->vm->limits, r->group.path, jail_landlock_version());
	if (rc == 0)
		rc = restore_prepare(r, err);
	if (rc == 0)
		rc = resources_files_feed(r, err);
	if (rc == 0)
		rc = qemu_start(r, err);
	if (rc == 0) {
		fault_point("qemu spawned");
		rc = join_taps(r, err);
	}
	if (rc == 0)
		rc = attach_networks(r->paths, r->vm, &r->hw, &r->attachments, err);
	if (rc < 0)
		undo_qemu_start(r, step);
	return rc;
}

/* Growing is not undone: an image is never shrunk. The steps of a network and
 * the last one, PLAN_GUEST_RUN, are not executed here. */
static const struct {
	int (*execute)(struct resources *r, const struct plan_step *step, struct error *err);
	void (*undo)(struct resources *r, const struct plan_step *step);
} actions[PLAN_KIND_COUNT] = {
	[PLAN_VOLUME_CREATE] = {do_volume_create, undo_volume_create},
	[PLAN_VOLUME_GROW] = {do_volume_grow, NULL},
	[PLAN_NVRAM_CREATE] = {do_nvram_create, undo_nvram_create},
	[PLAN_TPM_CREATE] = {do_tpm_create, undo_tpm_create},
	[PLAN_FILES_OPEN] = {do_files_open, undo_files_open},
	[PLAN_TPM_START] = {do_tpm_start, undo_tpm_start},
	[PLAN_TAPS_OPEN] = {do_taps_open, undo_taps_open},
	[PLAN_QEMU_START] = {do_qemu_start, undo_qemu_start},
};

void resources_roll_back(struct resources *r)
{
	while (r->n_done) {
		const struct plan_step *step = &r->plan.steps[--r->n_done];

		if (actions[step->kind].undo)
			actions[step->kind].undo(r, step);
		fault_point("undo");
	}
}

static int execute(struct resources *r, struct error *err)
{
	for (size_t i = 0; i < r->plan.n; i++) {
		const struct plan_step *step = &r->plan.steps[i];
		int rc;

		if (!actions[step->kind].execute)
			continue;
		log_debug("%s: %s", plan_kind_name(step->kind), step->detail);
		rc = actions[step->kind].execute(r, step, err);
		if (rc < 0) {
			resources_roll_back(r);
			return rc;
		}
		r->n_done = i + 1;
		fault_point(plan_kind_name(step->kind));
	}
	return 0;
}

/* A TPM that a guest has sealed secrets in is never replaced in silence. */
static int check_tpm(struct resources *r, struct error *err)
{
	cleanup_close int dirfd = -1;

	if (!r->vm->tpm || !r->pins.tpm_used)
		return 0;
	return tpm_state_open(r->state_dirfd, true, (uid_t)-1, (gid_t)-1, &dirfd, err);
}

/* What it begins with, where that is not its firmware. */
static int prepare_state(struct resources *r, struct error *err)
{
	const char *name = prepared_choose(r->vm, &r->pins);
	int rc;

	/* What it saved, and a snapshot, are states of their own. */
	if (!name || r->loading || r->resumes)
		return 0;
	rc = prepared_open(r->paths, name, &r->prepared, err);
	if (rc == 0)
		rc = prepared_pin(&r->prepared, r->vm, &r->pins, err);
	if (rc == 0)
		r->memory_fd = steal_fd(&r->prepared.memory_fd);
	if (rc == 0)
		r->source_fd = steal_fd(&r->prepared.device_fd);
	return rc;
}

struct shape_facts resources_shape(const struct resources *r, const struct spec_vm *vm)
{
	return (struct shape_facts){
		.vm = vm,
		.hw = &r->hw,
		.kvm = r->kvm,
		.smm = r->firmware.smm,
		.vsock = vm->vsock_cid != 0,
	};
}

static int check_state(struct resources *r, struct error *err)
{
	struct shape_facts facts = resources_shape(r, r->vm);
	int rc = prepared_check(&r->prepared, &facts, err);

	if (rc == 0)
		rc = prepared_check_disks(&r->prepared, r->vm, err);
	return rc < 0 ? rc : prepared_macs(&r->prepared, r->vm, &r->first_macs, err);
}

/* All that can be known to fail is found here, before anything is touched. */
static int prepare(struct resources *r, struct error *err)
{
	int rc;

	rc = paths_open_state(r->paths, PATHS_VM, r->vm->name, 0, &r->state_dirfd, err);
	/* Images have their names before they are looked at. */
	if (rc == 0)
		rc = disk_journal_settle(r->state_dirfd, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	rc = template_check_writable(r->paths, NULL, r->vm, err);
	if (rc == 0)
		rc = inspect_vm(r->paths, r->vm, r->host, err);
	if (rc == 0)
		rc = inspect_accel(r->vm, r->host, &r->kvm, err);
	if (rc < 0)
		return rc;
	vm_pins_init(&r->pins);
	if (r->state_dirfd >= 0)
		rc = restore_look(r, err);
	if (rc == 0 && r->state_dirfd >= 0)
		rc = vm_pins_load(r->state_dirfd, &r->pins, err);
	if (rc < 0)
		return rc;
	rc = prepare_state(r, err);
	if (rc == 0)
		rc = hardware_assign(r->vm, r->kvm, &r->pins, &r->hw, err);
	if (rc == 0)
		rc = inspect_firmware(r->vm, r->hw.machine, &r->firmware, err);
	if (rc == 0 && r->prepared.name)
		rc = check_state(r, err);
	if (rc == 0)
		rc = check_tpm(r, err);
	if (rc == 0)
		rc = inspect_plan_vm(r->paths, r->vm, &r->plan, err);
	return rc;
}

int resources_start(struct resources *r, struct error *err)
{
	int rc;

	rc = prepare(r, err);
	if (rc == 0 && r->state_dirfd < 0)
		rc = paths_open_state(r->paths, PATHS_VM, r->vm->name, 1, &r->state_dirfd, err);
	if (rc == 0)
		rc = execute(r, err);
	return rc;
}

void resources_free(struct resources *r)
{
	child_destroy(&r->qemu);
	child_destroy(&r->swtpm);
	machine_group_remove(r);
	fault_point("group gone");
	close_fd(&r->qemu_stderr);
	close_fd(&r->swtpm_stderr);
	jail_answerer_stop(&r->qemu_answerer);
	jail_answerer_stop(&r->swtpm_answerer);
	close_fd(&r->qemu_listener);
	close_fd(&r->swtpm_listener);
	resources_files_free(r);
	prepared_close(&r->prepared);
	free(steal_ptr(&r->first_macs));
	close_fd(&r->memory_fd);
	close_fd(&r->source_fd);
	close_fd(&r->feed_fd);
	attachments_free(r->attachments);
	fault_point("networks let go");
	if (r->vm->tpm && r->state_dirfd >= 0)
		(void)tpm_state_sync(r->state_dirfd, NULL);
	close_fd(&r->state_dirfd);
	vm_pins_free(&r->pins);
	hardware_free(&r->hw);
	firmware_found_free(&r->firmware);
	plan_free(&r->plan);
	json_decref(r->jail_started);
	/* Last of all. */
	close_fd(&r->qemu_net_ns);
	close_fd(&r->swtpm_net_ns);
}

void resources_let_go(struct resources *r)
{
	close_fd(&r->qemu.pidfd);
	close_fd(&r->swtpm.pidfd);
	cgroup_close(&r->group);
	resources_free(r);
}
