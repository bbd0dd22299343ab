/* SPDX-License-Identifier: MIT */
#include "vmm/qemu_start.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/log.h"
#include "disk/chain.h"
#include "jail/program.h"
#include "tpm/swtpm.h"
#include "vmm/owner.h"
#include "vmm/qemu_args.h"
#include "vmm/qemu_version.h"
#include "vmm/resources.h"
#include "vmm/resources_files.h"
#include "vmm/uids.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static int claim(const struct resources *r, const char *kind, uid_t *ret_uid, struct error *err)
{
	cleanup_free char *owner = str_printf("%s/%s", kind, r->vm->name);

	return owner ? uids_claim(r->paths, owner, ret_uid, err) : error_oom(err);
}

int swtpm_uid(const struct resources *r, uid_t *ret_uid, struct error *err)
{
	return claim(r, "tpm", ret_uid, err);
}

/* Its only folder, where it starts. */
#define SWTPM_FOLDER "/state"

/* swtpm 0.7 loses a descriptor at each reset of the guest, and ends when it has none
 * left: this lasts for tens of thousands of them. */
enum { SWTPM_FILES_MAX = 65536 };

int swtpm_start(struct resources *r, struct error *err)
{
	cleanup_close int dirfd = -1, err_read = -1, err_write = -1;
	cleanup_jail_binds struct jail_binds binds = {.n = 0};
	cleanup_strv struct strv argv = {0};
	struct jailed jailed = JAILED_INIT;
	struct owner owner;
	uid_t uid;
	int rc;

	owner_of_vm(&owner, r->paths, r->vm->name);
	rc = swtpm_uid(r, &uid, err);
	if (rc == 0)
		rc = tpm_state_open(r->state_dirfd, r->pins.tpm_used, uid, uid, &dirfd, err);
	if (rc == 0)
		rc = fd_pipe_watched(&err_read, &err_write, err);
	if (rc == 0)
		rc = jail_binds_add_program(&binds, r->host->swtpm, NULL, err);
	if (rc < 0)
		return rc;
	jail_binds_add(&binds, &(struct jail_bind){
				       .fd = dirfd,
				       .target = SWTPM_FOLDER,
				       .writable = true,
			       });
	/* For random numbers of later hours: getrandom() is sealed then. */
	jail_binds_add(&binds, &(struct jail_bind){.source = "/dev/urandom", .device = true});
	tpm_swtpm_args(r->host->swtpm, 3, &argv);
	if (argv.failed)
		return error_oom(err);
	rc = jail_spawn(
		&(struct jail_spec){
			.program = r->host->swtpm,
			.argv = argv.v,
			.owner = owner.text,
			.uid = uid,
			.gid = uid,
			.binds = binds.v,
			.n_binds = binds.n,
			.files_max = SWTPM_FILES_MAX,
			.profile = &jail_profile_swtpm,
			.situation = {.kvm = r->kvm, .watch = r->watch},
			.fds = &(struct child_fd){.fd = r->swtpm_fd, .target = 3},
			.n_fds = 1,
			.stderr_fd = err_write,
			.cgroup_fd = r->group.fd,
			.dies_with_parent = r->makes_state,
			.cwd = SWTPM_FOLDER,
		},
		&jailed, err);
	if (rc < 0)
		return rc;
	r->swtpm = jailed.process;
	r->swtpm_listener = jailed.listener;
	r->swtpm_answerer = jailed.answerer;
	r->swtpm_net_ns = jailed.net_ns;
	close_fd(&r->swtpm_fd);
	r->swtpm_stderr = steal_fd(&err_read);
	return 0;
}

enum { FD_MAP_MAX = 200 };

/* Descriptors for QEMU, numbered from 3 on in the order they are added. */
struct fd_map {
	struct child_fd v[FD_MAP_MAX];
	size_t n;
};

/* The number that fd will have; -1 for -1. The schema bounds the devices of a
 * VM far below the map's size, which is asserted where it is filled. */
static int map_add(struct fd_map *map, int fd)
{
	int target = (int)map->n + 3;

	if (fd < 0 || map->n >= FD_MAP_MAX)
		return -1;
	map->v[map->n++] = (struct child_fd){.fd = fd, .target = target};
	return target;
}

static void map_add_all(struct fd_map *map, const int *fds, size_t n, int *ret_numbers)
{
	for (size_t i = 0; i < n; i++)
		ret_numbers[i] = map_add(map, fds[i]);
}

/* A file that QEMU reads by path. One that its user may not read is copied into the
 * jail. */
