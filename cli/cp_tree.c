/* SPDX-License-Identifier: MIT */
#include "cli/cp_tree.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CHUNK_BYTES = 256 * 1024, SPECIAL_BITS = 07000, ALL_BITS = 07777 };

static void close_fts(FTS **fts)
{
	if (*fts)
		(void)fts_close(*fts);
}

static FTS *open_fts(const char *folder)
{
	char *const paths[] = {(char *)folder, NULL};

	return fts_open(paths, FTS_PHYSICAL | FTS_COMFOLLOW | FTS_NOCHDIR, NULL);
}

static int fail(struct error *err, int code, const char *path, const char *what)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, path, strlen(path), false);
	return error_errno(err, code, "%s '%s'", what, shown.data ? shown.data : "");
}

static int add_contents(struct cp_tree *tree, const char *path, char *chunk, struct error *err)
{
	cleanup_close int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0) {
		n = read(fd, chunk, CHUNK_BYTES);
		if (n > 0)
			sha256_add(&tree->sum, chunk, (size_t)n);
	}
	return n < 0 ? fail(err, errno, path, "read") : 0;
}

/* One that a stranger sent is what it says, and gives nobody what he does not have. */
static int tame(const FTSENT *entry, const char *name, struct error *err)
{
	mode_t mode = entry->fts_statp->st_mode;

	if (!S_ISREG(mode) && !S_ISDIR(mode) && !S_ISLNK(mode))
		return fail(err, EPERM, name + strspn(name, "/"),
			    "it holds a device, a FIFO or a socket,");
	if (!S_ISLNK(mode) && mode & SPECIAL_BITS &&
	    chmod(entry->fts_path, mode & ALL_BITS & ~(mode_t)SPECIAL_BITS) < 0)
		return fail(err, errno, entry->fts_path, "change the mode of");
	return 0;
}

static int take_entry(const FTSENT *entry, size_t prefix, bool came, char *chunk,
		      struct cp_tree *tree, struct error *err)
{
	const char *name = entry->fts_path + prefix;
	int rc;

	if (entry->fts_info == FTS_DP)
		return 0;
	if (entry->fts_info == FTS_DNR || entry->fts_info == FTS_ERR || entry->fts_info == FTS_NS)
		return fail(err, entry->fts_errno, entry->fts_path, "read");
	rc = came ? tame(entry, name, err) : 0;
	if (rc < 0 || entry->fts_info != FTS_F)
		return rc;
	strbuf_addf(&tree->names, "./%s", name + strspn(name, "/"));
	strbuf_add(&tree->names, "", 1);
	tree->n_bytes += (uint64_t)entry->fts_statp->st_size;
	if (tree->names.failed)
		return error_oom(err);
	if (tree->names.len > CP_TREE_NAMES_MAX)
		return error_set(err, E2BIG, "the names of its files are longer than %d MiB",
				 CP_TREE_NAMES_MAX >> 20);
	return chunk ? add_contents(tree, entry->fts_path, chunk, err) : 0;
}

int cp_tree_look(const char *folder, bool came, bool sums, struct cp_tree *ret_tree,
		 struct error *err)
{
	__attribute__((cleanup(close_fts))) FTS *fts = open_fts(folder);
	cleanup_free char *chunk = sums ? malloc(CHUNK_BYTES) : NULL;
	FTSENT *entry;
	int rc = 0;

	if (!fts || (sums && !chunk))
		return error_oom(err);
	*ret_tree = (struct cp_tree){0};
	sha256_init(&ret_tree->sum);
	while (rc == 0 && (errno = 0, entry = fts_read(fts)))
		rc = take_entry(entry, strlen(folder), came, chunk, ret_tree, err);
	if (rc == 0 && errno)
		rc = fail(err, errno, folder, "read");
	if (rc < 0)
		cp_tree_free(ret_tree);
	return rc;
}

void cp_tree_free(struct cp_tree *tree)
{
	strbuf_free(&tree->names);
}

void cp_tree_remove(const char *folder)
{
	__attribute__((cleanup(close_fts))) FTS *fts = open_fts(folder);
	FTSENT *entry;

	while (fts && (entry = fts_read(fts))) {
		/* Before it is read: its owner may not have let himself in. */
		if (entry->fts_info == FTS_D)
			(void)chmod(entry->fts_path, 0700);
		else if (entry->fts_info == FTS_DP || entry->fts_info == FTS_DNR)
			(void)rmdir(entry->fts_path);
		else
			(void)unlink(entry->fts_path);
	}
}
