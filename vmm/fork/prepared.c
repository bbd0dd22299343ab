/* SPDX-License-Identifier: MIT */
#include "vmm/fork/prepared.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/pins.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { STATE_BYTES_MAX = 1024 * 1024, BLOCK_BYTES = 512 };

int prepared_open_store(const struct paths *paths, bool make, int *ret_dirfd, struct error *err)
{
	cleanup_free char *path = str_printf("%s/states", paths->state);
	int fd, rc;

	if (!path)
		return error_oom(err);
	rc = make ? file_mkdir_all(path, 0711, err) : 0;
	if (rc < 0)
		return rc;
	fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "folder '%s'", path);
	*ret_dirfd = fd;
	return 0;
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Names in the store, sorted; half of them may be no states. */
static int read_names(int store, struct strv *ret_names, struct error *err)
{
	int copy = fcntl(store, F_DUPFD_CLOEXEC, 0);
	cleanup_closedir DIR *dir = copy >= 0 ? fdopendir(copy) : NULL;
	struct dirent *entry;

	if (!dir) {
		close_fd(&copy);
		return error_errno(err, errno, "read the folder of states");
	}
	rewinddir(dir);
	while ((entry = readdir(dir)))
		if (!str_eq(entry->d_name, ".") && !str_eq(entry->d_name, ".."))
			strv_add(ret_names, entry->d_name);
	if (ret_names->failed)
		return error_oom(err);
	if (ret_names->n)
		qsort(ret_names->v, ret_names->n, sizeof(*ret_names->v), compare_names);
	return 0;
}