static int bind_boot_file(struct jail_binds *binds, int fd, const char *target, struct error *err)
{
	struct stat st;

	if (fd < 0)
		return 0;
	if (fstat(fd, &st) < 0)
		return error_errno(err, errno, "'%s'", target);
	jail_binds_add(binds, &(struct jail_bind){
				      .fd = fd,
				      .target = target,
				      .copy = !(st.st_mode & S_IROTH),
			      });
	return 0;
}

/* In the jail's own root, which is memory that nobody else sees. */
static int bind_table(struct jail_binds *binds, int fd, size_t i, struct error *err)
{
	char *path = str_printf(QEMU_TABLE, i);

	if (!path)
		return error_oom(err);
	strv_take(&binds->paths, path);
	if (binds->paths.failed)
		return error_oom(err);
	jail_binds_add(binds, &(struct jail_bind){.fd = fd, .target = path, .copy = true});
	return 0;
}

int qemu_bind_program(struct jail_binds *binds, const char *qemu, const char *const *data,
		      struct error *err)
{
	int rc = jail_binds_add_program(binds, qemu, data, err);

	/* Without it QEMU does not find out that the kernel locks open files, and takes
	 * locks that any close() loses. */
	jail_binds_add(binds, &(struct jail_bind){
				      .source = "/dev/null",
				      .device = true,
				      .writable = true,
			      });
	return rc;
}

static int bind_files(const struct resources *r, struct jail_binds *binds, struct error *err)
{
	/* ROMs, of which some lie in folders of their own packages. */
	static const char *const data[] = {"share/qemu", "share/seabios", "share/qemu-kvm",
					   "share/ipxe", NULL};
	int rc = qemu_bind_program(binds, r->host->qemu, data, err);

	if (r->vm->clock == SPEC_CLOCK_LOCALTIME)
		jail_binds_add(binds,
			       &(struct jail_bind){.source = "/etc/localtime", .optional = true});
	if (rc == 0)
		rc = bind_boot_file(binds, r->kernel_fd, QEMU_KERNEL, err);
	if (rc == 0)
		rc = bind_boot_file(binds, r->initrd_fd, QEMU_INITRD, err);
	for (size_t i = 0; rc == 0 && i < r->tables.n; i++)
		rc = bind_table(binds, r->tables.fds[i], i, err);
	return rc;
}

static bool makes_screen_files(const struct resources *r)
{
	/* One whose version is not known may. */
	return r->vm->display != SPEC_DISPLAY_NONE && (!r->qemu_version || r->qemu_version >= 902);
}

static int spawn_qemu(struct resources *r, char *const *argv, const struct fd_map *map,
		      struct error *err)
{
	cleanup_close int err_read = -1, err_write = -1;
	cleanup_jail_binds struct jail_binds binds = {.n = 0};
	/* What libraries would else read in files when it is too late, behind the seal: the number
	 * of processors for the ninth thread that allocates, the kernel's rule for overcommitting
	 * when the heap of a thread is to shrink (none is larger than the 64 MiB from which on it
	 * would), a configuration for SPICE's first client, and tables to convert the text of an
	 * error that GLib puts into words, also where nobody reads them. With that limit fixed
	 * the one for mappings of their own does not adapt itself any more: it is as high as that
	 * would go, so that a kernel that QEMU reads goes to its heap (docs/figures.md). */
	static const char *const settings[] = {
		"MALLOC_ARENA_MAX=8",
		"MALLOC_TRIM_THRESHOLD_=67108864",
		"MALLOC_MMAP_THRESHOLD_=33554432",
		"OPENSSL_CONF=",
		"CHARSET=UTF-8",
	};
	struct jailed jailed = JAILED_INIT;
	struct owner owner;
	uid_t uid;
	int rc;

	owner_of_vm(&owner, r->paths, r->vm->name);
	rc = claim(r, "vm", &uid, err);
	if (rc == 0)
		rc = fd_pipe_watched(&err_read, &err_write, err);
	if (rc == 0)
		rc = bind_files(r, &binds, err);
	if (rc == 0)
		rc = jail_spawn(
			&(struct jail_spec){
				.program = r->host->qemu,
				.argv = argv,
				.owner = owner.text,
				.settings = settings,
				.n_settings = ARRAY_SIZE(settings),
				.uid = uid,
				.gid = uid,
				.binds = binds.v,
				.n_binds = binds.n,
				.device = r->kvm ? "/dev/kvm" : NULL,
				.profile = &jail_profile_qemu,
				.situation = {.kvm = r->kvm,
					      .screen_files = makes_screen_files(r),
					      .version = r->qemu_version,
					      .watch = r->watch},
				.fds = map->v,
				.n_fds = map->n,
				.stderr_fd = err_write,
				.cgroup_fd = r->group.fd,
				.dies_with_parent = r->makes_state,
				.memory_fd = r->memory_fd < 0 ? 0 : r->memory_fd,
			},
			&jailed, err);
	if (rc < 0)
		return rc;
	r->qemu = jailed.process;
	r->qemu_listener = jailed.listener;
	r->qemu_answerer = jailed.answerer;
	r->qemu_net_ns = jailed.net_ns;
	r->qemu_stderr = steal_fd(&err_read);
	return 0;
}

