/* SPDX-License-Identifier: MIT */
/*
 * The source's disks. At the moment that the copied memory belongs to, each that can be written to
 * gets an overlay (vmm/layers/layers.h); what it was until then is where the disks of all forks
 * begin. Files and journal are made before QEMU copies, so that nothing is left for that moment but
 * one transaction of QEMU's.
 *
 * A state that comes to nothing after that leaves a layer more, which is folded in again: by this
 * process, or, where it is killed, by its guard, as long as the machine is up.
 */
#include "vmm/fork/prepare_private.h"

#include "base/cleanup.h"
#include "base/fault.h"
#include "base/interrupt.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/layers/layers_private.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { TRIES = 10 };

/* Also finishes or undoes what was cut off. */
static int fold(const struct prepare_options *o, const char *tag, struct error *err)
{
	const struct layers_request request = {
		.paths = o->paths,
		.host = o->host,
		.lab = o->lab,
		.vm = o->vm,
		.tag = tag,
	};

	return layers_commit(&request, err);
}

/* QEMU gives no disk back to who does not run, and the supervisor may be about to see to that. */
static void let_run(const struct prepare_layers *l)
{
	const struct prepare_options *o = l->o;
	struct line source = {.sync = NULL};
	sd_event *event = NULL;

	if (sd_event_new(&event) >= 0 &&
	    line_open_vm(&source, event, o->paths, o->vm->name, NULL) == 0)
		(void)(l->paused ? line_call(&source, "hv-copy-end", NULL, NULL, NULL)
				 : line_run_on(&source, NULL));
	line_close(&source);
	sd_event_unref(event);
}

static bool is_up(const struct prepare_options *o)
{
	enum rundir_state state;

	return rundir_look(o->paths, PATHS_VM, o->vm->name, &state, NULL) == 0 &&
	       state == RUNDIR_SERVED;
}

/* Of a process that was killed: a state that is whole keeps what it has. A machine that is down may
 * be about to start, which is not to be held up; it keeps a layer more. */
static void put_right(void *arg)
{
	struct prepare_layers *l = arg;
	const struct prepare_options *o = l->o;
	int rc, tries = 0;

	fault_off();
	interrupt_hold(&l->before);
	do {
		let_run(l);
		rc = layers_wait_for_turn(o->paths, o->vm->name);
		if (rc == 0 && is_up(o) && !(o->name && prepared_exists(o->paths, o->name)))
			rc = fold(o, l->tag, NULL);
		/* The supervisor may go, too: the next one answers. */
	} while (rc < 0 && rc != -ENOENT && rc != -ENOTEMPTY && is_up(o) &&
		 (rc == -EBUSY || tries++ < TRIES));
}

static bool has_disks(const struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_disks; i++)
		if (!vm->disks[i].read_only)
			return true;
	return false;
}

static int begin(struct prepare_layers *l, struct error *err)
{
	int rc = guard_start(&l->guard, "hv-layers", put_right, l, err);

	if (rc == 0)
		rc = layers_save_begin(&l->request, &l->saving, err);
	for (size_t i = 0; rc == 0 && i < l->o->vm->n_disks; i++) {
		const char *base = layers_save_base(l->saving, i);

		if (json_array_append_new(l->paths, base ? json_string(base) : json_null()) < 0)
			rc = error_oom(err);
	}
	return rc;
}

int prepare_layers_begin(struct prepare_layers *l, const struct prepare_options *o, bool paused,
			 struct error *err)
{
	int rc;

	*l = (struct prepare_layers){
		.o = o, .guard = GUARD_INIT, .paths = json_array(), .paused = paused};
	l->request = (struct layers_request){
		.paths = o->paths,
		.host = o->host,
		.lab = o->lab,
		.vm = o->vm,
		.tag = l->tag,
		.shared = true,
	};
	if (!l->paths)
		return error_oom(err);
	if (!has_disks(o->vm))
		return 0;
	rc = layers_free_tag(o->vm, o->name ? o->name : "fork", l->tag, err);
	if (rc < 0)
		return rc;
	interrupt_hold(&l->before);
	return begin(l, err);
}

void prepare_layers_sync(const struct prepare_layers *l)
{
	json_t *path;
	size_t i;

	json_array_foreach (l->paths, i, path) {
		cleanup_close int fd = json_is_string(path)
					       ? open(json_string_value(path), O_RDONLY | O_CLOEXEC)
					       : -1;

		if (fd >= 0)
			(void)fdatasync(fd);
	}
}

json_t *prepare_layers_change(const struct prepare_layers *l)
{
	return l->saving ? layers_save_actions(l->saving) : json_object();
}

int prepare_layers_end(struct prepare_layers *l, int outcome, struct error *err)
{
	return l->saving ? layers_save_end(steal_ptr(&l->saving), outcome, err) : outcome;
}

/* Whether a disk got one: what failed before that has nothing to fold. */
static bool has_layer(const struct prepare_layers *l)
{
	const struct spec_vm *vm = l->o->vm;
	bool found = false;

	for (size_t i = 0; !found && i < vm->n_disks; i++) {
		cleanup_free char *base =
			vm->disks[i].read_only ? NULL : layers_name(vm->disks[i].path, l->tag);

		found = base && faccessat(AT_FDCWD, base, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	}
	return found;
}

int prepare_layers_free(struct prepare_layers *l, int rc, struct error *err)
{
	struct error first = rc < 0 ? *err : (struct error)ERROR_INIT, other = ERROR_INIT;

	if (*l->tag) {
		/* It may have failed before QEMU was asked for anything. */
		if (l->saving)
			(void)layers_save_end(steal_ptr(&l->saving), -ECANCELED, &other);
		/* Who interrupts has been heard. */
		interrupt_release(&l->before);
		interrupt_hold(&l->before);
		if (rc < 0 && has_layer(l) && fold(l->o, l->tag, &other) < 0 &&
		    other.code != ENOENT)
			(void)error_set(err, -rc,
					"%s; its disks keep the layer '%s' (hv snap commit %s %s "
					"folds it in): %s",
					first.text, l->tag, l->o->vm->name, l->tag, other.text);
		guard_dismiss(&l->guard);
		interrupt_release(&l->before);
	}
	json_decref(steal_ptr(&l->paths));
	return rc;
}

int prepare_fold(const struct prepare_options *options, const char *tag, struct error *err)
{
	sigset_t before;
	int rc;

	interrupt_hold(&before);
	rc = fold(options, tag, err);
	interrupt_release(&before);
	return rc;
}
