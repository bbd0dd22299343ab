/* SPDX-License-Identifier: MIT */
#include "vmm/machines.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/str.h"
#include "disk/frozen.h"
#include "disk/record.h"
#include "vmm/json.h"
#include "vmm/machine_hold.h"
#include "vmm/rundir.h"
#include "vmm/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

enum { FILE_BYTES_MAX = 4 * 1024 * 1024, NAME_BYTES = 80 };

/* What a name's files are called. */
struct names {
	char file[NAME_BYTES], part[NAME_BYTES], lock[NAME_BYTES];
};

static int make_names(const char *name, struct names *ret_names, struct error *err)
{
	if (!str_is_name(name))
		return error_set(err, EINVAL,
				 "'%s' is not a name: 1 to 63 letters, digits and _ . -, the first "
				 "a letter or digit",
				 name);
	(void)str_format(ret_names->file, NAME_BYTES, "%s.yaml", name);
	(void)str_format(ret_names->part, NAME_BYTES, ".%s.part", name);
	(void)str_format(ret_names->lock, NAME_BYTES, ".%s.lock", name);
	return 0;
}

/* JSON is YAML, too; and it can be read without a lab, whatever became of the rest. */
char *machine_text(const char *name, json_t *vm)
{
	json_t *j = json_pack("{s:{s:O}}", "vms", name, vm);
	cleanup_free char *text = j ? json_dumps(j, JSON_INDENT(2)) : NULL;

	json_decref(j);
	return text ? str_printf("%s\n", text) : NULL;
}

static int open_folder(const struct paths *paths, bool make, int *ret_fd, struct error *err)
{
	cleanup_free char *path = paths_machines(paths);
	int rc = path ? 0 : error_oom(err);

	if (rc == 0 && make)
		rc = file_mkdir_all(path, 0755, err);
	if (rc < 0)
		return rc;
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? error_errno(err, errno, "open folder '%s'", path) : 0;
}

static bool exists(int dirfd, const char *name)
{
	return faccessat(dirfd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool machine_is_made(const struct paths *paths, const char *name)
{
	cleanup_close int dirfd = -1;
	struct names names;

	return make_names(name, &names, NULL) == 0 &&
	       open_folder(paths, false, &dirfd, NULL) == 0 &&
	       (exists(dirfd, names.file) || exists(dirfd, names.part));
}

static int take_lock(int dirfd, const char *name, const struct names *names, int *ret_lockfd,
		     struct error *err)
{
	int rc = file_lock(dirfd, names->lock, ret_lockfd, err);

	if (rc == -EWOULDBLOCK)
		return error_set(err, EBUSY, "vm '%s' is being made or removed by another hv",
				 name);
	return rc;
}

static void let_go(int dirfd, const char *name, int *lockfd)
{
	struct names names;

	if (*lockfd >= 0 && make_names(name, &names, NULL) == 0)
		(void)unlinkat(dirfd, names.lock, 0);
	close_fd(lockfd);
}

static int sync_folder(int dirfd, struct error *err)
{
	return fsync(dirfd) < 0 ? error_errno(err, errno, "fsync the folder of machines") : 0;
}

/* The image, the name that it had while it was made, and what was recorded of it. */
static int remove_volume(const char *path, struct error *err)
{
	const char *name = strrchr(path, '/');
	int rc;
	cleanup_free char *unfinished =
		name ? str_printf("%.*s/.%s.new", (int)(name - path), path, name + 1) : NULL;

	if (!name)
		return 0;
	if (!unfinished)
		return error_oom(err);
	(void)unlink(unfinished);
	rc = disk_remove(path, err);
	if (rc < 0 && rc != -ENOENT && rc != -ENOTDIR)
		return rc;
	fault_point("volume removed");
	return disk_record_remove(path, err);
}

static int remove_volumes(json_t *document, const char *name, struct error *err)
{
	json_t *vm = json_object_get(json_object_get(document, "vms"), name), *disk;
	size_t i;

	json_array_foreach (json_object_get(vm, "disks"), i, disk) {
		const char *path = json_get_string(disk, "path");
		int rc = 0;

		if (path && !json_is_true(json_object_get(disk, "read_only")))
			rc = remove_volume(path, err);
		if (rc < 0)
			return rc;
	}
	return 0;
}

static int remove_state(const struct paths *paths, const char *name, struct error *err)
{
	/* With a dot in front: of the copy that becomes a state of it (vmm/fork/prepare.h). */
	static const char *const kinds[] = {"vm/", "tpm/", "run/", "vm/.", "tpm/."};
	cleanup_free char *folder = str_printf("%s/vm", paths->state);
	cleanup_close int dirfd = -1;
	int rc = 0;

	if (!folder)
		return error_oom(err);
	dirfd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd >= 0)
		rc = file_remove_tree(dirfd, name, err);
	fault_point("state removed");
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(kinds); i++) {
		cleanup_free char *owner = str_printf("%s%s", kinds[i], name);

		rc = owner ? uids_release(paths, owner, err) : error_oom(err);
	}
	return rc;
}

/* -ENOENT where there is no such file. */
static int read_document(const struct paths *paths, int dirfd, const char *file,
			 json_t **ret_document, struct error *err)
{
	cleanup_free char *text = NULL;
	json_error_t why;
	int rc = file_read_plain(dirfd, file, FILE_BYTES_MAX, &text, NULL, err);

	if (rc < 0)
		return rc;
	*ret_document = json_loads(text, 0, &why);
	if (!*ret_document)
		return error_set(
			err, EINVAL,
			"'%s/machines/%s' is not as hv wrote it (line %d: %s), and says what "
			"belongs to the machine: mend it first",
			paths->state, file, why.line, why.text);
	return 0;
}

