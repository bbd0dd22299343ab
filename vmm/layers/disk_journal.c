/* SPDX-License-Identifier: MIT */
#include "vmm/layers/disk_journal.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "disk/chain.h"
#include "disk/empty.h"
#include "disk/record.h"
#include "vmm/json.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { JOURNAL_BYTES_MAX = 1024 * 1024 };

static const char *format_name(enum disk_format format)
{
	return format == DISK_FORMAT_RAW ? "raw" : "qcow2";
}

/* A step that could not be made is one that cannot be written either. */
static void add(json_t *steps, json_t *step)
{
	(void)json_array_append_new(steps, step ? step : json_null());
}

void disk_steps_rename(json_t *steps, const char *from, const char *to)
{
	add(steps, json_pack("{s:s s:s s:s}", "do", "rename", "path", from, "to", to));
}

void disk_steps_unlink(json_t *steps, const char *path)
{
	add(steps, json_pack("{s:s s:s}", "do", "unlink", "path", path));
}

void disk_steps_record(json_t *steps, const char *path, const char *backing,
		       enum disk_format backing_format)
{
	add(steps, json_pack("{s:s s:s s:s? s:s}", "do", "record", "path", path, "backing", backing,
			     "format", format_name(backing_format)));
}

void disk_journal_free(struct disk_journal *j)
{
	json_decref(j->steps);
	json_decref(j->undo);
	json_decref(j->nodes);
	*j = (struct disk_journal){.steps = NULL};
}

int disk_journal_write(int state_dirfd, const struct disk_journal *j, struct error *err)
{
	cleanup_json json_t *all = NULL;
	cleanup_free char *text = NULL;
	json_t *step;
	size_t i;

	json_array_foreach (j->steps, i, step)
		if (!json_is_object(step))
			return error_oom(err);
	json_array_foreach (j->undo, i, step)
		if (!json_is_object(step))
			return error_oom(err);
	all = json_pack("{s:O s:O? s:O? s:b}", "steps", j->steps, "undo", j->undo, "nodes",
			j->nodes, "counts-stopped", j->counts_stopped);
	text = all ? json_dumps(all, JSON_INDENT(1)) : NULL;
	if (!text)
		return error_oom(err);
	return file_write_atomic(state_dirfd, NAME_DISK_JOURNAL, text, strlen(text), 0600, err);
}

int disk_journal_read(int state_dirfd, struct disk_journal **ret_journal, struct error *err)
{
	cleanup_free char *text = NULL;
	cleanup_json json_t *all = NULL;
	struct disk_journal *j;
	int rc = file_read_plain(state_dirfd, NAME_DISK_JOURNAL, JOURNAL_BYTES_MAX, &text, NULL,
				 err);

	*ret_journal = NULL;
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	all = json_loads(text, 0, NULL);
	if (!json_is_array(json_object_get(all, "steps")))
		return error_set(err, EINVAL,
				 "'" NAME_DISK_JOURNAL "' in its state folder is not "
				 "what hvup wrote");
	j = calloc(1, sizeof(*j));
	if (!j)
		return error_oom(err);
	j->steps = json_incref(json_object_get(all, "steps"));
	j->undo = json_incref(json_object_get(all, "undo"));
	if (json_is_object(json_object_get(all, "nodes")))
		j->nodes = json_incref(json_object_get(all, "nodes"));
	j->counts_stopped = json_is_true(json_object_get(all, "counts-stopped"));
	*ret_journal = j;
	return 0;
}

/* A name is there for good when its folder is written. */
static int sync_folder_of(const char *path, struct error *err)
{
	cleanup_free char *copy = strdup(path);
	cleanup_close int fd = -1;

	if (!copy)
		return error_oom(err);
	fd = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return error_errno(err, errno, "fsync the folder of '%s'", path);
	return 0;
}

