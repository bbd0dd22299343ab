/* SPDX-License-Identifier: MIT */
/*
 * What a program may ask of the kernel: a row for each system call, with the reason
 * why it is there. What no row names kills the process.
 *
 * A row is steady, or for the start only. Calls of the start stop and wait for an
 * answer by jail/seal.h; from the moment of the seal on that answer is EPERM. A call
 * that is refused fails with ENOSYS from the first moment, so that the program takes
 * another way.
 */
#ifndef HV_JAIL_PROFILE_H
#define HV_JAIL_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum jail_phase { JAIL_STEADY, JAIL_START, JAIL_REFUSED, JAIL_PHASE_COUNT };

const char *jail_phase_name(enum jail_phase phase); /* "steady" */

/* Where a row applies; 0 in a group of bits: everywhere. */
enum jail_where {
	JAIL_X86_64 = 1 << 0,
	JAIL_AARCH64 = 1 << 1,
	JAIL_TCG = 1 << 2,
	JAIL_KVM = 1 << 3,
	/* By which call the C library, which is the program's as well, looks at a file
	 * that is open: newfstatat up to glibc 2.36, fstat from 2.41 on, between them
	 * either. */
	JAIL_LIBC_NEWFSTATAT = 1 << 4,
	JAIL_LIBC_EITHER = 1 << 5,
	JAIL_LIBC_FSTAT = 1 << 6,
	JAIL_SCREEN_FILES = 1 << 7,
	JAIL_NO_SCREEN_FILES = 1 << 8,
};

/* What an argument has to be: (argument & mask) == value. */
struct jail_condition {
	uint8_t argument; /* 0 to 5 */
	uint64_t mask; /* 0: all 32 lower bits, for what the kernel takes as an int */
	uint64_t value;
};

enum { JAIL_CONDITIONS_MAX = 2 };

struct jail_row {
	const char *syscall; /* "openat" */
	enum jail_phase phase;
	struct jail_condition conditions[JAIL_CONDITIONS_MAX]; /* all have to hold */
	uint8_t n_conditions;
	uint16_t where; /* enum jail_where */
	/* Versions of the program, 702 for 7.2; 0: from the first, to the last. */
	unsigned since, until;
	bool margin; /* not seen in every workload; wanted all the same */
	/* For the start; asked for later, too, and done without: the error that is the answer then.
	 * 0: it is not expected, and EPERM. */
	int in_vain;
	const char *why;
};

struct jail_profile {
	const char *name; /* "qemu" */
	const struct jail_row *rows;
	size_t n_rows;
};

extern const struct jail_profile jail_profile_qemu, jail_profile_swtpm, jail_profile_dnsmasq,
	jail_profile_supervisor;

enum jail_watch {
	JAIL_WATCH_NOTHING,
	JAIL_WATCH_BEYOND, /* what the profile has no row for is answered, not killed */
	JAIL_WATCH_ALL, /* every call is answered; for tests of the profile itself */
};

/* What decides which rows of a profile apply. */
struct jail_situation {
	bool kvm; /* else TCG */
	/* Whether QEMU makes a file in memory for each size that its screen takes, as it does from
	 * 9.2 on, and ends where it cannot. */
	bool screen_files;
	unsigned version; /* of the program, 702 for 7.2; 0: not known, every row applies */
	enum jail_watch watch;
};

/* Whether a row holds on this machine and in this situation. */
bool jail_row_applies(const struct jail_row *row, const struct jail_situation *situation);

/* Whether the profile has rows for the start that apply: it wants an answerer. */
bool jail_profile_starts(const struct jail_profile *profile,
			 const struct jail_situation *situation);

/* The row that a call falls under, or NULL. */
const struct jail_row *jail_profile_find(const struct jail_profile *profile,
					 const struct jail_situation *situation, int nr,
					 const uint64_t arguments[static 6]);

/* The name of a system call of this machine, "openat"; "number 999" where there is
 * none. The text stays until the next call. */
const char *jail_syscall_name(int nr);

#endif