static int open_folder(int store, const char *name)
{
	return openat(store, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static bool is_whole(int store, const char *name)
{
	cleanup_close int dirfd = open_folder(store, name);

	return dirfd >= 0 && faccessat(dirfd, PREPARED_STATE, F_OK, 0) == 0;
}

bool prepared_exists(const struct paths *paths, const char *name)
{
	cleanup_close int store = -1;

	return str_is_name(name) && prepared_open_store(paths, false, &store, NULL) == 0 &&
	       is_whole(store, name);
}

uint64_t prepared_inode(const struct paths *paths, const char *name)
{
	cleanup_close int store = -1, dirfd = -1;
	struct stat st;

	if (!str_is_name(name) || prepared_open_store(paths, false, &store, NULL) < 0 ||
	    !is_whole(store, name))
		return 0;
	dirfd = open_folder(store, name);
	return dirfd >= 0 && fstatat(dirfd, PREPARED_MEMORY, &st, AT_SYMLINK_NOFOLLOW) == 0
		       ? st.st_ino
		       : 0;
}

static int not_there(int store, const char *name, struct error *err)
{
	cleanup_strbuf struct strbuf those = {0};
	cleanup_strv struct strv names = {0};

	/* A fork's own is named by the process that makes it. */
	if (name[0] == '.' && name[1] >= '0' && name[1] <= '9')
		return error_set(err, ENOENT,
				 "the fork that it was to begin with was cut off, and its state is "
				 "gone (hv fork begins it once more, hv up --discard-state boots "
				 "it)");
	if (store >= 0)
		(void)read_names(store, &names, NULL);
	for (size_t i = 0; i < names.n; i++)
		if (str_is_name(names.v[i]) && is_whole(store, names.v[i]))
			strbuf_addf(&those, "%s%s", those.len ? ", " : "", names.v[i]);
	return error_set(err, ENOENT, "there is no prepared state '%s' (%s%s)", name,
			 those.len ? "there are: " : "hv state save makes one",
			 those.len ? those.data : "");
}

static int load(int dirfd, struct prepared *p, struct error *err)
{
	cleanup_free char *text = NULL;
	json_error_t fault;
	int rc;

	rc = file_read_plain(dirfd, PREPARED_STATE, STATE_BYTES_MAX, &text, NULL, err);
	if (rc < 0)
		return rc;
	p->state = json_loads(text, JSON_REJECT_DUPLICATES, &fault);
	if (!p->state)
		return error_set(err, EINVAL, PREPARED_STATE ", line %d: it is not JSON",
				 fault.line);
	p->memory_fd = openat(dirfd, PREPARED_MEMORY, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	p->device_fd = openat(dirfd, PREPARED_DEVICE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (p->memory_fd < 0 || p->device_fd < 0)
		return error_errno(err, errno, "open its memory");
	return 0;
}

int prepared_open(const struct paths *paths, const char *name, struct prepared *ret_prepared,
		  struct error *err)
{
	struct prepared p = PREPARED_INIT;
	cleanup_close int store = -1, dirfd = -1;
	int rc;

	rc = prepared_open_store(paths, false, &store, err);
	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == -ENOENT || strchr(name, '/') || !is_whole(store, name))
		return not_there(store, name, err);
	dirfd = open_folder(store, name);
	if (dirfd < 0)
		return error_errno(err, errno, "state '%s'", name);
	p.name = strdup(name);
	rc = p.name ? load(dirfd, &p, err) : error_oom(err);
	if (rc < 0) {
		prepared_close(&p);
		return error_wrap(err, rc, "state '%s'", name);
	}
	*ret_prepared = p;
	return 0;
}

int prepared_check_there(const struct paths *paths, const char *name, struct error *err)
{
	cleanup_close int store = -1;
	int rc = prepared_open_store(paths, false, &store, err);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	return rc < 0 || strchr(name, '/') || !is_whole(store, name) ? not_there(store, name, err)
								     : 0;
}

void prepared_close(struct prepared *p)
{
	free(p->name);
	json_decref(p->state);
	close_fd(&p->memory_fd);
	close_fd(&p->device_fd);
	*p = (struct prepared)PREPARED_INIT;
}

/* On the disk: memory that the guest never touched is a hole. */
static json_int_t bytes_of(int store, const char *name)
{
	static const char *const files[] = {PREPARED_MEMORY, PREPARED_DEVICE};
	cleanup_close int dirfd = open_folder(store, name);
	json_int_t bytes = 0;
	struct stat st;

	for (size_t i = 0; dirfd >= 0 && i < ARRAY_SIZE(files); i++)
		if (fstatat(dirfd, files[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
			bytes += (json_int_t)st.st_blocks * BLOCK_BYTES;
	return bytes;
}

static int add_to_list(const struct paths *paths, int store, const char *name, json_t *list,
		       struct error *err)
{
	struct prepared p = PREPARED_INIT;
	int rc = prepared_open(paths, name, &p, err);

	if (rc == 0 &&
	    (json_object_set_new(p.state, "name", json_string(name)) < 0 ||
	     json_object_set_new(p.state, "bytes", json_integer(bytes_of(store, name))) < 0 ||
	     json_array_append(list, p.state) < 0))
		rc = error_oom(err);
	prepared_close(&p);
	return rc;
}

void prepared_hold_store(int store)
{
	while (flock(store, LOCK_EX) < 0 && errno == EINTR)
		;
}

void prepared_release_store(int store)
{
	(void)flock(store, LOCK_UN);
}

/* Whoever makes a state, or forks from one of its own, holds its lock. */
static bool is_half_made(int store, const char *name)
{
	cleanup_close int dirfd = open_folder(store, name);

	return name[0] == '.' && dirfd >= 0 && !file_is_locked(dirfd, PREPARED_LOCK);
}

static int remove_half_made(int store, const char *name, struct error *err)
{
	int rc = 0;

	prepared_hold_store(store);
	if (is_half_made(store, name))
		rc = file_remove_tree(store, name, err);
	prepared_release_store(store);
	return rc;
}

int prepared_sweep(const struct paths *paths, bool remove, struct prepared_unfinished *ret_found,
		   struct error *err)
{
	struct prepared_unfinished found = {0};
	cleanup_strv struct strv names = {0};
	cleanup_close int store = -1;
	int rc = prepared_open_store(paths, false, &store, err);

	if (rc == 0)
		rc = read_names(store, &names, err);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		if (is_half_made(store, names.v[i])) {
			found.n_left++;
			if (remove)
				rc = remove_half_made(store, names.v[i], err);
		} else if (names.v[i][0] == '.') {
			found.n_under_way++;
		}
	}
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*ret_found = found;
	return 0;
}

int prepared_list(const struct paths *paths, json_t **ret_list, struct error *err)
{
	cleanup_json json_t *list = json_array();
	cleanup_strv struct strv names = {0};
	cleanup_close int store = -1;
	int rc;

	if (!list)
		return error_oom(err);
	rc = prepared_open_store(paths, false, &store, err);
	if (rc == 0)
		rc = read_names(store, &names, err);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		if (is_half_made(store, names.v[i]))
			(void)remove_half_made(store, names.v[i], NULL);
		else if (names.v[i][0] != '.' && is_whole(store, names.v[i]))
			rc = add_to_list(paths, store, names.v[i], list, err);
	}
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*ret_list = json_incref(list);
	return 0;
}

/* Of a fork whose hv was killed nothing is left but its folder. */
static bool is_in_use(int store, const char *name)
{
	cleanup_close int dirfd = open_folder(store, name);

	return dirfd >= 0 && (name[0] != '.' || file_is_locked(dirfd, PREPARED_LOCK));
}

int prepared_all_layers(const struct paths *paths, json_t **ret_layers, struct error *err)
{
	cleanup_json json_t *all = json_object();
	cleanup_strv struct strv names = {0};
	cleanup_close int store = -1;
	int rc;

	if (!all)
		return error_oom(err);
	rc = prepared_open_store(paths, false, &store, err);
	if (rc == 0)
		rc = read_names(store, &names, err);
	for (size_t i = 0; rc == 0 && i < names.n; i++) {
		struct prepared p = PREPARED_INIT;

		if (!is_whole(store, names.v[i]) || !is_in_use(store, names.v[i]))
			continue;
		rc = prepared_open(paths, names.v[i], &p, err);
		if (rc == 0)
			(void)json_object_set(all, names.v[i], json_object_get(p.state, "layers"));
		/* It went meanwhile. */
		rc = rc == -ENOENT ? 0 : rc;
		prepared_close(&p);
	}
	if (rc < 0 && rc != -ENOENT)
		return rc;
	*ret_layers = json_incref(all);
	return 0;
}

int prepared_remove(const struct paths *paths, const char *name, struct error *err)
{
	cleanup_close int store = -1, dirfd = -1;
	int rc = prepared_open_store(paths, false, &store, err);

	if (rc < 0 && rc != -ENOENT)
		return rc;
	if (rc == -ENOENT || strchr(name, '/') || !is_whole(store, name))
		return not_there(store, name, err);
	dirfd = open_folder(store, name);
	/* First what makes it a state: a half that is left is none. */
	if (dirfd < 0 || unlinkat(dirfd, PREPARED_STATE, 0) < 0 || fsync(dirfd) < 0)
		return error_errno(err, errno, "remove state '%s'", name);
	return file_remove_tree(store, name, err);
}

bool prepared_is_lasting(const struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_disks; i++)
		if (!vm->disks[i].read_only)
			return true;
	return vm->tpm;
}

const char *prepared_choose(const struct spec_vm *vm, const struct vm_pins *pins)
{
	if (pins->next_state)
		return pins->next_state;
	return pins->begun && prepared_is_lasting(vm) ? NULL : vm->template_state;
}

void prepared_forget(const struct paths *paths, const char *vm)
{
	struct vm_pins pins = {0};
	cleanup_close int dirfd = -1;

	if (paths_open_state(paths, PATHS_VM, vm, 0, &dirfd, NULL) < 0 ||
	    vm_pins_load(dirfd, &pins, NULL) < 0)
		return;
	if (pins.next_state) {
		free(steal_ptr(&pins.next_state));
		pins.next_links_up = false;
		(void)vm_pins_save(dirfd, &pins, NULL);
	}
	vm_pins_free(&pins);
}