static int do_step(json_t *step, struct error *err)
{
	const char *what = json_get_string(step, "do"), *path = json_get_string(step, "path");
	const char *to = json_get_string(step, "to"), *backing = json_get_string(step, "backing");
	const char *format = json_get_string(step, "format");
	struct disk_record record = {
		.backing = (char *)backing,
		.backing_format =
			format && str_eq(format, "raw") ? DISK_FORMAT_RAW : DISK_FORMAT_QCOW2,
	};

	if (!what || !path || path[0] != '/')
		return error_set(err, EINVAL, "a step without a path");
	if (str_eq(what, "record"))
		return backing ? disk_record_write(path, &record, err)
			       : disk_record_remove(path, err);
	if (str_eq(what, "rename") && to) {
		if (rename(path, to) < 0 && errno != ENOENT)
			return error_errno(err, errno, "rename '%s' to '%s'", path, to);
		return sync_folder_of(to, err);
	}
	if (!str_eq(what, "unlink"))
		return error_set(err, EINVAL, "an unknown step");
	if (unlink(path) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove '%s'", path);
	return sync_folder_of(path, err);
}

int disk_journal_finish(int state_dirfd, bool counts, struct error *err)
{
	struct disk_journal *j;
	json_t *step;
	size_t i;
	int rc = disk_journal_read(state_dirfd, &j, err);

	if (rc < 0 || !j)
		return rc;
	json_array_foreach (counts ? j->steps : j->undo, i, step) {
		rc = do_step(step, err);
		if (rc < 0)
			break;
		fault_point("step of a journal");
	}
	disk_journal_free(j);
	free(j);
	if (rc < 0)
		return error_wrap(err, rc, "'" NAME_DISK_JOURNAL "'");
	if (unlinkat(state_dirfd, NAME_DISK_JOURNAL, 0) < 0 || fsync(state_dirfd) < 0)
		return error_errno(err, errno, "remove '" NAME_DISK_JOURNAL "'");
	return 0;
}

int disk_journal_lock(int state_dirfd, int *ret_fd, struct error *err)
{
	return file_lock_wait(state_dirfd, NAME_DISK_LOCK, ret_fd, err);
}

/* Whether path is an image that was made and that nobody wrote to. */
static bool is_untouched(const char *path)
{
	struct disk_chain chain;
	bool untouched = false;
	int rc = disk_chain_open(path, DISK_FORMAT_QCOW2, true, &chain, NULL, NULL);

	if (rc < 0)
		return false;
	rc = disk_is_untouched(chain.v[0].fd, &untouched, NULL);
	disk_chain_close(&chain);
	return rc == 0 && untouched;
}

/* Where QEMU was about to make the change and has gone: what would get a name holds nothing, so
 * that all is the same without it. */
static bool is_for_nothing(const struct disk_journal *j)
{
	json_t *step;
	size_t i;

	json_array_foreach (j->steps, i, step) {
		const char *path = json_get_string(step, "path");

		if (str_eq(json_get_string(step, "do") ?: "", "rename") &&
		    (!path || !is_untouched(path)))
			return false;
	}
	return json_array_size(j->undo) > 0;
}

int disk_journal_settle_locked(int state_dirfd, struct error *err)
{
	struct disk_journal *j;
	bool counts;
	int rc = disk_journal_read(state_dirfd, &j, err);

	if (rc < 0 || !j)
		return rc;
	counts = !j->nodes || (j->counts_stopped && !is_for_nothing(j));
	disk_journal_free(j);
	free(j);
	log_info("a change of its images that was cut off is %s", counts ? "finished" : "undone");
	return disk_journal_finish(state_dirfd, counts, err);
}

int disk_journal_settle(int state_dirfd, struct error *err)
{
	cleanup_close int lock = -1;
	int rc;

	if (faccessat(state_dirfd, NAME_DISK_JOURNAL, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
		return 0;
	rc = disk_journal_lock(state_dirfd, &lock, err);
	return rc < 0 ? rc : disk_journal_settle_locked(state_dirfd, err);
}

int disk_journal_settle_vm(const struct paths *paths, const char *vm, struct error *err)
{
	cleanup_close int state_dirfd = -1;
	int rc = paths_open_state(paths, PATHS_VM, vm, 0, &state_dirfd, NULL);

	return rc < 0 ? 0 : disk_journal_settle(state_dirfd, err);
}
