/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A copy, a QEMU of the same shape, takes the machine over as in a migration to another host,
 * by a socket that each of both gets one end of. What is different is the end: the source is not
 * given up. It stands while its last dirty pages and its devices go over, and runs on at once.
 * The copy then writes all but its memory, which is a file already, and ends.
 *
 * This process is a client of the source's supervisor. "hv-copy" tells that one that whoever asks
 * is about to make the guest stand: should this process end in the wrong moment, the supervisor
 * takes the copying back and lets the guest go on.
 *
 * Disks that the source writes to get an overlay while it stands: what they held then belongs to
 * the state as the memory does (prepare_layers.c).
 *
 * The folder has a name with a dot in front until all is on the disk.
 */
#include "vmm/prepare_private.h"

#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/rundir.h"
#include "vmm/shape.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	DOWNTIME_MS = 5, /* pages are sent again and again until the last ones take so long */
	ONE_PASS_MS = 0, /* they are sent again once */
};

/* Nothing but the machine itself is in its way. */
static const json_int_t no_bound = (json_int_t)1 << 40;

struct making {
	const struct prepare_options *o;
	sd_event *event;
	struct line source;
	struct copy copy;
	struct prepare_layers layers;
	int store, dirfd, lock_fd;
	char folder[64];
	json_t *parameters; /* of the source's migrations, as they were */
	bool emulated; /* QEMU itself runs the source's code, not KVM */
};

static int make_folder(struct making *m, struct error *err)
{
	int rc = prepared_open_store(m->o->paths, true, &m->store, err);

	if (rc < 0)
		return rc;
	(void)str_format(m->folder, sizeof(m->folder), ".%d", (int)getpid());
	/* Of a process long gone that had our number. */
	(void)file_remove_tree(m->store, m->folder, NULL);
	rc = file_open_dir(m->store, m->folder, 0700, &m->dirfd, err);
	if (rc == 0)
		rc = file_lock(m->dirfd, PREPARED_LOCK, &m->lock_fd, err);
	return rc;
}

static int open_source(struct making *m, struct error *err)
{
	return line_open_vm(&m->source, m->event, m->o->paths, m->o->vm->name, err);
}

static int connect_source(struct making *m, struct error *err)
{
	cleanup_json json_t *kvm = NULL;
	int rc = open_source(m, err);

	/* From here on the supervisor looks after the guest, should we not. */
	if (rc == 0)
		rc = line_call(&m->source, "hv-copy", NULL, NULL, err);
	if (rc == 0)
		rc = line_call(&m->source, "query-migrate-parameters", NULL, &m->parameters, err);
	if (rc == 0)
		rc = line_call(&m->source, "query-kvm", NULL, &kvm, err);
	m->emulated = !json_is_true(json_object_get(kvm, "enabled"));
	return rc;
}

/* With the last one QEMU stops before it gives up the disks, and waits for a word. */
static const char *const source_capabilities[] = {"events", "auto-converge", NULL};
static const char *const disk_capabilities[] = {"events", "auto-converge",
						"pause-before-switchover", NULL};

static int set_parameters(struct line *l, json_int_t bandwidth, json_int_t downtime_ms,
			  struct error *err)
{
	return line_call(
		l, "migrate-set-parameters",
		json_pack("{s:I s:I}", "max-bandwidth", bandwidth, "downtime-limit", downtime_ms),
		NULL, err);
}

/* As it was found: others migrate by other rules. */
static void restore_source(struct making *m)
{
	json_t *bandwidth = json_object_get(m->parameters, "max-bandwidth"),
	       *downtime = json_object_get(m->parameters, "downtime-limit");
	struct error err = ERROR_INIT;

	(void)line_set_capabilities(&m->source, disk_capabilities, false, &err);
	(void)set_parameters(&m->source, json_integer_value(bandwidth),
			     json_integer_value(downtime), &err);
}

/*
 * Before 9.0 QEMU that emulates the CPU loses pages: where it asks which ones were written to, it
 * does not look again at those that the CPU has at hand, until that one has dropped them for
 * another reason. So it asks while the guest stands, at the beginning, when nothing is at hand
 * any more, and at the end; and not in between.
 */
static int begin(struct making *m, struct error *err)
{
	int rc = m->emulated ? line_call(&m->source, "stop", NULL, NULL, err) : 0;

	if (rc == 0)
		rc = line_call(&m->source, "migrate", json_pack("{s:s}", "uri", "fd:hv-copy"), NULL,
			       err);
	if (rc == 0 && m->emulated)
		rc = line_await_migration(&m->source, "active", NULL, NULL, err);
	if (rc == 0 && m->emulated)
		rc = line_call(&m->source, "cont", NULL, NULL, err);
	return rc;
}

