/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/snapshots.h"

#include <errno.h>

struct checking {
	struct snapshot_work *w;
	snapshot_fault_fn tell;
	void *arg;
	bool repair;
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
			repaired = c->repair && snapshot_clear(c->w, tag, &err) == 0;
			tell(c, SNAPSHOT_FAULT_PARTIAL, repaired,
			     stage == SNAPSHOT_PENDING ? "snapshot '%s' was never complete%s%s"
						       : "snapshot '%s' was half removed%s%s",
			     tag, err.code ? ": " : "", err.text);
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
		if (snapshot_disks_count(r, r->tag, &n, &lacks, &err) == 0 && lacks)
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
	struct disk_snapshots list;
	struct error err = ERROR_INIT;

	if (!disk->path)
		return;
	if (disk_snapshots_read_path(disk->path, &list, &err) < 0) {
		tell(c, SNAPSHOT_FAULT_IMAGE, false, "disk '%s': %s", disk->name, err.text);
		return;
	}
	if (!c->w->errand && disk_check(disk->path, false, &err) < 0) {
		bool repaired = c->repair && disk_check(disk->path, true, &err) == 0;

		tell(c, SNAPSHOT_FAULT_IMAGE, repaired, "disk '%s': %s", disk->name, err.text);
	}
	for (size_t i = 0; i < list.n; i++)
		if (!snapshot_store_find(&c->w->store, list.v[i].name))
			tell(c, SNAPSHOT_FAULT_FOREIGN, false,
			     "disk '%s' has a snapshot '%s' that hvup did not make (qemu-img "
			     "snapshot -d removes it)",
			     disk->name, list.v[i].name);
	disk_snapshots_free(&list);
}

int snapshot_check(const struct paths *paths, const struct spec_vm *vm, bool repair,
		   snapshot_fault_fn tell_fault, void *arg, struct error *err)
{
	const struct snapshot_request rq = {.paths = paths, .vm = vm, .tag = ""};
	struct snapshot_work w;
	struct checking c = {.w = &w, .tell = tell_fault, .arg = arg, .repair = repair};
	struct snapshot_record now = {0};
	struct error why = ERROR_INIT;
	int rc = snapshot_begin(&w, &rq, err);

	if (rc == 0) {
		if (w.store.loading)
			tell(&c, SNAPSHOT_FAULT_LOADING, false,
			     "the load of snapshot '%s' was broken off (hv snap load %s %s once "
			     "more)",
			     w.store.loading, vm->name, w.store.loading);
		check_partial(&c);
		check_complete(&c);
		/* One with a disk that can hold none has images all the same. */
		if (snapshot_disks_find(&w, &now, &why) < 0 && why.code != EINVAL)
			tell(&c, SNAPSHOT_FAULT_IMAGE, false, "%s", why.text);
		for (size_t i = 0; i < now.n_disks; i++)
			check_image(&c, &now.disks[i]);
		snapshot_record_free(&now);
	}
	snapshot_end(&w);
	return rc;
}