static void map_add_disks(struct fd_map *map, const struct resources *r, int *ret_numbers,
			  struct qemu_layers *ret_below)
{
	_Static_assert(QEMU_LAYERS_MAX >= DISK_LAYERS_MAX - 1, "room for each below the first");
	for (size_t i = 0; i < r->vm->n_disks; i++) {
		const struct disk_chain *chain = &r->disks[i];

		if (r->stand_ins)
			continue;
		ret_numbers[i] = map_add(map, chain->v[0].fd);
		ret_below[i].n = chain->n - 1;
		ret_below[i].direct = chain->direct;
		for (size_t k = 1; k < chain->n; k++)
			ret_below[i].v[k - 1] = (struct qemu_layer){
				.fd = map_add(map, chain->v[k].fd),
				.qcow2 = chain->v[k].format == DISK_FORMAT_QCOW2,
			};
	}
}

int qemu_start(struct resources *r, struct error *err)
{
	const struct spec_vm *vm = r->vm;
	size_t n_lists = vm->n_disks + vm->n_cdroms + vm->n_nics, n_images = n_lists;
	cleanup_free int *numbers = calloc(n_lists + 1, sizeof(*numbers));
	cleanup_free struct qemu_layers *below = calloc(vm->n_disks + 1, sizeof(*below));
	cleanup_strv struct strv argv = {0};
	struct fd_map map = {.n = 0};
	struct qemu_inputs in;
	int rc;

	if (!numbers || !below)
		return error_oom(err);
	for (size_t i = 0; !r->stand_ins && i < vm->n_disks; i++)
		n_images += r->disks[i].n - 1;
	if (n_images > FD_MAP_MAX - 16)
		return error_set(err, E2BIG,
				 "too many disks with the images below them, CDs and NICs (%zu)",
				 n_images);
	if (r->kvm && vm->hyperv && !r->host->hyperv)
		log_warning("vm '%s': this host's KVM has no Hyper-V enlightenments: the guest "
			    "goes without",
			    vm->name);
	in = (struct qemu_inputs){
		.vm = vm,
		.hw = &r->hw,
		.kvm = r->kvm,
		.hyperv = r->kvm && vm->hyperv && r->host->hyperv,
		.smm = r->firmware.smm,
		.code_qcow2 = r->firmware.code_qcow2,
		.memory = r->makes_state     ? QEMU_MEMORY_WRITE
			  : r->prepared.name ? QEMU_MEMORY_FORK
					     : QEMU_MEMORY_OWN,
		.first_macs = (const uint8_t(*)[MAC_BYTES])r->first_macs,
		.stand_ins = r->stand_ins,
		.waits = r->makes_state || r->source_fd >= 0,
		.tables = r->tables.v,
		.n_tables = r->tables.n,
		.fds =
			{
				.monitor = map_add(&map, r->monitor_fd),
				.serial = map_add(&map, r->serial_fd),
				.serial_log = map_add(&map, r->serial_log_fd),
				.agent = map_add(&map, r->agent_fd),
				.tpm = map_add(&map, r->tpm_fd),
				.code = map_add(&map, r->code_fd),
				.vars = map_add(&map, r->vars_fd),
				.vsock = map_add(&map, r->vsock_fd),
				.disks = numbers,
				.cdroms = numbers + vm->n_disks,
				.taps = numbers + vm->n_disks + vm->n_cdroms,
				.below = below,
			},
	};
	map_add_disks(&map, r, in.fds.disks, below);
	map_add_all(&map, r->cdrom_fds, vm->n_cdroms, in.fds.cdroms);
	map_add_all(&map, r->tap_fds, vm->n_nics, in.fds.taps);
	r->incoming = r->incoming_fd >= 0 ? map_add(&map, r->incoming_fd) : 0;
	qemu_args_build(&in, r->host->qemu, &argv);
	if (argv.failed)
		return error_oom(err);
	r->qemu_version = qemu_version(r->paths, r->host->qemu);
	rc = spawn_qemu(r, argv.v, &map, err);
	if (rc < 0)
		return rc;
	/* They are QEMU's now; a TAP goes with its last descriptor. */
	resources_files_close(r);
	return 0;
}
