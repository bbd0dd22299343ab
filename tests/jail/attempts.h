/* SPDX-License-Identifier: MIT */
/*
 * What a program that was taken over would try. Each attempt is one system call, so that
 * it can be made by a program in a jail and put into a QEMU that runs; some have steps
 * behind it, which only a program makes.
 *
 * An attempt has failed where the process is killed or the call returns an error.
 */
#ifndef HV_TESTS_JAIL_ATTEMPTS_H
#define HV_TESTS_JAIL_ATTEMPTS_H

#include <stddef.h>
#include <stdint.h>

/* What stands for an argument that is known only when the test runs. */
enum value {
	VALUE_NUMBER, /* value itself */
	VALUE_TEXT, /* address of text */
	VALUE_ZEROES, /* address of value zeroed bytes, then the same again */
	VALUE_ONES, /* address of bytes 0xff, 64 of them */
	VALUE_VECTOR, /* address of a struct iovec of 8 bytes */
	VALUE_VICTIM, /* process id of another machine's QEMU, of the host's */
	VALUE_SECRET, /* path of a file outside that anybody may read */
	VALUE_FOLDER, /* path of another machine's TPM folder */
	VALUE_PROGRAM, /* path of the program itself */
	VALUE_SHARED, /* id of a shared memory segment outside that anybody may attach */
	VALUE_READ_ONLY, /* a descriptor that is open for reading */
};

struct argument {
	enum value kind;
	long value;
	const char *text;
};

enum {
	/* The filter alone stands against it: nothing outside changes by the call, but it
	 * opens more of the kernel, or runs code of one's own. */
	SURFACE = 1 << 0,
	/* Not one system call of this machine: not for a QEMU that runs. */
	NOT_INJECTED = 1 << 1,
};

struct attempt {
	const char *name;
	long nr;
	struct argument arguments[6];
	unsigned flags;
	/* What follows where the call succeeded, or in its place; 0 or -errno. */
	int (*further)(long result);
};

struct attempt_context {
	long victim, shared, read_only;
	const char *secret, *folder, *program;
	unsigned tcp_port; /* of a listener outside, on 127.0.0.1 */
	const char *abstract, *socket; /* of listeners outside */
};

extern const struct attempt attempts[];
extern const size_t n_attempts;
extern struct attempt_context attempt_context;

#endif
