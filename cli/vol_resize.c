/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/vol.h"
#include "disk/chain.h"
#include "vmm/fork/template.h"
#include "vmm/layers/hold.h"
#include "vmm/layers/machine_images.h"
#include "vmm/vm_status.h"
#include "vmm/volumes/volume_users.h"
#include "vmm/volumes/volumes.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Which disk of a machine that is up it is, by what the machine was started with; -1:
 * none. */
static int find_index(json_t *status, const char *path)
{
	json_t *disk;
	size_t i;

	if (!json_is_integer(json_object_get(status, "pid")))
		return -1;
	json_array_foreach (json_object_get(status, "disks"), i, disk) {
		const char *other = json_get_string(disk, "path");

		if (other && volume_is_same(other, path))
			return (int)i;
	}
	return -1;
}

/* The machine that runs with it. */
static int find_running(struct cli *cli, const char *path, const struct spec_vm **ret_vm,
			int *ret_index)
{
	*ret_vm = NULL;
	for (size_t i = 0; i < cli->lab->n_vms; i++) {
		const struct spec_vm *vm = &cli->lab->vms[i];
		cleanup_json json_t *status = NULL;
		int rc = vm_status_read(&cli->paths, vm, &status, &cli->err);

		if (rc < 0)
			return rc;
		*ret_index = find_index(status, path);
		if (*ret_index < 0)
			continue;
		*ret_vm = vm;
		return 0;
	}
	return 0;
}

/* "disk0-dev", or QEMU's path to it, "/machine/peripheral/disk0-dev/virtio-backend". */
static bool is_device(const char *qdev, const char *id)
{
	const char *at = qdev ? strstr(qdev, id) : NULL;

	return at && (at == qdev || at[-1] == '/') &&
	       (at[strlen(id)] == '\0' || at[strlen(id)] == '/');
}

/* The node that the device has now: it may have changed since the start. */
static int find_node(struct cli *cli, const char *vm, int index, char *ret_node, size_t size)
{
	cleanup_json json_t *list = NULL;
	json_t *block;
	char id[32];
	size_t i;
	int rc = cli_command(cli, PATHS_VM, vm, "query-block", NULL, CLI_COMMAND_MS, &list,
			     &cli->err);

	if (rc < 0)
		return rc;
	(void)str_format(id, sizeof(id), "disk%d-dev", index);
	json_array_foreach (list, i, block) {
		const char *node = json_get_string(json_object_get(block, "inserted"), "node-name");

		if (node && is_device(json_get_string(block, "qdev"), id) &&
		    str_format(ret_node, size, "%s", node))
			return 0;
	}
	return error_set(&cli->err, ENODEV, "vm '%s': QEMU has no device '%s'", vm, id);
}

static int resize_live(struct cli *cli, const char *vm, int index, uint64_t bytes)
{
	cleanup_close int images_fd = -1;
	char node[64];
	int rc = machine_images_lock(&cli->paths, vm, &images_fd, &cli->err);

	if (rc < 0)
		return error_wrap(&cli->err, rc, "vm '%s'", vm);
	rc = find_node(cli, vm, index, node, sizeof(node));
	if (rc < 0)
		return rc;
	return cli_command(cli, PATHS_VM, vm, "block_resize",
			   json_pack("{s:s s:I}", "node-name", node, "size", (json_int_t)bytes),
			   CLI_COMMAND_MS, NULL, &cli->err);
}

/* Machines that have it are down, and stay so: none of them begins with half of it, nor does a verb
 * go on that has the image open. */
static int hold_users(struct cli *cli, const struct strv *users, struct rundir *holds, size_t *n)
{
	for (*n = 0; *n < users->n; (*n)++) {
		const struct spec_vm *vm = lab_find_vm(cli->lab, users->v[*n]);
		int rc = template_check_writable(&cli->paths, cli->lab, vm, &cli->err);

		rc = error_wrap_if(&cli->err, rc, "vm '%s'", vm->name);
		if (rc == 0)
			rc = machine_hold_files(&cli->paths, vm, &holds[*n], &cli->err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int resize_still(struct cli *cli, const struct volume *volume, uint64_t bytes)
{
	cleanup_free struct rundir *holds = NULL;
	cleanup_strv struct strv users = {0};
	size_t n = 0;
	int rc;

	volume_users_find(cli->lab, volume->path, &users);
	holds = calloc(users.n + 1, sizeof(*holds));
	rc = !holds || users.failed ? error_oom(&cli->err) : hold_users(cli, &users, holds, &n);
	if (rc == 0)
		rc = disk_grow(volume->path, volume->format, bytes, &cli->err);
	for (size_t i = 0; i < n; i++)
		rundir_remove(&holds[i], &cli->paths, PATHS_VM, users.v[i]);
	return rc;
}

/* Whether there is anything to do: 1, and 0 where it has that size already. */
static int check_size(struct cli *cli, const struct volume *volume, uint64_t bytes)
{
	struct disk_info info;
	int rc = disk_chain_examine(volume->path, volume->format, &info, &cli->err);

	if (rc < 0)
		return rc;
	if (bytes < info.virtual_bytes)
		return error_set(&cli->err, EINVAL,
				 "'%s' has %" PRIu64
				 " bytes; an image is never shrunk, for what lies at its end would "
				 "be lost",
				 volume->path, info.virtual_bytes);
	return bytes > info.virtual_bytes;
}

static int run(struct cli *cli)
{
	cleanup_volume struct volume volume = {0};
	const struct spec_vm *vm = NULL;
	uint64_t bytes = 0;
	int index = -1, rc;

	rc = volume_find(cli->lab, cli->names[0], &volume, &cli->err);
	if (rc == 0)
		rc = volume_check_place(cli->lab, &volume, &cli->err);
	if (rc == 0)
		rc = cli_vol_parse_size(cli, cli->names[1], &bytes);
	/* QEMU's drivers take whole sectors. */
	if (rc == 0 && bytes % 512)
		rc = error_set(&cli->err, EINVAL, "'%s' is no multiple of 512 bytes",
			       cli->names[1]);
	if (rc == 0)
		rc = check_size(cli, &volume, bytes);
	if (rc <= 0)
		return rc;
	rc = volume_check_clones(&cli->paths, cli->lab, volume.path, &cli->err);
	if (rc == 0)
		rc = find_running(cli, volume.path, &vm, &index);
	if (rc == 0)
		rc = vm ? resize_live(cli, vm->name, index, bytes)
			: resize_still(cli, &volume, bytes);
	if (rc == 0)
		cli_vol_note_size(cli, &volume, bytes);
	return rc;
}

const struct verb verb_vol_resize = {
	.name = "vol resize",
	.args = "POOL/FILE SIZE",
	.summary = "grow a volume, also under a virtual machine that runs",
	.text = "The guest sees the new size at once. What it makes of it, partitions and file "
		"systems, is its own\nmatter. A volume is never shrunk.",
	.min_names = 2,
	.max_names = 2,
	.lab = CLI_LAB_NEEDED,
	.run = run,
};
