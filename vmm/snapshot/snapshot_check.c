/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/snapshots.h"
#include "vmm/fork/template.h"
#include "vmm/layers/disk_journal.h"
#include "vmm/pins.h"
#include "vmm/snapshot/snapshot_place.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

struct checking {
	struct snapshot_work *w;
	snapshot_fault_fn tell;
	void *arg;
	bool repair;
	struct error fixed; /* why nothing of it may be repaired; no code: it may */
	bool begun; /* it has started before, so its disks have to be there */
};

static void tell(const struct checking *c, enum snapshot_fault fault, bool repaired,
		 const char *fmt, ...) __attribute__((format(printf, 4, 5)));

static void tell(const struct checking *c, enum snapshot_fault fault, bool repaired,
		 const char *fmt, ...)
{
	cleanup_strbuf struct strbuf text = {0};
	va_list ap;

	va_start(ap, fmt);
	strbuf_vaddf(&text, fmt, ap);
	va_end(ap);
	c->tell(fault, text.data ? text.data : "out of memory", repaired, c->arg);
}

/* Whether a fault is to be repaired; where it may not be, err says why. */
static bool may_repair(const struct checking *c, struct error *err)
{
	if (c->repair && c->fixed.code)
		(void)error_set(err, c->fixed.code, "not repaired: %s", c->fixed.text);
	return c->repair && !c->fixed.code;
}

/* What is told first is that it was there; whether it could be cleared away stands with it. */
static void check_partial(struct checking *c)
{
	struct snapshot_store *store = &c->w->store;

	for (size_t i = 0; i < store->n;) {
		cleanup_free char *tag = strdup(store->v[i].tag);
		enum snapshot_stage stage = store->v[i].stage;
		struct error err = ERROR_INIT;
		bool repaired = false;

		if (stage != SNAPSHOT_COMPLETE && tag) {
			repaired = may_repair(c, &err) && snapshot_clear(c->w, tag, &err) == 0;
			tell(c, SNAPSHOT_FAULT_PARTIAL, repaired, "snapshot '%s' was %s%s%s%s", tag,
			     stage == SNAPSHOT_PENDING ? "never complete" : "half removed",
			     c->repair ? "" : " (hv check --images --repair clears it away)",
			     err.code ? ": " : "", err.text);
		}
		if (!repaired)
			i++;
	}
}

static void check_complete(struct checking *c)
{
	const struct snapshot_store *store = &c->w->store;

	for (size_t i = 0; i < store->n; i++) {
		const struct snapshot_record *r = &store->v[i];
		const struct snapshot_disk *lacks = NULL;
		struct error err = ERROR_INIT;
		cleanup_close int fd = -1;
		size_t n;

		if (r->stage != SNAPSHOT_COMPLETE)
			continue;
		/* An image that cannot be read is told by itself. */
		if (snapshot_disks_count(r, r->tag, &n, &lacks, &err) == 0 && lacks &&
		    snapshot_place_check(c->w->rq->vm, r, &err) == 0)
			tell(c, SNAPSHOT_FAULT_DAMAGED, false,
			     "snapshot '%s': disk '%s' has it no more (hv snap rm %s %s removes "
			     "the rest)",
			     r->tag, lacks->name, c->w->rq->vm->name, r->tag);
		if (r->guest != SNAPSHOT_GUEST_STOPPED &&
		    snapshot_store_open_memory(store, r->tag, false, &fd, &err) < 0)
			tell(c, SNAPSHOT_FAULT_DAMAGED, false, "snapshot '%s': %s", r->tag,
			     err.text);
	}
}

