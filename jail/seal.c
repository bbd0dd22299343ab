/* SPDX-License-Identifier: MIT */
#include "jail/seal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/seccomp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>

#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64)
#endif
/* SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP */
enum { SYNC_WAKE_UP = 1 };

void jail_seal_prepare(int listener)
{
	(void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, (unsigned long)SYNC_WAKE_UP);
}

static int receive(int listener, struct seccomp_notif *ret_notif)
{
	*ret_notif = (struct seccomp_notif){0};
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, ret_notif) == 0)
		return 1;
	return errno == ENOENT || errno == EINTR ? 0 : -errno;
}

static int answer(int listener, const struct seccomp_notif *notif, int error)
{
	struct seccomp_notif_resp response = {
		.id = notif->id,
		.error = -error,
		.flags = error ? 0 : SECCOMP_USER_NOTIF_FLAG_CONTINUE,
	};

	int rc;

	/* Who is not answered waits for ever. */
	do
		rc = ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &response);
	while (rc < 0 && errno == EINTR);
	if (rc == 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

static bool opens_memory(const struct seccomp_notif *notif)
{
	return notif->data.nr == SYS_openat && (int)notif->data.args[0] == AT_FDCWD &&
	       (int)notif->data.args[2] == O_RDWR;
}

/* The kernel puts the file into the caller's table and lets openat() return its number, in one
 * step. */
static int give_memory(int listener, const struct seccomp_notif *notif, int memory_fd)
{
	struct seccomp_notif_addfd addfd = {
		.id = notif->id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (unsigned)memory_fd,
		.newfd_flags = O_CLOEXEC,
	};
	int rc;

	do
		rc = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &addfd);
	while (rc < 0 && errno == EINTR);
	if (rc >= 0)
		return 1;
	return errno == ENOENT ? 0 : -errno;
}

/* Before the seal. */
static int carry_out(int listener, const struct seccomp_notif *notif, int memory_fd)
{
	if (memory_fd >= 0 && opens_memory(notif))
		return give_memory(listener, notif, memory_fd);
	return answer(listener, notif, 0);
}

static int error_of(const struct jail_sealed *sealed, const struct seccomp_notif *notif)
{
	uint64_t arguments[6];
	const struct jail_row *row;

	for (int i = 0; i < 6; i++)
		arguments[i] = notif->data.args[i];
	row = jail_profile_find(sealed->profile, sealed->situation, notif->data.nr, arguments);
	return row && row->in_vain ? row->in_vain : EPERM;
}

int jail_seal_answer(int listener, const struct jail_sealed *sealed, int memory_fd, int *ret_nr)
{
	struct seccomp_notif notif;
	int rc = receive(listener, &notif);

	if (rc <= 0)
		return rc;
	*ret_nr = notif.data.nr;
	if (sealed)
		return answer(listener, &notif, error_of(sealed, &notif));
	return carry_out(listener, &notif, memory_fd);
}

int jail_seal_watch(int listener, int memory_fd, int *ret_nr, uint64_t ret_arguments[static 6])
{
	struct seccomp_notif notif;
	int rc = receive(listener, &notif);

	if (rc <= 0)
		return rc;
	*ret_nr = notif.data.nr;
	for (int i = 0; i < 6; i++)
		ret_arguments[i] = notif.data.args[i];
	return carry_out(listener, &notif, memory_fd);
}
