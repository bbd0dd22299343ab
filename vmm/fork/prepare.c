/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A copy, a QEMU of the same shape, takes the machine over as in a migration to another host,
 * by a socket that each of both gets one end of. What is different is the end: the source is not
 * given up. It stands while its last dirty pages and its devices go over, and runs on at once.
 * The copy then writes all but its memory, which is a file already, and ends.
 *
 * How the source is brought to that stands in outgoing.c and vmm/supervisor/supervisor_copy.c.
 *
 * Disks that the source writes to get an overlay while it stands: what they held then belongs to
 * the state as the memory does (prepare_layers.c).
 *
 * The folder has a name with a dot in front until all is on the disk.
 */
#include "vmm/fork/outgoing.h"
#include "vmm/fork/prepare_private.h"
#include "vmm/fork/template.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DOWNTIME_MS = 5, /* pages are sent again and again until the last ones take so long */
	NICE_LAST = 19,
};

struct making {
	const struct prepare_options *o;
	sd_event *event;
	struct outgoing source;
	struct copy copy;
	struct prepare_layers layers;
	int store, dirfd, lock_fd;
	int fd; /* our end of what the copy reads by; -1: none */
	char folder[64];
};

static int make_folder(struct making *m, struct error *err)
{
	struct prepared_unfinished found;
	int rc = prepared_open_store(m->o->paths, true, &m->store, err);

	if (rc < 0)
		return rc;
	/* Each is as large as a guest's memory. */
	(void)prepared_sweep(m->o->paths, true, &found, NULL);
	(void)str_format(m->folder, sizeof(m->folder), ".%d", (int)getpid());
	/* Of a process long gone that had our number. */
	(void)file_remove_tree(m->store, m->folder, NULL);
	/* Who clears away does not come between the two. */
	prepared_hold_store(m->store);
	rc = file_open_dir(m->store, m->folder, 0700, &m->dirfd, err);
	if (rc == 0)
		rc = file_lock(m->dirfd, PREPARED_LOCK, &m->lock_fd, err);
	prepared_release_store(m->store);
	return rc;
}

/* The copy has one end of a connection, and *ret_fd is the other, the caller's. */
static int connect_copy(struct making *m, int *ret_fd, struct error *err)
{
	cleanup_close int ours = -1, theirs = -1;
	int rc = fd_socketpair(&ours, &theirs, err);

	if (rc < 0)
		return rc;
	rc = line_call_fd(&m->copy.line, "getfd", json_pack("{s:s}", "fdname", NAME_COPY_FD),
			  theirs, err);
	if (rc == 0)
		*ret_fd = steal_fd(&ours);
	return rc;
}

static int begun(void *arg, struct error *err)
{
	struct making *m = arg;

	/* The guest stands at the end until its last page and all of its devices are in there; the
	 * copy, which takes some time for each device, need not have read them. */
	fd_give_room(m->fd, PREPARED_ROOM_BYTES);
	return line_call(&m->copy.line, "migrate-incoming",
			 json_pack("{s:s}", "uri", "fd:" NAME_COPY_FD), NULL, err);
}

static void tick(void *arg)
{
	struct making *m = arg;
	uint64_t done, total;

	if (m->o->progress && outgoing_ask(&m->source, &done, &total) == 0)
		m->o->progress(done, total, m->o->progress_arg);
}

/* A guest that stands waits for its own QEMU, and that one for nobody: where processors are short,
 * the copy, which has as much to do at that moment, comes last. */
static void give_way(bool stands, void *arg)
{
	const struct making *m = arg;

	(void)setpriority(PRIO_PROCESS, (id_t)m->copy.res.qemu.pid,
			  stands ? NICE_LAST : getpriority(PRIO_PROCESS, 0));
}

static int copy_machine(struct making *m, struct error *err)
{
	int rc = connect_copy(m, &m->fd, err);

	if (rc == 0) {
		m->source.line.on_stand = give_way;
		m->source.line.on_stand_arg = m;
		prepare_layers_sync(&m->layers);
		rc = outgoing_send(&m->source,
				   &(struct outgoing_request){
					   .fd = m->fd,
					   .downtime_ms = DOWNTIME_MS,
					   .transaction = prepare_layers_change(&m->layers),
					   .begun = begun,
					   .tick = tick,
					   .arg = m,
				   },
				   err);
	}
	close_fd(&m->fd);
	rc = prepare_layers_end(&m->layers, rc, err);
	if (rc == 0)
		rc = line_await_migration(&m->copy.line, "completed", NULL, NULL, err);
	/* The source only knows that nobody listens any more. */
	if (line_is_closed(&m->copy.line))
		rc = copy_explain(&m->copy, -ECONNRESET, err);
	return rc;
}

