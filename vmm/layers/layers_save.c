/* SPDX-License-Identifier: MIT */
/* Making overlays, of vmm/layers/layers.h. */
#include "vmm/layers/layers_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "disk/cache.h"
#include "disk/copy.h"
#include "disk/record.h"
#include "vmm/inspect.h"
#include "vmm/json.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/layers/hold.h"
#include "vmm/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

/* A disk that gets an overlay. */
struct saved {
	size_t index;
	const struct spec_disk *disk;
	char *base; /* the other name that its image gets */
	char *overlay; /* the name that the overlay has until it gets the disk's */
	char *unfinished; /* and the one before that, of disk_overlay() */
	struct disk_record below; /* of its image */
	uint64_t virtual_bytes;
	char node[IMAGES_NODE_SIZE];
};

struct layers_saving {
	const struct layers_request *request;
	struct machine_images images; /* where it runs */
	struct rundir rundir; /* where it is stopped */
	int state_dirfd, lock;
	struct saved *disks;
	size_t n;
	struct disk_journal journal;
};

static int check_disk(struct layers_saving *s, struct saved *d, struct error *err)
{
	const char *path = d->disk->path;
	struct disk_chain chain;
	struct disk_info info;
	int rc;

	if (d->disk->format != SPEC_FORMAT_QCOW2)
		return error_set(
			err, ENOTSUP,
			"it is raw, and an overlay is not (qemu-img convert -O qcow2 makes "
			"it one that can have layers)");
	d->base = layers_name(path, s->request->tag);
	d->overlay = layers_overlay_name(path);
	d->unfinished = d->overlay ? str_printf("%.*s/.%s.new",
						(int)(strrchr(d->overlay, '/') - d->overlay),
						d->overlay, strrchr(d->overlay, '/') + 1)
				   : NULL;
	if (!d->base || !d->unfinished)
		return error_oom(err);
	if (strlen(strrchr(d->base, '/') + 1) + strlen(".json") > NAME_MAX)
		return error_set(err, ENAMETOOLONG, "'%s'", d->base);
	if (faccessat(AT_FDCWD, d->base, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		return error_set(err, EEXIST, "'%s' is there already", d->base);
	rc = disk_chain_open(path, DISK_FORMAT_QCOW2, true, &chain, &info, err);
	if (rc < 0)
		return rc;
	/* The base gets a name and goes on with what lies below it. */
	if (chain.n >= DISK_LAYERS_MAX)
		rc = error_set(err, E2BIG,
			       "it has %zu layers (hv snap commit folds them, hv snap "
			       "rebase makes the disk stand alone)",
			       chain.n);
	if (rc == 0 && info.in_use && !s->images.running)
		rc = error_set(err, EBUSY, "'%s' is in use by another process", path);
	disk_chain_close(&chain);
	d->virtual_bytes = info.virtual_bytes;
	if (rc == 0 && info.has_backing)
		rc = disk_record_read(path, &d->below, err);
	d->below.shared = s->request->shared;
	return rc;
}

static int choose(struct layers_saving *s, struct error *err)
{
	const struct spec_vm *vm = s->request->vm;

	s->disks = calloc(vm->n_disks + 1, sizeof(*s->disks));
	if (!s->disks)
		return error_oom(err);
	for (size_t i = 0; i < vm->n_disks; i++) {
		struct saved *d = &s->disks[s->n];
		int rc;

		if (vm->disks[i].read_only)
			continue;
		s->n++;
		d->index = i;
		d->disk = &vm->disks[i];
		rc = error_wrap_if(err, check_disk(s, d, err), "disk '%s'", d->disk->name);
		if (rc < 0)
			return rc;
	}
	return s->n ? 0 : error_set(err, EINVAL, "it has no disk that can be written to");
}

/* Steps that take away what was made for nothing. */
static json_t *undo_steps(const struct layers_saving *s)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct saved *d = &s->disks[i];

		disk_steps_unlink(steps, d->unfinished);
		disk_steps_unlink(steps, d->overlay);
		disk_steps_record(steps, d->overlay, NULL, DISK_FORMAT_QCOW2);
		disk_steps_unlink(steps, d->base);
		disk_steps_record(steps, d->base, NULL, DISK_FORMAT_QCOW2);
	}
	return steps;
}

static json_t *forward_steps(const struct layers_saving *s)
{
	json_t *steps = json_array();

	for (size_t i = 0; i < s->n; i++) {
		const struct saved *d = &s->disks[i];

		disk_steps_record(steps, d->disk->path, strrchr(d->base, '/') + 1,
				  DISK_FORMAT_QCOW2);
		disk_steps_rename(steps, d->overlay, d->disk->path);
		disk_steps_record(steps, d->overlay, NULL, DISK_FORMAT_QCOW2);
	}
	return steps;
}