/* All that the part names, and the part last. */
static int remove_part(const struct paths *paths, int dirfd, const char *name,
		       const struct names *names, struct error *err)
{
	cleanup_json json_t *document = NULL;
	int rc = read_document(paths, dirfd, names->part, &document, err);

	if (rc < 0)
		return rc == -ENOENT ? 0 : rc;
	rc = remove_volumes(document, name, err);
	if (rc == 0)
		rc = remove_state(paths, name, err);
	fault_point("all but the file removed");
	if (rc == 0 && unlinkat(dirfd, names->part, 0) < 0)
		rc = error_errno(err, errno, "remove '%s/machines/%s'", paths->state, names->part);
	return rc < 0 ? rc : sync_folder(dirfd, err);
}

static int check_free(const struct paths *paths, const char *name, int dirfd,
		      const struct names *names, struct error *err)
{
	cleanup_close int state_dirfd = -1;

	if (exists(dirfd, names->file))
		return error_set(err, EEXIST, "there is a vm '%s' already", name);
	if (paths_open_state(paths, PATHS_VM, name, 0, &state_dirfd, NULL) == 0)
		return error_set(err, EEXIST,
				 "'%s/vm/%s' is left of an earlier vm of that name; remove it "
				 "first, or take another name",
				 paths->state, name);
	return 0;
}

int machine_begin(const struct paths *paths, const char *name, json_t *vm,
		  struct machine_making *ret_making, struct error *err)
{
	struct machine_making m = MACHINE_MAKING_INIT;
	cleanup_free char *text = machine_text(name, vm);
	struct names names;
	int rc;

	m.paths = paths;
	m.name = name;
	if (!text)
		return error_oom(err);
	rc = make_names(name, &names, err);
	if (rc == 0)
		rc = open_folder(paths, true, &m.dirfd, err);
	if (rc == 0)
		rc = take_lock(m.dirfd, name, &names, &m.lockfd, err);
	if (rc == 0)
		rc = remove_part(paths, m.dirfd, name, &names, err);
	if (rc == 0)
		rc = check_free(paths, name, m.dirfd, &names, err);
	if (rc == 0)
		rc = file_write_atomic(m.dirfd, names.part, text, strlen(text), 0644, err);
	if (rc < 0) {
		let_go(m.dirfd, name, &m.lockfd);
		close_fd(&m.dirfd);
		return rc;
	}
	fault_point("machine begun");
	*ret_making = m;
	return 0;
}

int machine_finish(struct machine_making *m, struct error *err)
{
	struct names names;
	int rc = make_names(m->name, &names, err);

	if (rc == 0 && renameat2(m->dirfd, names.part, m->dirfd, names.file, RENAME_NOREPLACE) < 0)
		rc = error_errno(err, errno, "create '%s/machines/%s'", m->paths->state,
				 names.file);
	if (rc == 0)
		rc = sync_folder(m->dirfd, err);
	if (rc < 0) {
		machine_abandon(m);
		return rc;
	}
	let_go(m->dirfd, m->name, &m->lockfd);
	close_fd(&m->dirfd);
	return 0;
}

void machine_abandon(struct machine_making *m)
{
	struct names names;

	if (m->lockfd < 0)
		return;
	if (make_names(m->name, &names, NULL) == 0)
		(void)remove_part(m->paths, m->dirfd, m->name, &names, NULL);
	let_go(m->dirfd, m->name, &m->lockfd);
	close_fd(&m->dirfd);
}

/* From here on it is no machine any more, only what is left of one; so what it says can be read. */
static int turn_to_part(const struct paths *paths, int dirfd, const struct names *names,
			struct error *err)
{
	cleanup_json json_t *document = NULL;
	int rc = read_document(paths, dirfd, names->file, &document, err);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (renameat(dirfd, names->file, dirfd, names->part) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove '%s/machines/%s'", paths->state,
				   names->file);
	fault_point("machine unmade");
	return sync_folder(dirfd, err);
}

json_t *machine_read(const struct paths *paths, const char *name)
{
	cleanup_json json_t *document = NULL;
	cleanup_free char *text = NULL;
	cleanup_close int dirfd = -1;
	struct names names;

	if (make_names(name, &names, NULL) < 0 || open_folder(paths, false, &dirfd, NULL) < 0 ||
	    file_read_plain(dirfd, names.file, FILE_BYTES_MAX, &text, NULL, NULL) < 0)
		return NULL;
	document = json_loads(text, 0, NULL);
	return json_incref(json_object_get(json_object_get(document, "vms"), name));
}

int machine_remove(const struct paths *paths, const char *name, struct error *err)
{
	cleanup_close int dirfd = -1, lockfd = -1;
	struct rundir run = RUNDIR_INIT;
	struct names names;
	int rc;

	rc = make_names(name, &names, err);
	if (rc == 0)
		rc = open_folder(paths, false, &dirfd, err);
	if (rc == 0)
		rc = take_lock(dirfd, name, &names, &lockfd, err);
	if (rc < 0)
		return rc;
	/* Nobody starts it meanwhile. */
	rc = machine_hold_down(paths, name, &run, err);
	if (rc == 0)
		rc = turn_to_part(paths, dirfd, &names, err);
	if (rc == 0)
		rc = remove_part(paths, dirfd, name, &names, err);
	rundir_remove(&run, paths, PATHS_VM, name);
	let_go(dirfd, name, &lockfd);
	return rc;
}
