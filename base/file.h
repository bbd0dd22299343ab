/* SPDX-License-Identifier: MIT */
/*
 * Files and folders. Everything is relative to a folder's descriptor where
 * that is possible; AT_FDCWD works everywhere. A mode is what is made has, whatever the
 * umask. Nothing here blocks longer than
 * the file system does.
 */
#ifndef HV_BASE_FILE_H
#define HV_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct error;

/* Reads a whole file of at most max bytes (-EFBIG beyond). The data is
 * NUL-terminated behind *ret_len bytes and the caller's to free. ret_len may
 * be NULL. */
int file_read(int dirfd, const char *path, size_t max, char **ret_data, size_t *ret_len,
	      struct error *err);

/* The same for a folder that somebody less trusted may write to: a symbolic link
 * (-ELOOP) and what is no plain file (-EINVAL) are refused, and a FIFO is not
 * waited for. */
int file_read_plain(int dirfd, const char *name, size_t max, char **ret_data, size_t *ret_len,
		    struct error *err);

/* Replaces dirfd/name by data: temporary file, fsync, rename, fsync of the
 * folder. A crash leaves the old contents or the new ones. */
int file_write_atomic(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
		      struct error *err);

/* As above without either fsync, for what does not outlive the boot. */
int file_write_volatile(int dirfd, const char *name, const void *data, size_t len, mode_t mode,
			struct error *err);

/* Writes all of data to fd (a file or a blocking descriptor). */
int file_write_all(int fd, const void *data, size_t len, struct error *err);

/* mkdir -p; folders that exist keep their mode. */
int file_mkdir_all(const char *path, mode_t mode, struct error *err);

/* Makes dirfd/name if it is missing and opens it (O_DIRECTORY|O_NOFOLLOW). */
int file_open_dir(int dirfd, const char *name, mode_t mode, int *ret_fd, struct error *err);

/* Removes dirfd/name and all below it without following links; one that is
 * missing is success. */
int file_remove_tree(int dirfd, const char *name, struct error *err);

/* The same for all that is in the folder dirfd, but for the entry except (may
 * be NULL). */
int file_remove_entries(int dirfd, const char *except, struct error *err);

/* Removes what writers of dirfd/name (file_write_…() above) left that were killed meanwhile. Only
 * for who holds the lock that they held. */
void file_remove_unfinished(int dirfd, const char *name);

/*
 * Takes an exclusive lock (of the open file, F_OFD_SETLK) on dirfd/name, creating it. Never blocks:
 * -EWOULDBLOCK (err untouched) where another open file holds it. The holder may unlink
 * the file before it lets go: the lock taken is always on the file that the
 * name stands for now. Closing *ret_fd releases it.
 */
int file_lock(int dirfd, const char *name, int *ret_fd, struct error *err);

/* As file_lock(), but waits its turn. For locks that are held for a moment. */
int file_lock_wait(int dirfd, const char *name, int *ret_fd, struct error *err);

/* Whether somebody holds the lock dirfd/name; false where there is none. */
bool file_is_locked(int dirfd, const char *name);

/* Whether next to nothing can be written any more where fd lies. -1 is nowhere. */
bool file_system_is_full(int fd);

/* The absolute path of program, found in PATH and then in the usual system
 * folders, or NULL; the caller frees it. */
char *file_find_program(const char *program);

#endif
