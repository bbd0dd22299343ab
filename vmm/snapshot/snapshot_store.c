/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/snapshot_store.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fault.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/holder.h"
#include "vmm/json.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define FOLDER "snapshots"
#define CURRENT "current"
#define LOADING "loading"
#define LOCK "lock"

enum { RECORD_BYTES_MAX = 1024 * 1024, RECORDS_MAX = 10000, FILE_NAME_MAX = 80 };

static const char *file_name(char buf[static FILE_NAME_MAX], const char *tag, const char *suffix)
{
	(void)str_format(buf, FILE_NAME_MAX, "%s%s", tag, suffix);
	return buf;
}

/* A file that holds one tag. */
static int read_tag(int dirfd, const char *name, char **ret_tag, struct error *err)
{
	cleanup_free char *text = NULL;
	int rc = file_read_plain(dirfd, name, SNAPSHOT_TAG_MAX + 1, &text, NULL, err);

	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return rc;
	text[strcspn(text, "\n")] = '\0';
	if (!str_is_name(text))
		return error_set(err, EINVAL, "'" FOLDER "/%s' is not as expected (remove it)",
				 name);
	*ret_tag = steal_ptr(&text);
	return 0;
}

static int sync_folder(int dirfd, struct error *err)
{
	return fsync(dirfd) < 0 ? error_errno(err, errno, "fsync '" FOLDER "'") : 0;
}

/* Durable or not: after a crash it is the old one or the new one in any case. */
static int write_tag(struct snapshot_store *s, const char *name, const char *tag, bool durable,
		     char **kept, struct error *err)
{
	int (*write)(int, const char *, const void *, size_t, mode_t, struct error *) =
		durable ? file_write_atomic : file_write_volatile;
	cleanup_free char *copy = tag ? strdup(tag) : NULL, *line = NULL;
	int rc;

	if (tag) {
		line = str_printf("%s\n", tag);
		rc = copy && line ? write(s->dirfd, name, line, strlen(line), 0644, err)
				  : error_oom(err);
	} else {
		rc = unlinkat(s->dirfd, name, 0) < 0 && errno != ENOENT
			     ? error_errno(err, errno, "remove '" FOLDER "/%s'", name)
			     : sync_folder(s->dirfd, err);
	}
	if (rc < 0)
		return rc;
	free(*kept);
	*kept = steal_ptr(&copy);
	return 0;
}

int snapshot_store_set_current(struct snapshot_store *s, const char *tag, struct error *err)
{
	return write_tag(s, CURRENT, tag, false, &s->current, err);
}

int snapshot_store_set_loading(struct snapshot_store *s, const char *tag, struct error *err)
{
	return write_tag(s, LOADING, tag, true, &s->loading, err);
}

/* Takes *r over. */
static int append(struct snapshot_store *s, struct snapshot_record *r, struct error *err)
{
	struct snapshot_record *grown;

	if (s->n == RECORDS_MAX)
		return error_set(err, E2BIG, "more than %d snapshots", RECORDS_MAX);
	grown = reallocarray(s->v, s->n + 1, sizeof(*grown));
	if (!grown)
		return error_oom(err);
	s->v = grown;
	s->v[s->n++] = *r;
	*r = (struct snapshot_record){0};
	return 0;
}

static int read_record(struct snapshot_store *s, const char *file, const char *tag,
		       struct error *err)
{
	cleanup_free char *text = NULL;
	struct snapshot_record r = {0};
	int rc;

	rc = file_read_plain(s->dirfd, file, RECORD_BYTES_MAX, &text, NULL, err);
	if (rc == 0)
		rc = snapshot_record_decode(text, tag, &r, err);
	if (rc == 0)
		rc = append(s, &r, err);
	snapshot_record_free(&r);
	return error_wrap_if(err, rc, "snapshot '%s'", tag);
}

static int by_date(const void *a, const void *b)
{
	const struct snapshot_record *one = a, *two = b;

	if (one->date != two->date)
		return one->date < two->date ? -1 : 1;
	if (one->date_ns != two->date_ns)
		return one->date_ns < two->date_ns ? -1 : 1;
	return strcmp(one->tag, two->tag);
}

