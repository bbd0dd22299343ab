/* SPDX-License-Identifier: MIT */
#include "vmm/layers/storage.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"
#include "disk/chain.h"
#include "jail/program.h"
#include "vmm/host.h"
#include "vmm/layers/jobs.h"
#include "vmm/owner.h"
#include "vmm/qemu_start.h"
#include "vmm/qemu_version.h"
#include "vmm/uids.h"

#include <errno.h>

enum { MONITOR = 3, QUIT_MS = 60 * 1000 };

static void build_argv(const char *program, struct strv *argv)
{
	strv_add(argv, program);
	strv_add(argv, "-machine");
	strv_add(argv, "none");
	strv_add(argv, "-nodefaults");
	strv_add(argv, "-no-user-config");
	strv_add(argv, "-display");
	strv_add(argv, "none");
	strv_add(argv, "-S");
	strv_add(argv, "-sandbox");
	strv_add(argv, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	strv_add(argv, "-chardev");
	strv_addf(argv, "socket,id=monitor,fd=%d", MONITOR);
	strv_add(argv, "-mon");
	strv_add(argv, "chardev=monitor,mode=control");
}

static int spawn(const struct paths *paths, const struct host *host, const char *vm, int monitor_fd,
		 struct jailed *ret_jailed, struct error *err)
{
	static const char *const data[] = {"share/qemu", NULL};
	cleanup_free char *claim = str_printf("vm/%s", vm);
	cleanup_jail_binds struct jail_binds binds = {.n = 0};
	cleanup_strv struct strv argv = {0};
	struct owner owner;
	uid_t uid;
	int rc;

	if (!host->root)
		return error_set(err, EPERM, "this needs root while the machine is stopped");
	if (!host->qemu)
		return error_set(err, ENOENT, "%s is not installed (apt install qemu-system-x86)",
				 host_qemu_name());
	build_argv(host->qemu, &argv);
	if (argv.failed || !claim)
		return error_oom(err);
	owner_of_vm(&owner, paths, vm);
	rc = uids_claim(paths, claim, &uid, err);
	if (rc == 0)
		rc = qemu_bind_program(&binds, host->qemu, data, err);
	if (rc < 0)
		return rc;
	return jail_spawn(
		&(struct jail_spec){
			.program = host->qemu,
			.argv = argv.v,
			.owner = owner.text,
			.uid = uid,
			.gid = uid,
			.binds = binds.v,
			.n_binds = binds.n,
			.profile = &jail_profile_qemu,
			.situation = {.version = qemu_version(paths, host->qemu)},
			.cgroup_fd = -1,
			.fds = &(struct child_fd){.fd = monitor_fd, .target = MONITOR},
			.n_fds = 1,
			.stderr_fd = -1,
			.dies_with_parent = true,
		},
		ret_jailed, err);
}

int storage_start(const struct paths *paths, const struct host *host, const char *vm,
		  struct storage *ret_storage, struct jobs **ret_jobs, struct error *err)
{
	cleanup_close int ours = -1, theirs = -1;
	struct storage storage = STORAGE_INIT;
	struct jobs *jobs = NULL;
	int rc = fd_socketpair(&ours, &theirs, err);

	if (rc < 0)
		return rc;
	rc = spawn(paths, host, vm, theirs, &storage.jailed, err);
	if (rc < 0)
		return rc;
	close_fd(&theirs);
	rc = jobs_open(steal_fd(&ours), &jobs, err);
	/* It answers when its start is over. What was for the start alone fails from then on. */
	if (rc == 0)
		rc = jobs_call(jobs, "query-status", NULL, NULL, err);
	jail_answerer_stop(&storage.jailed.answerer);
	close_fd(&storage.jailed.listener);
	if (rc < 0) {
		jobs_close(jobs);
		storage_end(&storage, NULL);
		return error_wrap(err, rc, "start a QEMU for its images");
	}
	*ret_storage = storage;
	*ret_jobs = jobs;
	return 0;
}

void storage_end(struct storage *s, struct jobs *jobs)
{
	/* Bitmaps are written when it ends, and by nothing else. */
	if (s->jailed.process.pidfd >= 0 && jobs && jobs_call(jobs, "quit", NULL, NULL, NULL) == 0)
		(void)child_wait(&s->jailed.process, QUIT_MS, NULL, NULL);
	jailed_destroy(&s->jailed);
}

static int add_layer(struct jobs *jobs, const struct disk_layer *layer, const char *node,
		     const char *backing, bool read_only, struct error *err)
{
	char path[JOBS_PATH_SIZE], file_node[64];
	bool qcow2 = layer->format == DISK_FORMAT_QCOW2;
	json_t *image;
	int rc = jobs_add_fd(jobs, layer->fd, "hv", path, err);

	if (rc < 0)
		return rc;
	(void)str_format(file_node, sizeof(file_node), "%s-file", node);
	rc = jobs_call(jobs, "blockdev-add",
		       json_pack("{s:s s:s s:s s:b s:s}", "driver", "file", "node-name", file_node,
				 "filename", path, "read-only", read_only, "discard", "unmap"),
		       NULL, err);
	if (rc < 0)
		return rc;
	image = json_pack("{s:s s:s s:s s:b s:s}", "driver", qcow2 ? "qcow2" : "raw", "node-name",
			  node, "file", file_node, "read-only", read_only, "discard", "unmap");
	if (qcow2 && image)
		(void)json_object_set_new(image, "backing",
					  backing ? json_string(backing) : json_null());
	return jobs_call(jobs, "blockdev-add", image, NULL, err);
}

int storage_add(struct jobs *jobs, const struct disk_chain *chain, const char *node, bool read_only,
		struct error *err)
{
	char names[2][48];
	const char *below = NULL;
	int rc = 0;

	/* The lowest first: a node has to be there before one names it. */
	for (size_t k = chain->n; rc == 0 && k-- > 0;) {
		char *name = names[k % 2];

		if (k)
			(void)str_format(name, sizeof(names[0]), "%s-%zu", node, k);
		else
			(void)str_format(name, sizeof(names[0]), "%s", node);
		rc = add_layer(jobs, &chain->v[k], name, below, k > 0 || read_only, err);
		rc = error_wrap_if(err, rc, "'%s'", chain->v[k].path);
		below = name;
	}
	return rc;
}
