/* SPDX-License-Identifier: MIT */
/*
 * The QEMU that receives a state. It is started as any machine's is, jailed and with a TPM of its
 * own to hold the other's for a moment, but its guest never runs: its memory is the state's file,
 * its disks are nothing, its TAPs lead nowhere. It ends with this process.
 */
#include "vmm/fork/prepare_private.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "disk/chain.h"
#include "firmware/nvram.h"
#include "net/link.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/qemu_start.h"
#include "vmm/resources_files.h"
#include "vmm/shape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum { DEVICE_CHUNK = 256 * 1024 };

#define NAME_COPY_LOG "copy.log"

static int open_memory(struct resources *r, int dirfd, struct error *err)
{
	int fd = openat(dirfd, PREPARED_MEMORY, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)r->vm->memory_bytes) < 0) {
		close_fd(&fd);
		return error_errno(err, errno, "create '" PREPARED_MEMORY "'");
	}
	r->memory_fd = fd;
	return 0;
}

/* It is made as for a new machine: QEMU overwrites what it read of it with what comes. */
static int open_flash(struct resources *r, struct error *err)
{
	cleanup_free char *cache = str_printf("%s/cache", r->paths->state);
	int rc;

	if (!r->firmware.code)
		return 0;
	if (!cache)
		return error_oom(err);
	rc = file_mkdir_all(cache, 0755, err);
	if (rc == 0)
		rc = firmware_nvram_create(r->firmware.vars_template, r->firmware.vars_qcow2, cache,
					   r->state_dirfd, NAME_NVRAM, err);
	if (rc < 0)
		return rc;
	r->vars_fd = openat(r->state_dirfd, NAME_NVRAM, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	r->code_fd = open(r->firmware.code, O_RDONLY | O_CLOEXEC);
	return r->vars_fd < 0 || r->code_fd < 0 ? error_errno(err, errno, "open its firmware") : 0;
}

static int open_kernel(struct resources *r, struct error *err)
{
	const struct {
		const char *path;
		int *fd;
	} files[] = {{r->vm->kernel, &r->kernel_fd}, {r->vm->initrd, &r->initrd_fd}};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (!files[i].path)
			continue;
		*files[i].fd = open(files[i].path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
		if (*files[i].fd < 0)
			return error_errno(err, errno, "'%s'", files[i].path);
	}
	return 0;
}

static int open_sockets(struct resources *r, struct error *err)
{
	int rc;

	rc = fd_listen_unix(r->state_dirfd, NAME_MONITOR, 0600, &r->monitor_fd, err);
	if (rc == 0)
		rc = fd_listen_unix(r->state_dirfd, NAME_SERIAL, 0600, &r->serial_fd, err);
	if (rc == 0 && r->vm->agent)
		rc = fd_listen_unix(r->state_dirfd, NAME_AGENT, 0600, &r->agent_fd, err);
	if (rc < 0)
		return rc;
	r->serial_log_fd = openat(r->state_dirfd, NAME_COPY_LOG,
				  O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (r->serial_log_fd < 0)
		return error_errno(err, errno, "create '" NAME_COPY_LOG "'");
	return resources_files_connect_tpm(r, err);
}

static int open_devices(struct resources *r, struct error *err)
{
	const struct spec_vm *vm = r->vm;
	int rc = 0;

	r->disks = calloc(vm->n_disks + 1, sizeof(*r->disks));
	r->stand_ins = calloc(vm->n_disks + 1, sizeof(*r->stand_ins));
	r->cdrom_fds = calloc(vm->n_cdroms + 1, sizeof(*r->cdrom_fds));
	r->tap_fds = calloc(vm->n_nics + 1, sizeof(*r->tap_fds));
	r->tap_names = calloc(vm->n_nics + 1, sizeof(*r->tap_names));
	if (!r->disks || !r->stand_ins || !r->cdrom_fds || !r->tap_fds || !r->tap_names)
		return error_oom(err);
	for (size_t i = 0; i < vm->n_cdroms; i++)
		r->cdrom_fds[i] = -1;
	for (size_t i = 0; i < vm->n_nics; i++)
		r->tap_fds[i] = -1;
	for (size_t i = 0; rc == 0 && i < vm->n_disks; i++) {
		struct disk_info info;

		rc = disk_chain_examine(vm->disks[i].path, inspect_format(&vm->disks[i]), &info,
					err);
		if (rc == 0)
			r->stand_ins[i] = info.virtual_bytes;
	}
	for (size_t i = 0; rc == 0 && i < vm->n_cdroms; i++)
		rc = disk_open(vm->cdroms[i].path, true, &r->cdrom_fds[i], err);
	if (rc == 0)
		rc = net_taps_open(vm->n_nics, r->tap_fds, r->tap_names, err);
	if (rc == 0 && vm->vsock_cid) {
		r->vsock_fd = open("/dev/vhost-vsock", O_RDWR | O_CLOEXEC);
		if (r->vsock_fd < 0)
			rc = error_errno(err, errno, "vsock: '/dev/vhost-vsock'");
	}
	return rc;
}

/* The machine as its guest sees it now: as its supervisor has it on its books. */
static int assign_hardware(struct resources *r, const char *source, struct error *err)
{
	cleanup_close int dirfd = -1;
	int rc;

	rc = inspect_accel(r->vm, r->host, &r->kvm, err);
	if (rc == 0)
		rc = paths_open_state(r->paths, PATHS_VM, source, 0, &dirfd, err);
	if (rc == 0)
		rc = vm_pins_load(dirfd, &r->pins, err);
	/* Its TPM begins with nothing. */
	r->pins.tpm_used = false;
	if (rc == 0)
		rc = hardware_assign(r->vm, r->kvm, &r->pins, &r->hw, err);
	if (rc == 0)
		rc = inspect_firmware(r->vm, r->hw.machine, &r->firmware, err);
	return rc;
}

/* What runs is as it was started. */
static int check_shape(const struct resources *r, const struct spec_vm *source, struct error *err)
{
	cleanup_json json_t *was = NULL, *is = NULL;
	cleanup_close int dirfd = -1;
	struct shape_facts facts;
	int rc = paths_open_state(r->paths, PATHS_VM, source->name, 0, &dirfd, err);

	if (rc == 0)
		rc = shape_load(dirfd, &was, err);
	if (rc < 0)
		return rc;
	facts = resources_shape(r, source);
	is = shape_describe(&facts);
	rc = is ? shape_compare(was, is, err) : error_oom(err);
	return error_wrap_if(err, rc, "its configuration has changed since its start");
}

/* Both start side by side, and keep only what they need from then on. */
static int start_processes(struct copy *c, struct error *err)
{
	struct resources *r = &c->res;
	cleanup_json json_t *version = NULL;
	cleanup_close int fd = -1;
	int major = 0, minor = 0, micro = 0, rc;

	rc = qemu_start(r, err);
	if (rc == 0 && r->vm->tpm)
		rc = swtpm_start(r, err);
	if (rc == 0)
		rc = last_words_init(&c->words, c->line.event, "qemu", steal_fd(&r->qemu_stderr),
				     err);
	if (rc == 0)
		rc = fd_connect_unix(r->state_dirfd, NAME_MONITOR, &fd, err);
	if (rc == 0)
		rc = line_open(&c->line, c->line.event, "the copy", steal_fd(&fd), err);
	if (rc == 0)
		rc = line_call(&c->line, "query-version", NULL, &version, err);
	if (rc < 0)
		return rc;
	(void)json_unpack(version, "{s:{s:i s:i s:i}}", "qemu", "major", &major, "minor", &minor,
			  "micro", &micro);
	(void)str_format(c->qemu_version, sizeof(c->qemu_version), "%d.%d.%d", major, minor, micro);
	/* A call that nobody answers fails. */
	jail_answerer_stop(&r->qemu_answerer);
	jail_answerer_stop(&r->swtpm_answerer);
	close_fd(&r->qemu_listener);
	close_fd(&r->swtpm_listener);
	return 0;
}

int copy_explain(struct copy *c, int rc, struct error *err)
{
	const char *words;

	if (rc != -ECONNRESET || c->words.fd < 0)
		return rc;
	words = last_words_finish(&c->words);
	return *words ? error_set(err, EIO, "QEMU does not take its state: %s", words) : rc;
}

int copy_start(struct copy *c, const struct prepare_options *o, sd_event *event, int dirfd,
	       struct error *err)
{
	struct resources *r = &c->res;
	int rc;

	*c = (struct copy){.vm = *o->vm, .line.event = event, .words.fd = -1};
	/* No machine can have that name. */
	(void)str_format(c->name, sizeof(c->name), ".%s", o->vm->name);
	c->vm.name = c->name;
	/* One number belongs to one machine of a host. */
	if (c->vm.vsock_cid)
		c->vm.vsock_cid = 1U << 31 | (uint32_t)getpid();
	resources_init(r, o->paths, &c->vm, o->host, -1);
	r->makes_state = true;
	r->state_dirfd = fcntl(dirfd, F_DUPFD_CLOEXEC, 0);
	rc = assign_hardware(r, o->vm->name, err);
	if (rc == 0)
		rc = check_shape(r, o->vm, err);
	if (rc == 0)
		rc = open_memory(r, dirfd, err);
	if (rc == 0)
		rc = open_flash(r, err);
	if (rc == 0)
		rc = open_kernel(r, err);
	if (rc == 0)
		rc = open_sockets(r, err);
	if (rc == 0)
		rc = open_devices(r, err);
	if (rc == 0)
		rc = start_processes(c, err);
	rc = copy_explain(c, rc, err);
	if (rc < 0)
		copy_end(c);
	return rc;
}

void copy_end(struct copy *c)
{
	static const char *const names[] = {NAME_MONITOR, NAME_SERIAL, NAME_AGENT, NAME_COPY_LOG,
					    NAME_NVRAM};

	line_close(&c->line);
	last_words_free(&c->words);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unlinkat(c->res.state_dirfd, names[i], 0);
	child_destroy(&c->res.qemu);
	child_destroy(&c->res.swtpm);
	(void)file_remove_tree(c->res.state_dirfd, "tpm", NULL);
	free(steal_ptr(&c->res.stand_ins));
	/* What it keeps of a TPM is none. */
	c->vm.tpm = false;
	resources_free(&c->res);
}

static int write_all(int from, int to, struct error *err)
{
	cleanup_free char *chunk = malloc(DEVICE_CHUNK);

	if (!chunk)
		return error_oom(err);
	for (;;) {
		ssize_t n = read(from, chunk, DEVICE_CHUNK);
		int rc;

		if (n == 0)
			return 0;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "read the devices' state");
		rc = file_write_all(to, chunk, (size_t)n, err);
		if (rc < 0)
			return rc;
	}
}

int copy_write_device(struct copy *c, int fd, struct error *err)
{
	static const char *const ignore[] = {"x-ignore-shared", NULL};
	cleanup_close int ours = -1, theirs = -1;
	int rc = fd_socketpair(&ours, &theirs, err);

	if (rc < 0)
		return rc;
	rc = line_set_capabilities(&c->line, ignore, true, err);
	if (rc == 0)
		rc = line_call_fd(&c->line, "getfd", json_pack("{s:s}", "fdname", "device"), theirs,
				  err);
	close_fd(&theirs);
	*c->line.migration = '\0';
	if (rc == 0)
		rc = line_call(&c->line, "migrate", json_pack("{s:s}", "uri", "fd:device"), NULL,
			       err);
	if (rc == 0)
		rc = write_all(ours, fd, err);
	if (rc == 0)
		rc = line_await_migration(&c->line, "completed", NULL, NULL, err);
	return rc;
}
