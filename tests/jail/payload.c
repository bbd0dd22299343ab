/* SPDX-License-Identifier: MIT */
/*
 * The program in the jail that tries to get out. It makes one attempt, by its number,
 * once the jail is sealed: descriptor 3 tells both sides when.
 *
 * usage: payload NUMBER VICTIM SHARED READ-ONLY SECRET FOLDER PORT ABSTRACT SOCKET
 */
#include "tests/jail/attempts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SUCCEEDED = 42, CHANNEL = 3, ARGUMENTS = 10 };

static char zeroes[512], ones[64];
static struct iovec vector = {.iov_base = zeroes, .iov_len = 8};

static long value_of(const struct argument *a)
{
	switch (a->kind) {
	case VALUE_NUMBER:
		return a->value;
	case VALUE_TEXT:
		return (long)(uintptr_t)a->text;
	case VALUE_ZEROES:
		return (long)(uintptr_t)zeroes;
	case VALUE_ONES:
		return (long)(uintptr_t)ones;
	case VALUE_VECTOR:
		return (long)(uintptr_t)&vector;
	case VALUE_VICTIM:
		return attempt_context.victim;
	case VALUE_SECRET:
		return (long)(uintptr_t)attempt_context.secret;
	case VALUE_FOLDER:
		return (long)(uintptr_t)attempt_context.folder;
	case VALUE_PROGRAM:
		return (long)(uintptr_t)attempt_context.program;
	case VALUE_SHARED:
		return attempt_context.shared;
	case VALUE_READ_ONLY:
		return attempt_context.read_only;
	}
	return 0;
}

/* 0 or -errno. */
static int try(const struct attempt *t)
{
	long a[6], rc;

	for (int i = 0; i < 6; i++)
		a[i] = value_of(&t->arguments[i]);
	rc = syscall(t->nr, a[0], a[1], a[2], a[3], a[4], a[5]);
	if (rc < 0)
		return -errno;
	/* A child has got out no further than its parent. */
	if (rc == 0 && (t->nr == SYS_clone || t->nr == SYS_clone3))
		_exit(SUCCEEDED);
	return t->further ? t->further(rc) : 0;
}

int main(int argc, char *argv[])
{
	size_t number;
	char byte = 'r';

	if (argc != ARGUMENTS)
		return 2;
	number = (size_t)atol(argv[1]);
	attempt_context = (struct attempt_context){
		.victim = atol(argv[2]),
		.shared = atol(argv[3]),
		.read_only = atol(argv[4]),
		.secret = argv[5],
		.folder = argv[6],
		.program = argv[0],
		.tcp_port = (unsigned)atol(argv[7]),
		.abstract = argv[8],
		.socket = argv[9],
	};
	memset(ones, 0xff, sizeof(ones));
	if (number >= n_attempts || write(CHANNEL, &byte, 1) != 1 || read(CHANNEL, &byte, 1) != 1)
		return 2;
	_exit(try(&attempts[number]) == 0 ? SUCCEEDED : 0);
}