static void check_image(struct checking *c, const struct snapshot_disk *disk)
{
	struct error err = ERROR_INIT, why = ERROR_INIT;
	struct disk_snapshots list;

	if (!disk->path)
		return;
	if (disk_snapshots_read_path(disk->path, &list, &err) < 0) {
		tell(c, SNAPSHOT_FAULT_IMAGE, false, "disk '%s': %s", disk->name, err.text);
		return;
	}
	if (!c->w->errand && disk_check(disk->path, false, &err) < 0) {
		bool repaired = may_repair(c, &why) && disk_check(disk->path, true, &err) == 0;

		tell(c, SNAPSHOT_FAULT_IMAGE, repaired, "disk '%s': %s%s%s", disk->name, err.text,
		     why.code ? "; " : "", why.text);
	}
	for (size_t i = 0; i < list.n; i++)
		if (!snapshot_store_find(&c->w->store, list.v[i].name))
			tell(c, SNAPSHOT_FAULT_FOREIGN, false,
			     "disk '%s' has a snapshot '%s' that hvup did not make (qemu-img "
			     "snapshot -d removes it)",
			     disk->name, list.v[i].name);
	disk_snapshots_free(&list);
}

/* One that can hold no snapshot is none the worse for it, nor is one that the first start will
 * make. */
static void tell_unfit(int rc, const struct error *why, void *arg)
{
	const struct checking *c = arg;

	if (rc != -ENOTSUP && (rc != -ENOENT || c->begun))
		tell(c, SNAPSHOT_FAULT_IMAGE, false, "%s", why->text);
}

/* What follows looks at images by the names that they have then. */
static void check_journal(struct checking *c)
{
	const struct snapshot_work *w = c->w;
	struct error err = ERROR_INIT;
	bool repaired;

	if (w->live ||
	    faccessat(w->store.state_dirfd, NAME_DISK_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return;
	repaired = c->repair && disk_journal_settle(w->store.state_dirfd, &err) == 0;
	tell(c, SNAPSHOT_FAULT_PARTIAL, repaired,
	     "a change of its images was cut off (hv up %s sees to it, too)%s%s", w->rq->vm->name,
	     err.code ? ": " : "", err.text);
}

/* What others lie on, and what is frozen for them, is looked at and not changed. */
static int look_around(struct checking *c, struct error *err)
{
	const struct snapshot_request *rq = c->w->rq;
	struct vm_pins pins = {0};
	int rc = 0;

	if (c->w->live || template_check_writable(rq->paths, NULL, rq->vm, &c->fixed) == 0)
		c->fixed = (struct error)ERROR_INIT;
	if (json_is_object(json_object_get(c->w->status, "saved")))
		(void)error_set(&c->fixed, EBUSY,
				"it is suspended to disk, and its disks are half of it (hv up %s "
				"resumes it)",
				rq->vm->name);
	/* With those who read them, as clones do that run. */
	c->w->shares = c->fixed.code != 0;
	if (c->w->store.state_dirfd >= 0)
		rc = vm_pins_load(c->w->store.state_dirfd, &pins, err);
	if (rc < 0)
		return rc;
	c->begun = pins.machine || c->w->store.n;
	vm_pins_free(&pins);
	return 0;
}

int snapshot_check(const struct paths *paths, const struct spec_vm *vm, bool repair,
		   snapshot_fault_fn tell_fault, void *arg, struct error *err)
{
	const struct snapshot_request rq = {.paths = paths, .vm = vm, .tag = ""};
	struct snapshot_work w;
	struct checking c = {.w = &w, .tell = tell_fault, .arg = arg, .repair = repair};
	struct snapshot_record now = {0};
	int rc = snapshot_open(&w, &rq, true, err);

	if (rc == 0)
		check_journal(&c);
	if (rc == 0)
		rc = look_around(&c, err);
	if (rc == 0) {
		if (w.store.loading)
			tell(&c, SNAPSHOT_FAULT_LOADING, false,
			     "the load of snapshot '%s' was broken off (hv snap load %s %s once "
			     "more)",
			     w.store.loading, vm->name, w.store.loading);
		check_partial(&c);
		check_complete(&c);
		snapshot_disks_look(&w, &now, tell_unfit, &c);
		for (size_t i = 0; i < now.n_disks; i++)
			check_image(&c, &now.disks[i]);
		snapshot_record_free(&now);
	}
	snapshot_end(&w);
	return rc;
}