static int write_files(struct making *m, struct error *err)
{
	cleanup_close int fd = openat(m->dirfd, PREPARED_DEVICE,
				      O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	const struct resources *r = &m->copy.res;
	cleanup_json json_t *state = NULL;
	cleanup_free char *text = NULL;
	struct shape_facts facts;
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "create '" PREPARED_DEVICE "'");
	rc = copy_explain(&m->copy, copy_write_device(&m->copy, fd, err), err);
	if (rc < 0)
		return rc;
	facts = resources_shape(r, m->o->vm);
	state = prepared_describe(&facts, m->copy.qemu_version, m->o->note, m->layers.paths);
	text = state ? json_dumps(state, JSON_INDENT(1)) : NULL;
	if (!text)
		return error_oom(err);
	/* One that is forgotten soon needs not last. */
	if (m->o->name && (fdatasync(r->memory_fd) < 0 || fdatasync(fd) < 0))
		return error_errno(err, errno, "write it to the disk");
	return (m->o->name ? file_write_atomic : file_write_volatile)(
		m->dirfd, PREPARED_STATE, text, strlen(text), 0644, err);
}

static int make(struct making *m, struct error *err)
{
	int rc;

	rc = sd_event_new(&m->event);
	if (rc < 0)
		return error_errno(err, -rc, "event loop");
	rc = template_check(m->o->paths, m->o->vm->name, err);
	if (rc == 0)
		rc = outgoing_open(&m->source, m->event, m->o->paths, m->o->vm->name, err);
	if (rc == 0)
		rc = make_folder(m, err);
	if (rc == 0)
		rc = prepare_layers_begin(&m->layers, m->o, m->source.paused, err);
	if (rc == 0)
		rc = copy_start(&m->copy, m->o, m->event, m->dirfd, err);
	if (rc < 0)
		return rc;
	rc = copy_machine(m, err);
	if (rc == 0)
		rc = write_files(m, err);
	copy_end(&m->copy);
	return rc;
}

/* Under its own name, for good. */
static int publish(struct making *m, struct error *err)
{
	if (renameat2(m->store, m->folder, m->store, m->o->name, RENAME_NOREPLACE) < 0)
		return error_errno(err, errno, "state '%s'", m->o->name);
	(void)unlinkat(m->dirfd, PREPARED_LOCK, 0);
	(void)str_format(m->folder, sizeof(m->folder), "%s", m->o->name);
	return fsync(m->store) < 0 ? error_errno(err, errno, "state '%s'", m->o->name) : 0;
}

int prepare_state(const struct prepare_options *options, struct prepared_made *ret_made,
		  struct error *err)
{
	struct making m = {.o = options, .store = -1, .dirfd = -1, .lock_fd = -1, .fd = -1};
	int rc;

	if (options->name && prepared_exists(options->paths, options->name))
		return error_set(err, EEXIST, "there is a state '%s' already (hv state rm %s)",
				 options->name, options->name);
	rc = error_wrap_if(err, make(&m, err), "vm '%s'", options->vm->name);
	if (rc == 0 && options->name)
		rc = publish(&m, err);
	if (rc < 0 && m.store >= 0 && *m.folder == '.')
		(void)file_remove_tree(m.store, m.folder, NULL);
	rc = prepare_layers_free(&m.layers, rc, err);
	if (rc == 0) {
		*ret_made = (struct prepared_made){
			.lock_fd = options->name ? -1 : steal_fd(&m.lock_fd),
			.pause_usec = m.source.line.stood_usec,
		};
		(void)str_format(ret_made->name, sizeof(ret_made->name), "%s", m.folder);
		(void)str_format(ret_made->tag, sizeof(ret_made->tag), "%s", m.layers.tag);
	}
	outgoing_close(&m.source);
	sd_event_unref(m.event);
	close_fd(&m.dirfd);
	close_fd(&m.store);
	close_fd(&m.lock_fd);
	return rc;
}

void prepare_forget(const struct paths *paths, struct prepared_made *made)
{
	cleanup_close int store = -1;

	if (*made->name == '.' && prepared_open_store(paths, false, &store, NULL) == 0)
		(void)file_remove_tree(store, made->name, NULL);
	close_fd(&made->lock_fd);
}
