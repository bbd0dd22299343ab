/* SPDX-License-Identifier: MIT */
/*
 * Puts one attempt into a process that runs, as if its code had been taken over: the
 * first thread is stopped, makes the system call, and goes on where it was.
 *
 * usage: inject --list
 *        inject PROCESS NUMBER VICTIM SECRET FOLDER
 *
 * Says what came of it. Exit status: 0 refused, 3 killed, 42 succeeded, 4 not possible
 * here, 2 the injection itself failed.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "tests/jail/attempts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>

enum { REFUSED = 0, FAILED = 2, KILLED = 3, NOT_HERE = 4, SUCCEEDED = 42, ROOM = 4096 };

#if defined(__x86_64__)

struct target {
	pid_t pid;
	int mem;
	uint64_t room, used; /* below its stack */
};

static uint64_t put(struct target *t, const void *data, size_t len)
{
	uint64_t at = t->room + t->used;

	if (t->used + len > ROOM || pwrite(t->mem, data, len, (off_t)at) != (ssize_t)len) {
		perror("inject: write");
		exit(FAILED);
	}
	t->used += (len + 15) & ~15UL;
	return at;
}

/* A descriptor that it has open for reading, and that is a file; -1: none. */
static long read_only_fd(pid_t pid)
{
	for (int fd = 3; fd < 256; fd++) {
		char path[64], line[256], link[256];
		FILE *f;
		ssize_t n;
		unsigned long flags = O_RDWR;

		(void)str_format(path, sizeof(path), "/proc/%d/fd/%d", (int)pid, fd);
		n = readlink(path, link, sizeof(link) - 1);
		if (n <= 0 || link[0] != '/')
			continue;
		(void)str_format(path, sizeof(path), "/proc/%d/fdinfo/%d", (int)pid, fd);
		f = fopen(path, "re");
		while (f && fgets(line, sizeof(line), f)) {
			const char *rest = str_after(line, "flags:");

			if (rest)
				flags = strtoul(rest, NULL, 8);
		}
		if (f)
			fclose(f);
		if ((flags & O_ACCMODE) == O_RDONLY)
			return fd;
	}
	return -1;
}

static uint64_t value_of(struct target *t, const struct argument *a)
{
	static const char zeroes[512];
	struct iovec vector;
	char ones[64];

	switch (a->kind) {
	case VALUE_NUMBER:
		return (uint64_t)a->value;
	case VALUE_TEXT:
		return put(t, a->text, strlen(a->text) + 1);
	case VALUE_ZEROES:
		return put(t, zeroes, sizeof(zeroes));
	case VALUE_ONES:
		memset(ones, 0xff, sizeof(ones));
		return put(t, ones, sizeof(ones));
	case VALUE_VECTOR:
		vector.iov_base = (void *)put(t, zeroes, 16);
		vector.iov_len = 8;
		return put(t, &vector, sizeof(vector));
	case VALUE_VICTIM:
		return (uint64_t)attempt_context.victim;
	case VALUE_SECRET:
		return put(t, attempt_context.secret, strlen(attempt_context.secret) + 1);
	case VALUE_FOLDER:
		return put(t, attempt_context.folder, strlen(attempt_context.folder) + 1);
	case VALUE_PROGRAM:
		return put(t, attempt_context.program, strlen(attempt_context.program) + 1);
	case VALUE_SHARED:
		return (uint64_t)attempt_context.shared;
	case VALUE_READ_ONLY:
		return (uint64_t)attempt_context.read_only;
	}
	return 0;
}

/* The address of a syscall instruction in its C library. */
static uint64_t find_instruction(const struct target *t)
{
	static unsigned char code[1 << 21];
	char path[64], line[512];
	uint64_t from = 0, to = 0;
	FILE *f;
	ssize_t n;

	(void)str_format(path, sizeof(path), "/proc/%d/maps", (int)t->pid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!strstr(line, "libc.so") || !strstr(line, "r-xp"))
			continue;
		if (sscanf(line, "%" SCNx64 "-%" SCNx64, &from, &to) == 2)
			break;
	}
	if (f)
		fclose(f);
	n = from ? pread(t->mem, code, sizeof(code), (off_t)from) : 0;
	for (ssize_t i = 0; i + 1 < n; i++)
		if (code[i] == 0x0f && code[i + 1] == 0x05)
			return from + (uint64_t)i;
	return 0;
}