static int make_layer(const struct saved *d, struct error *err)
{
	int rc = 0;

	if (link(d->disk->path, d->base) < 0)
		return error_errno(err, errno, "link '%s'", d->base);
	fault_point("base linked");
	if (d->below.backing || d->below.shared)
		rc = disk_record_write(d->base, &d->below, err);
	if (rc == 0)
		rc = disk_overlay(d->overlay, d->base, DISK_FORMAT_QCOW2, d->virtual_bytes, err);
	fault_point("overlay made");
	return rc;
}

static int make_layers(struct layers_saving *s, struct error *err)
{
	int rc;

	/* Until there is more to say: all of this is taken away again. */
	s->journal.steps = undo_steps(s);
	rc = s->journal.steps ? disk_journal_write(s->state_dirfd, &s->journal, err)
			      : error_oom(err);
	for (size_t i = 0; rc == 0 && i < s->n; i++) {
		rc = error_wrap_if(err, make_layer(&s->disks[i], err), "disk '%s'",
				   s->disks[i].disk->name);
		if (rc == 0)
			rc = interrupt_check(err);
	}
	if (rc < 0)
		return rc;
	s->journal.undo = s->journal.steps;
	s->journal.steps = forward_steps(s);
	return s->journal.steps ? 0 : error_oom(err);
}

static int open_overlay(const struct saved *d, int *ret_fd, bool *ret_direct, struct error *err)
{
	static const enum disk_cache caches[] = {
		[SPEC_CACHE_AUTO] = DISK_CACHE_AUTO,
		[SPEC_CACHE_NONE] = DISK_CACHE_NONE,
		[SPEC_CACHE_WRITEBACK] = DISK_CACHE_WRITEBACK,
	};
	int rc = disk_open(d->overlay, false, ret_fd, err);

	_Static_assert(sizeof(caches) / sizeof(caches[0]) == SPEC_CACHE_COUNT, "a word each");
	return rc < 0 ? rc : disk_cache_choose(*ret_fd, caches[d->disk->cache], ret_direct, err);
}

/* As vmm/qemu_args.c has them. */
static json_t *pack_node(const char *driver, const char *name, const char *below_key,
			 const char *below, bool direct)
{
	json_t *j = json_pack("{s:s s:s s:s s:s}", "driver", driver, "node-name", name, below_key,
			      below, "discard", "unmap");

	if (j && direct)
		(void)json_object_set_new(j, "cache", json_pack("{s:b}", "direct", 1));
	return j;
}

/* QEMU gets the overlay, and is not told what it lies on: it will be what it has now. */
static int add_overlay(struct layers_saving *s, struct saved *d, struct error *err)
{
	char path[JOBS_PATH_SIZE], file_node[IMAGES_NODE_SIZE + 8];
	cleanup_close int fd = -1;
	bool direct = false;
	json_t *format;
	int rc;

	layers_next_node(&s->images.disks[d->index], d->index, d->node);
	(void)str_format(file_node, sizeof(file_node), "%s-file", d->node);
	rc = open_overlay(d, &fd, &direct, err);
	if (rc == 0)
		rc = jobs_add_fd(s->images.jobs, fd, LAYERS_MARK, path, err);
	if (rc == 0)
		rc = jobs_call(s->images.jobs, "blockdev-add",
			       pack_node("file", file_node, "filename", path, direct), NULL, err);
	if (rc == 0) {
		format = pack_node("qcow2", d->node, "file", file_node, direct);
		if (format) {
			(void)json_object_set_new(format, "backing", json_null());
			(void)json_object_set_new(format, "detect-zeroes", json_string("unmap"));
		}
		rc = jobs_call(s->images.jobs, "blockdev-add", format, NULL, err);
	}
	return error_wrap_if(err, rc, "disk '%s'", d->disk->name);
}

json_t *layers_save_actions(const struct layers_saving *s)
{
	json_t *actions = json_array();

	for (size_t i = 0; i < s->n; i++)
		(void)json_array_append_new(
			actions, json_pack("{s:s s:{s:s s:s}}", "type", "blockdev-snapshot", "data",
					   "node", s->images.disks[s->disks[i].index].node,
					   "overlay", s->disks[i].node));
	return json_pack("{s:o}", "actions", actions);
}

/* What QEMU has where it has changed over. */
static json_t *expect_nodes(const struct layers_saving *s)
{
	json_t *nodes = json_object();
	char index[24];

	for (size_t i = 0; nodes && i < s->n; i++) {
		(void)str_format(index, sizeof(index), "%zu", s->disks[i].index);
		(void)json_object_set_new(nodes, index, json_string(s->disks[i].node));
	}
	return nodes;
}

/* QEMU knows the overlays, and the journal what it has where it has changed over. */
static int introduce(struct layers_saving *s, struct error *err)
{
	int rc = 0;

	for (size_t i = 0; i < s->request->vm->n_disks; i++)
		layers_sweep_nodes(&s->images, i);
	for (size_t i = 0; rc == 0 && i < s->n; i++)
		rc = add_overlay(s, &s->disks[i], err);
	s->journal.nodes = expect_nodes(s);
	s->journal.counts_stopped = true;
	if (rc == 0 && !s->journal.nodes)
		rc = error_oom(err);
	if (rc == 0)
		rc = disk_journal_write(s->state_dirfd, &s->journal, err);
	fault_point("overlays known to QEMU");
	return rc;
}

