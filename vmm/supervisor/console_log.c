/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/console_log.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/names.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

uint64_t console_log_size(int state_dirfd)
{
	struct stat st;

	return state_dirfd >= 0 &&
			       fstatat(state_dirfd, NAME_CONSOLE_LOG, &st, AT_SYMLINK_NOFOLLOW) == 0
		       ? (uint64_t)st.st_size
		       : 0;
}

/* QEMU appends to the same file through its own descriptor, so it is copied and cut,
 * not renamed. */
void console_log_bound(int state_dirfd)
{
	cleanup_close int log = -1;
	cleanup_free char *text = NULL;
	size_t len = 0;

	if (console_log_size(state_dirfd) < CONSOLE_LOG_BYTES_MAX)
		return;
	log = openat(state_dirfd, NAME_CONSOLE_LOG, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (log < 0 || file_read_plain(state_dirfd, NAME_CONSOLE_LOG,
				       (size_t)CONSOLE_LOG_BYTES_MAX * 4, &text, &len, NULL) < 0)
		return;
	if (file_write_volatile(state_dirfd, NAME_CONSOLE_LOG ".1", text, len, 0600, NULL) < 0 ||
	    ftruncate(log, 0) < 0)
		log_warning("the console log could not be moved aside; it grows on");
}
