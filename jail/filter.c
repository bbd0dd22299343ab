/* SPDX-License-Identifier: MIT */
#include "jail/filter.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"

#include <errno.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { FILTER_MAX_BYTES = BPF_MAXINSNS * sizeof(struct sock_filter) };

/* Since Linux 5.19: only a fatal signal interrupts a call that waits for its answer. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif

static uint32_t action_of(enum jail_phase phase, enum jail_watch watch)
{
	if (phase == JAIL_REFUSED)
		return SCMP_ACT_ERRNO(ENOSYS);
	if (phase == JAIL_START || watch == JAIL_WATCH_ALL)
		return SCMP_ACT_NOTIFY;
	return SCMP_ACT_ALLOW;
}

static int add_rule(scmp_filter_ctx ctx, uint32_t action, int nr, const struct jail_condition *c,
		    unsigned n)
{
	struct scmp_arg_cmp compare[JAIL_CONDITIONS_MAX];

	for (unsigned i = 0; i < n; i++)
		compare[i] = (struct scmp_arg_cmp){
			.arg = c[i].argument,
			.op = SCMP_CMP_MASKED_EQ,
			.datum_a = c[i].mask ? c[i].mask : UINT32_MAX,
			.datum_b = c[i].value,
		};
	return seccomp_rule_add_array(ctx, action, nr, n, compare);
}

static int add_rows(scmp_filter_ctx ctx, const struct jail_profile *profile,
		    const struct jail_situation *situation, struct error *err)
{
	for (size_t i = 0; i < profile->n_rows; i++) {
		const struct jail_row *row = &profile->rows[i];
		uint32_t action = action_of(row->phase, situation->watch);
		int nr, rc;

		if (!jail_row_applies(row, situation))
			continue;
		/* A rule that says what is done anyway is an error to libseccomp. */
		if (situation->watch != JAIL_WATCH_NOTHING && action == SCMP_ACT_NOTIFY)
			continue;
		nr = seccomp_syscall_resolve_name(row->syscall);
		if (nr == __NR_SCMP_ERROR)
			return error_set(err, EINVAL, "profile '%s': there is no system call '%s'",
					 profile->name, row->syscall);
		rc = add_rule(ctx, action, nr, row->conditions, row->n_conditions);
		if (rc < 0)
			return error_errno(err, -rc, "profile '%s': '%s'", profile->name,
					   row->syscall);
	}
	return 0;
}

/* What is needed to say that exec failed, and to hand the listener over. */
static int add_way_to_exec(scmp_filter_ctx ctx, int report_fd)
{
	struct jail_condition there = {.argument = 0, .value = (uint64_t)report_fd};

	return add_rule(ctx, SCMP_ACT_ALLOW, SCMP_SYS(sendmsg), &there, 1);
}

static int export_filter(scmp_filter_ctx ctx, struct jail_filter *ret_filter, struct error *err)
{
	cleanup_close int fd = memfd_create("hv-filter", MFD_CLOEXEC);
	struct jail_filter f = {0};
	off_t size;
	int rc;

	if (fd < 0)
		return error_errno(err, errno, "memfd");
	rc = seccomp_export_bpf(ctx, fd);
	if (rc < 0)
		return error_errno(err, -rc, "export a filter");
	size = lseek(fd, 0, SEEK_END);
	if (size <= 0 || size > FILTER_MAX_BYTES)
		return error_set(err, E2BIG, "a filter of %lld bytes", (long long)size);
	f.v = malloc((size_t)size);
	if (!f.v)
		return error_oom(err);
	f.n = (unsigned short)((size_t)size / sizeof(*f.v));
	if (pread(fd, f.v, (size_t)size, 0) != size) {
		free(f.v);
		return error_set(err, EIO, "read a filter");
	}
	*ret_filter = f;
	return 0;
}

int jail_filter_build(const struct jail_profile *profile, const struct jail_situation *situation,
		      int report_fd, struct jail_filter *ret_filter, struct error *err)
{
	bool watched = situation->watch != JAIL_WATCH_NOTHING;
	scmp_filter_ctx ctx = seccomp_init(watched ? SCMP_ACT_NOTIFY : SCMP_ACT_KILL_PROCESS);
	int rc;

	if (!ctx)
		return error_oom(err);
	/* By bisection, not one after the other. Calls of another architecture are the
	 * end, whatever the default is. */
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	(void)seccomp_attr_set(ctx, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS);
	rc = add_rows(ctx, profile, situation, err);
	if (rc == 0) {
		rc = add_way_to_exec(ctx, report_fd);
		if (rc < 0)
			(void)error_errno(err, -rc, "profile '%s'", profile->name);
	}
	if (rc == 0)
		rc = export_filter(ctx, ret_filter, err);
	if (rc == 0)
		ret_filter->listens = watched || jail_profile_starts(profile, situation);
	seccomp_release(ctx);
	return rc;
}

void jail_filter_free(struct jail_filter *f)
{
	free(f->v);
	*f = (struct jail_filter){0};
}

int jail_filter_write(const struct jail_filter *f, int fd, struct error *err)
{
	const struct iovec parts[] = {
		{.iov_base = (void *)&f->listens, .iov_len = sizeof(f->listens)},
		{.iov_base = f->v, .iov_len = f->n * sizeof(*f->v)},
	};
	ssize_t n = writev(fd, parts, ARRAY_SIZE(parts));

	if (n < 0)
		return error_errno(err, errno, "hand a filter over");
	return 0;
}

int jail_filter_read(int fd, struct jail_filter *ret_filter)
{
	static struct sock_filter code[BPF_MAXINSNS];
	struct jail_filter f = {.v = code};
	ssize_t n = read(fd, &f.listens, sizeof(f.listens));
	size_t len = 0;

	while (n > 0) {
		n = read(fd, (char *)code + len, sizeof(code) - len);
		if (n > 0)
			len += (size_t)n;
	}
	if (n < 0)
		return -errno;
	if (!len)
		return -EPIPE;
	f.n = (unsigned short)(len / sizeof(*code));
	*ret_filter = f;
	return 0;
}

int jail_filter_load(const struct jail_filter *f, int *ret_listener)
{
	struct sock_fprog program = {.len = f->n, .filter = f->v};
	unsigned long flags = f->listens ? SECCOMP_FILTER_FLAG_NEW_LISTENER : 0;
	long fd = -1;

	*ret_listener = -1;
	if (f->listens)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
			     flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &program);
	if (fd < 0)
		fd = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (fd < 0)
		return -errno;
	if (f->listens)
		*ret_listener = (int)fd;
	return 0;
}