static int begin(struct layers_saving *s, struct error *err)
{
	int rc = choose(s, err);

	if (rc == 0)
		rc = disk_journal_lock(s->state_dirfd, &s->lock, err);
	if (rc == 0)
		rc = make_layers(s, err);
	return rc == 0 && s->images.running ? introduce(s, err) : rc;
}

/* All of it happened, and counts in any case. */
static int give_names(struct layers_saving *s, struct error *err)
{
	int rc;

	fault_point("overlays active");
	json_decref(s->journal.nodes);
	s->journal.nodes = NULL;
	rc = disk_journal_write(s->state_dirfd, &s->journal, err);
	return rc < 0 ? rc : disk_journal_finish(s->state_dirfd, true, err);
}

/* What QEMU has, by another supervisor where ours was killed. */
static int look_again(struct machine_images *im)
{
	int fd, rc = machine_images_look(im, NULL);

	if (rc == 0)
		return 0;
	rc = rundir_connect(im->paths, PATHS_VM, im->vm->name, NAME_QMP, &fd, NULL);
	if (rc < 0)
		return rc;
	jobs_close(steal_ptr(&im->jobs));
	rc = jobs_open(fd, &im->jobs, NULL);
	return rc < 0 ? rc : machine_images_look(im, NULL);
}

/* Where QEMU went in the middle nobody knows what it did: the journal does. But names never change
 * under one that runs: where it cannot be asked, whoever comes next does. */
static void settle(struct layers_saving *s)
{
	enum rundir_state state;

	if (s->lock < 0)
		return;
	if (s->images.running && look_again(&s->images) == 0)
		(void)machine_images_settle(&s->images, NULL);
	else if (!s->images.running || (rundir_look(s->request->paths, PATHS_VM,
						    s->request->vm->name, &state, NULL) == 0 &&
					state == RUNDIR_NONE))
		(void)disk_journal_settle_locked(s->state_dirfd, NULL);
	for (size_t i = 0; s->images.jobs && i < s->request->vm->n_disks; i++)
		layers_sweep_nodes(&s->images, i);
}

static int open_saving(struct layers_saving *s, struct error *err)
{
	const struct layers_request *r = s->request;
	int rc;

	if (!str_is_name(r->tag))
		return error_set(err, EINVAL,
				 "'%.63s%s' is no tag: 1 to 63 letters, digits, '.', '_' and '-', "
				 "the first a letter or digit",
				 r->tag, strlen(r->tag) > 63 ? "…" : "");
	rc = machine_images_open_running(r->paths, r->vm, LAYERS_PREFIX, &s->images, err);
	if (rc == 0 && !s->images.running)
		rc = machine_hold_files(r->paths, r->vm, &s->rundir, err);
	if (rc == 0)
		rc = paths_open_state(r->paths, PATHS_VM, r->vm->name, 1, &s->state_dirfd, err);
	return rc;
}

int layers_save_begin(const struct layers_request *request, struct layers_saving **ret_saving,
		      struct error *err)
{
	struct layers_saving *s = calloc(1, sizeof(*s));
	int rc;

	if (!s)
		return error_oom(err);
	*s = (struct layers_saving){
		.request = request,
		.images = MACHINE_IMAGES_INIT,
		.rundir = RUNDIR_INIT,
		.state_dirfd = -1,
		.lock = -1,
	};
	rc = open_saving(s, err);
	if (rc == 0)
		rc = begin(s, err);
	if (rc < 0)
		return layers_save_end(s, rc, err);
	*ret_saving = s;
	return 0;
}

const char *layers_save_base(const struct layers_saving *s, size_t i)
{
	for (size_t k = 0; k < s->n; k++)
		if (s->disks[k].index == i)
			return s->disks[k].base;
	return NULL;
}

int layers_save_end(struct layers_saving *s, int outcome, struct error *err)
{
	int rc = outcome < 0 ? outcome : give_names(s, err);

	if (rc < 0)
		settle(s);
	for (size_t i = 0; i < s->n; i++) {
		free(s->disks[i].base);
		free(s->disks[i].overlay);
		free(s->disks[i].unfinished);
		disk_record_free(&s->disks[i].below);
	}
	free(s->disks);
	disk_journal_free(&s->journal);
	close_fd(&s->lock);
	close_fd(&s->state_dirfd);
	if (s->rundir.lockfd >= 0)
		rundir_remove(&s->rundir, s->request->paths, PATHS_VM, s->request->vm->name);
	machine_images_close(&s->images);
	free(s);
	return rc;
}

int layers_save(const struct layers_request *request, struct error *err)
{
	struct layers_saving *s;
	int rc = layers_save_begin(request, &s, err);

	if (rc < 0)
		return rc;
	if (s->images.running)
		rc = jobs_call(s->images.jobs, "transaction", layers_save_actions(s), NULL, err);
	return layers_save_end(s, rc, err);
}
