/* SPDX-License-Identifier: MIT */
/*
 * The save of a machine that runs; and, for the most part, the suspending of one.
 *
 * Theory of operation: QEMU writes memory and devices as for a migration, straight into the file
 * that becomes an image of them afterwards (disk/memory.h), which takes half the time of its job
 * for snapshots; and it hears an interrupt meanwhile. The guest stands from the beginning to the
 * end or, live, for what is left when most is written. The disks get their internal snapshots in
 * one transaction while it stands, at the moment that the state is of.
 */
#include "vmm/snapshot/snapshot_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "disk/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* Of the memory alone; disks and devices come on top. */
enum { LIVE_DOWNTIME_MS = 30 };

struct stream {
	int fd;
	bool live;
};

/* An internal snapshot of each disk, all or none. */
static json_t *disks_to_keep(const struct snapshot_record *r)
{
	json_t *actions = json_array();

	for (size_t i = 0; i < r->n_disks; i++)
		(void)json_array_append_new(actions,
					    json_pack("{s:s s:{s:s s:s}}", "type",
						      "blockdev-snapshot-internal-sync", "data",
						      "device", r->disks[i].node, "name", r->tag));
	return json_pack("{s:o}", "actions", actions);
}

/* What is written by now needs not wait for the end. A guest that stands does not mind; one that
 * runs has its disks flushed when it stands, and would wait behind all of this. */
static void tick(void *arg)
{
	const struct stream *s = arg;

	if (!s->live)
		(void)sync_file_range(s->fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

int snapshot_stream_write(struct snapshot_work *w, struct outgoing *o, int fd, json_t *transaction,
			  bool stay, struct error *err)
{
	struct stream s = {.fd = fd, .live = w->rq->live};
	int rc;

	w->writes = true;
	snapshot_live_count(w, snapshot_live_touched(w));
	rc = outgoing_open(o, errand_event(w->errand), w->rq->paths, w->rq->vm->name, err);
	if (rc < 0)
		json_decref(transaction);
	else
		rc = outgoing_send(o,
				   &(struct outgoing_request){
					   .fd = fd,
					   .standing = !w->rq->live,
					   .stay = stay,
					   .downtime_ms = LIVE_DOWNTIME_MS,
					   .transaction = transaction,
					   .tick = tick,
					   .arg = &s,
				   },
				   err);
	fault_point("memory written");
	w->stood_usec = o->line.stood_usec;
	return rc < 0 && snapshot_check_interrupt(err) < 0 ? -EINTR : rc;
}

int snapshot_stream_save(struct snapshot_work *w, struct snapshot_record *r, struct error *err)
{
	cleanup_close int fd = -1;
	struct outgoing o;
	int rc;

	rc = snapshot_live_make_memory(w, r, &fd, err);
	if (rc == 0)
		rc = disk_memory_begin(fd, err);
	if (rc < 0)
		return rc;
	rc = snapshot_stream_write(w, &o, fd, disks_to_keep(r), false, err);
	outgoing_close(&o);
	if (rc == 0)
		rc = disk_memory_end(fd, r->tag, (uint32_t)r->date, &r->memory_bytes, err);
	if (rc == 0 && fdatasync(fd) < 0)
		rc = error_errno(err, errno, "fsync the memory");
	return rc;
}