static int wait_stop(pid_t pid)
{
	int status;

	return waitpid(pid, &status, __WALL) == pid ? status : -1;
}

static int report(int status, struct user_regs_struct *after)
{
	long rc = (long)after->rax;

	if (WIFSIGNALED(status) || WIFEXITED(status)) {
		printf("the process was killed by signal %d\n",
		       WIFSIGNALED(status) ? WTERMSIG(status) : 0);
		return WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS ? KILLED : FAILED;
	}
	if (rc < 0 && rc > -4096) {
		printf("refused: %s\n", strerrorname_np((int)-rc));
		return REFUSED;
	}
	printf("succeeded: %ld\n", rc);
	return SUCCEEDED;
}

static int inject(struct target *t, const struct attempt *a)
{
	struct user_regs_struct was, now;
	uint64_t v[6];
	int status;

	if (ptrace(PTRACE_SEIZE, t->pid, 0, 0) < 0 || ptrace(PTRACE_INTERRUPT, t->pid, 0, 0) < 0 ||
	    wait_stop(t->pid) < 0 || ptrace(PTRACE_GETREGS, t->pid, 0, &was) < 0) {
		perror("inject: stop");
		return FAILED;
	}
	t->room = (was.rsp - 2 * ROOM) & ~15UL;
	for (int i = 0; i < 6; i++)
		v[i] = value_of(t, &a->arguments[i]);
	now = was;
	now.rip = find_instruction(t);
	now.rax = (unsigned long long)a->nr;
	now.rdi = v[0];
	now.rsi = v[1];
	now.rdx = v[2];
	now.r10 = v[3];
	now.r8 = v[4];
	now.r9 = v[5];
	/* It may have been stopped in a call that would be begun again. */
	now.orig_rax = (unsigned long long)-1;
	if (!now.rip || ptrace(PTRACE_SETREGS, t->pid, 0, &now) < 0 ||
	    ptrace(PTRACE_SINGLESTEP, t->pid, 0, 0) < 0) {
		perror("inject: step");
		return FAILED;
	}
	status = wait_stop(t->pid);
	if (WIFSTOPPED(status)) {
		if (ptrace(PTRACE_GETREGS, t->pid, 0, &now) < 0)
			return FAILED;
		(void)ptrace(PTRACE_SETREGS, t->pid, 0, &was);
		(void)ptrace(PTRACE_DETACH, t->pid, 0, 0);
	}
	return report(status, &now);
}

int main(int argc, char *argv[])
{
	struct target t = {.pid = argc > 1 ? (pid_t)atol(argv[1]) : 0};
	size_t number = argc > 2 ? (size_t)atol(argv[2]) : 0;
	char path[64], program[256] = "";

	if (argc == 2 && str_eq(argv[1], "--list")) {
		for (size_t i = 0; i < n_attempts; i++)
			if (!(attempts[i].flags & NOT_INJECTED))
				printf("%zu %s\n", i, attempts[i].name);
		return 0;
	}
	if (argc != 6 || number >= n_attempts)
		return FAILED;
	(void)str_format(path, sizeof(path), "/proc/%d/exe", (int)t.pid);
	if (readlink(path, program, sizeof(program) - 1) < 0)
		return FAILED;
	attempt_context = (struct attempt_context){
		.victim = atol(argv[3]),
		.secret = argv[4],
		.folder = argv[5],
		.program = program,
		.read_only = read_only_fd(t.pid),
	};
	for (int i = 0; i < 6; i++)
		if (attempts[number].arguments[i].kind == VALUE_READ_ONLY &&
		    attempt_context.read_only < 0)
			return NOT_HERE;
	(void)str_format(path, sizeof(path), "/proc/%d/mem", (int)t.pid);
	t.mem = open(path, O_RDWR | O_CLOEXEC);
	if (t.mem < 0) {
		perror("inject: memory");
		return FAILED;
	}
	return inject(&t, &attempts[number]);
}

#else

int main(void)
{
	return NOT_HERE;
}

#endif