static int join(struct making *m, struct error *err)
{
	static const char *const events[] = {"events", NULL};
	cleanup_close int ours = -1, theirs = -1;
	int pair[2], rc;

	rc = fd_socketpair(pair, err);
	if (rc < 0)
		return rc;
	ours = pair[0];
	theirs = pair[1];
	rc = line_set_capabilities(&m->copy.line, events, true, err);
	if (rc == 0)
		rc = set_parameters(&m->copy.line, no_bound, DOWNTIME_MS, err);
	if (rc == 0)
		rc = line_call_fd(&m->copy.line, "getfd", json_pack("{s:s}", "fdname", "hv-copy"),
				  theirs, err);
	if (rc == 0)
		rc = line_call(&m->copy.line, "migrate-incoming",
			       json_pack("{s:s}", "uri", "fd:hv-copy"), NULL, err);
	if (rc == 0)
		rc = line_set_capabilities(&m->source,
					   *m->layers.tag ? disk_capabilities : source_capabilities,
					   true, err);
	if (rc == 0)
		rc = set_parameters(&m->source, no_bound, m->emulated ? ONE_PASS_MS : DOWNTIME_MS,
				    err);
	if (rc == 0)
		rc = line_call_fd(&m->source, "getfd", json_pack("{s:s}", "fdname", "hv-copy"),
				  ours, err);
	return rc == 0 ? begin(m, err) : rc;
}

static void tick(void *arg)
{
	struct making *m = arg;
	json_int_t remaining = -1, total = 0;
	cleanup_json json_t *info = NULL;

	if (!m->o->progress || line_call(&m->source, "query-migrate", NULL, &info, NULL) < 0 ||
	    json_unpack(info, "{s:{s:I s:I}}", "ram", "remaining", &remaining, "total", &total) < 0)
		return;
	m->o->progress((uint64_t)(total - remaining), (uint64_t)total, m->o->progress_arg);
}

/* Whatever became of the copy. */
static int run_on(struct making *m, bool failed, struct error *err)
{
	if (failed)
		(void)line_cancel_migration(&m->source, err);
	return line_run_on(&m->source, err);
}

/* Until all is over there. The guest stands between the first half and the end. */
static int await_copied(struct making *m, struct error *err)
{
	int rc;

	if (!*m->layers.tag)
		return line_await_migration(&m->source, "completed", tick, m, err);
	rc = line_await_migration(&m->source, "pre-switchover", tick, m, err);
	if (rc == 0)
		rc = prepare_layers_change(&m->layers, &m->source, err);
	if (rc == 0)
		rc = line_call(&m->source, "migrate-continue",
			       json_pack("{s:s}", "state", "pre-switchover"), NULL, err);
	return rc < 0 ? rc : line_await_migration(&m->source, "completed", NULL, NULL, err);
}

static int copy_machine(struct making *m, struct error *err)
{
	struct error other = ERROR_INIT;
	int rc, resumed;

	rc = join(m, err);
	if (rc == 0)
		rc = await_copied(m, err);
	/* A supervisor that was killed forgot whose stand this is; the next one listens. */
	if (rc < 0 && m->source.closed.code) {
		line_close(&m->source);
		(void)open_source(m, &other);
	}
	resumed = run_on(m, rc < 0, rc < 0 ? &other : err);
	if (rc == 0)
		rc = resumed;
	restore_source(m);
	rc = prepare_layers_end(&m->layers, rc, err);
	if (rc == 0)
		rc = line_await_migration(&m->copy.line, "completed", NULL, NULL, err);
	/* The source only knows that nobody listens any more. */
	if (m->copy.line.closed.code)
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
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "create '" PREPARED_DEVICE "'");
	rc = copy_explain(&m->copy, copy_write_device(&m->copy, fd, err), err);
	if (rc < 0)
		return rc;
	state = prepared_describe(
		&(struct shape_facts){
			.vm = m->o->vm,
			.hw = &r->hw,
			.kvm = r->kvm,
			.smm = r->firmware.smm,
			.vsock = m->o->vm->vsock_cid != 0,
		},
		m->copy.qemu_version, m->o->note, m->layers.paths);
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
	rc = connect_source(m, err);
	if (rc == 0)
		rc = make_folder(m, err);
	if (rc == 0)
		rc = prepare_layers_begin(&m->layers, m->o, err);
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
	struct making m = {.o = options, .store = -1, .dirfd = -1, .lock_fd = -1};
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
			.pause_usec = m.source.stood_usec,
		};
		(void)str_format(ret_made->name, sizeof(ret_made->name), "%s", m.folder);
		(void)str_format(ret_made->tag, sizeof(ret_made->tag), "%s", m.layers.tag);
	}
	line_close(&m.source);
	json_decref(m.parameters);
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
