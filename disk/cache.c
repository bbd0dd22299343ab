/* SPDX-License-Identifier: MIT */
#include "disk/cache.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/vfs.h>

/* Of statfs(2); not all of them stand in the kernel's header. */
static const uint32_t networks[] = {
	NFS_SUPER_MAGIC,  CIFS_SUPER_MAGIC,  SMB2_SUPER_MAGIC,
	CEPH_SUPER_MAGIC, OCFS2_SUPER_MAGIC, 0x01161970, /* GFS2 */
	0x0bd00bd0, /* Lustre */
};

static bool is_wise(int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) == 0 && S_ISBLK(st.st_mode))
		return true;
	if (fstatfs(fd, &fs) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(networks); i++)
		if ((uint32_t)fs.f_type == networks[i])
			return true;
	return false;
}

int disk_cache_choose(int fd, enum disk_cache want, bool *ret_direct, struct error *err)
{
	int flags;

	*ret_direct = false;
	if (want == DISK_CACHE_WRITEBACK || (want == DISK_CACHE_AUTO && !is_wise(fd)))
		return 0;
	flags = fcntl(fd, F_GETFL);
	if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_DIRECT) == 0) {
		*ret_direct = true;
		return 0;
	}
	if (want == DISK_CACHE_AUTO)
		return 0;
	return error_set(err, ENOTSUP,
			 "cache: none, but the file system knows no O_DIRECT (say cache: auto)");
}