static int read_records(struct snapshot_store *s, struct error *err)
{
	cleanup_close int fd = openat(s->dirfd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_closedir DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	int rc = 0;

	if (!dir)
		return error_errno(err, errno, "open '" FOLDER "'");
	(void)steal_fd(&fd);
	while (rc == 0 && (entry = readdir(dir))) {
		size_t len = strlen(entry->d_name), suffix = strlen(".json");
		char tag[SNAPSHOT_TAG_MAX + 1];

		if (len <= suffix || !str_eq(entry->d_name + len - suffix, ".json") ||
		    !str_format(tag, sizeof(tag), "%.*s", (int)(len - suffix), entry->d_name) ||
		    !str_is_name(tag))
			continue;
		rc = read_record(s, entry->d_name, tag, err);
	}
	if (s->n)
		qsort(s->v, s->n, sizeof(*s->v), by_date);
	return rc;
}

static int read_all(struct snapshot_store *s, struct error *err)
{
	int rc = read_records(s, err);

	if (rc == 0)
		rc = read_tag(s->dirfd, CURRENT, &s->current, err);
	if (rc == 0)
		rc = read_tag(s->dirfd, LOADING, &s->loading, err);
	return rc;
}

int snapshot_store_read(const struct paths *paths, const char *vm, struct snapshot_store *ret_store,
			struct error *err)
{
	struct snapshot_store s = SNAPSHOT_STORE_INIT;
	int rc;

	rc = paths_open_state(paths, PATHS_VM, vm, 0, &s.state_dirfd, err);
	if (rc == 0) {
		s.dirfd = openat(s.state_dirfd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		rc = s.dirfd < 0 ? error_errno(err, errno, "open '" FOLDER "'") : 0;
	}
	if (rc == 0)
		rc = read_all(&s, err);
	if (rc == -ENOENT)
		rc = 0;
	if (rc < 0)
		snapshot_store_close(&s);
	else
		*ret_store = s;
	return rc;
}

int snapshot_store_lock(const struct paths *paths, const char *vm, struct snapshot_store *ret_store,
			struct error *err)
{
	struct snapshot_store s = SNAPSHOT_STORE_INIT;
	int rc;

	rc = paths_open_state(paths, PATHS_VM, vm, 1, &s.state_dirfd, err);
	if (rc == 0)
		rc = file_open_dir(s.state_dirfd, FOLDER, 0755, &s.dirfd, err);
	if (rc == 0)
		rc = file_lock(s.dirfd, LOCK, &s.lock_fd, err);
	if (rc == -EWOULDBLOCK && holder_check(s.dirfd, LOCK, err) == 0)
		(void)error_set(err, EBUSY, "somebody is at its snapshots already");
	if (rc == -EWOULDBLOCK)
		rc = -EBUSY;
	/* A disk that is full has no room for it, and a removal has to go on there. */
	if (rc == 0)
		(void)holder_sign(s.lock_fd, true, NULL);
	if (rc == 0)
		rc = read_all(&s, err);
	if (rc < 0)
		snapshot_store_close(&s);
	else
		*ret_store = s;
	return rc;
}

void snapshot_store_close(struct snapshot_store *s)
{
	for (size_t i = 0; i < s->n; i++)
		snapshot_record_free(&s->v[i]);
	free(s->v);
	free(s->current);
	free(s->loading);
	close_fd(&s->dirfd);
	close_fd(&s->state_dirfd);
	close_fd(&s->lock_fd);
	*s = (struct snapshot_store)SNAPSHOT_STORE_INIT;
}

struct snapshot_record *snapshot_store_find(const struct snapshot_store *s, const char *tag)
{
	for (size_t i = 0; i < s->n; i++)
		if (str_eq(s->v[i].tag, tag))
			return &s->v[i];
	return NULL;
}

int snapshot_store_get(const struct snapshot_store *s, const char *tag,
		       const struct snapshot_record **ret_record, struct error *err)
{
	cleanup_strbuf struct strbuf known = {0};

	*ret_record = snapshot_store_find(s, tag);
	if (*ret_record && (*ret_record)->stage == SNAPSHOT_COMPLETE)
		return 0;
	for (size_t i = 0; i < s->n; i++)
		if (s->v[i].stage == SNAPSHOT_COMPLETE)
			strbuf_addf(&known, "%s%s", known.len ? ", " : "", s->v[i].tag);
	if (*ret_record)
		return error_set(err, ENOENT,
				 "snapshot '%s' was %s (hv check --images --repair clears it away)",
				 tag,
				 (*ret_record)->stage == SNAPSHOT_PENDING ? "never complete"
									  : "half removed");
	return error_set(err, ENOENT, "there is no snapshot '%s'; there is: %s", tag,
			 known.data ? known.data : "none");
}

static int write_record(struct snapshot_store *s, const struct snapshot_record *r,
			struct error *err)
{
	cleanup_json json_t *root = snapshot_record_encode(r);
	cleanup_free char *text = root ? json_dumps(root, JSON_INDENT(2)) : NULL;
	char name[FILE_NAME_MAX];

	return text ? file_write_atomic(s->dirfd, file_name(name, r->tag, ".json"), text,
					strlen(text), 0644, err)
		    : error_oom(err);
}

int snapshot_store_put(struct snapshot_store *s, struct snapshot_record *r, struct error *err)
{
	int rc = write_record(s, r, err);

	fault_point("snapshot written down");
	if (rc == 0 && snapshot_store_find(s, r->tag) != r)
		rc = append(s, r, err);
	return rc;
}

/* Those made from it have its own parent from now on. */
static int hand_down(struct snapshot_store *s, const struct snapshot_record *leaving,
		     struct error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < s->n; i++) {
		struct snapshot_record *child = &s->v[i];
		char *parent;

		if (!child->parent || !str_eq(child->parent, leaving->tag))
			continue;
		parent = leaving->parent ? strdup(leaving->parent) : NULL;
		if (leaving->parent && !parent)
			return error_oom(err);
		free(child->parent);
		child->parent = parent;
		rc = write_record(s, child, err);
	}
	if (rc == 0 && s->current && str_eq(s->current, leaving->tag))
		rc = snapshot_store_set_current(s, leaving->parent, err);
	return rc;
}

static int remove_files(struct snapshot_store *s, const char *tag, struct error *err)
{
	static const char *const suffixes[] = {".memory", ".tpm", ".json"};
	int rc = 0;

	/* The record last: while it is there, the rest is looked for. */
	for (size_t i = 0; rc == 0 && i < ARRAY_SIZE(suffixes); i++) {
		char name[FILE_NAME_MAX];

		rc = file_remove_tree(s->dirfd, file_name(name, tag, suffixes[i]), err);
		fault_point("part of a snapshot removed");
	}
	return rc < 0 ? rc : sync_folder(s->dirfd, err);
}

int snapshot_store_remove(struct snapshot_store *s, const char *tag, struct error *err)
{
	struct snapshot_record *r = snapshot_store_find(s, tag);
	int rc;

	if (!r)
		return 0;
	rc = hand_down(s, r, err);
	if (rc == 0)
		rc = remove_files(s, r->tag, err);
	if (rc < 0)
		return rc;
	snapshot_record_free(r);
	memmove(r, r + 1, (size_t)(s->v + s->n - (r + 1)) * sizeof(*r));
	s->n--;
	return 0;
}

int snapshot_store_open_memory(const struct snapshot_store *s, const char *tag, bool make,
			       int *ret_fd, struct error *err)
{
	char name[FILE_NAME_MAX];
	cleanup_close int fd = -1;

	(void)file_name(name, tag, ".memory");
	if (make && unlinkat(s->dirfd, name, 0) < 0 && errno != ENOENT)
		return error_errno(err, errno, "remove '" FOLDER "/%s'", name);
	fd = openat(s->dirfd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | (make ? O_CREAT | O_EXCL : 0),
		    0600);
	if (fd < 0)
		return error_errno(err, errno, "open '" FOLDER "/%s'", name);
	*ret_fd = steal_fd(&fd);
	return 0;
}

int snapshot_store_may_start(int state_dirfd, const char *vm, bool *ret_loading, struct error *err)
{
	cleanup_close int dirfd =
		openat(state_dirfd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	cleanup_free char *tag = NULL;
	bool held;
	int rc;

	*ret_loading = false;
	if (dirfd < 0)
		return errno == ENOENT ? 0 : error_errno(err, errno, "open '" FOLDER "'");
	held = file_is_locked(dirfd, LOCK);
	rc = read_tag(dirfd, LOADING, &tag, err);
	if (rc < 0)
		return rc;
	if (!tag && held && holder_check(dirfd, LOCK, err) < 0)
		return -EBUSY;
	if (!tag && held)
		return error_set(err, EBUSY, "a snapshot of it is being made, loaded or removed");
	if (tag && !held)
		return error_set(err, EBUSY,
				 "the load of snapshot '%s' was broken off: disks and memory do "
				 "not fit together (hv snap load %s %s once more)",
				 tag, vm, tag);
	*ret_loading = tag != NULL;
	return 0;
}

char *snapshot_store_loading(const struct paths *paths, const char *vm)
{
	cleanup_close int state_dirfd = -1, dirfd = -1;
	char *tag = NULL;

	if (paths_open_state(paths, PATHS_VM, vm, 0, &state_dirfd, NULL) < 0)
		return NULL;
	dirfd = openat(state_dirfd, FOLDER, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dirfd >= 0)
		(void)read_tag(dirfd, LOADING, &tag, NULL);
	return tag;
}
