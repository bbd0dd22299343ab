/* SPDX-License-Identifier: MIT */
/* Private to jail/: how the rows of profiles are written. The reason comes last. */
#ifndef HV_JAIL_PROFILE_ROWS_H
#define HV_JAIL_PROFILE_ROWS_H

#include "jail/profile.h"

#include "base/cleanup.h"

#define ROW(phase_, name, reason)                                     \
	{                                                             \
		.syscall = (name), .phase = (phase_), .why = (reason) \
	}

/* Wanted, though not every machine and library comes by it. */
#define ROW_MARGIN(phase_, name, reason)                                              \
	{                                                                             \
		.syscall = (name), .phase = (phase_), .margin = true, .why = (reason) \
	}

/* For the start; that it is asked for after it, and fails with that error, is nothing
 * to tell. */
#define ROW_IN_VAIN(name, error, reason)                                                    \
	{                                                                                   \
		.syscall = (name), .phase = JAIL_START, .in_vain = (error), .why = (reason) \
	}

/* Only on one of the two processors. */
#define ROW_ON(machine, phase_, name, reason)                                             \
	{                                                                                 \
		.syscall = (name), .phase = (phase_), .where = (machine), .why = (reason) \
	}

/* Where the argument of that number is exactly this. */
#define ROW_IF(phase_, name, argument_, value_, reason)                                 \
	{                                                                               \
		.syscall = (name), .phase = (phase_),                                   \
		.conditions = {{.argument = (argument_), .value = (uint32_t)(value_)}}, \
		.n_conditions = 1, .why = (reason)                                      \
	}

#define ROW_IF_MARGIN(phase_, name, argument_, value_, reason)                          \
	{                                                                               \
		.syscall = (name), .phase = (phase_),                                   \
		.conditions = {{.argument = (argument_), .value = (uint32_t)(value_)}}, \
		.n_conditions = 1, .margin = true, .why = (reason)                      \
	}

/* Only there: enum jail_where. */
#define ROW_IF_ON(where_, phase_, name, argument_, value_, reason)                      \
	{                                                                               \
		.syscall = (name), .phase = (phase_), .where = (where_),                \
		.conditions = {{.argument = (argument_), .value = (uint32_t)(value_)}}, \
		.n_conditions = 1, .margin = true, .why = (reason)                      \
	}

/* Up to a version of the program, 902 for 9.2, or from one on. */
#define ROW_UNTIL(version, phase_, name, reason)                                          \
	{                                                                                 \
		.syscall = (name), .phase = (phase_), .until = (version), .why = (reason) \
	}
#define ROW_IF_UNTIL(version, phase_, name, argument_, value_, reason)                  \
	{                                                                               \
		.syscall = (name), .phase = (phase_),                                   \
		.conditions = {{.argument = (argument_), .value = (uint32_t)(value_)}}, \
		.n_conditions = 1, .until = (version), .why = (reason)                  \
	}
#define ROW_IF_SINCE(version, phase_, name, argument_, value_, reason)                  \
	{                                                                               \
		.syscall = (name), .phase = (phase_),                                   \
		.conditions = {{.argument = (argument_), .value = (uint32_t)(value_)}}, \
		.n_conditions = 1, .since = (version), .why = (reason)                  \
	}

/* Where these bits of the argument are exactly this. */
#define ROW_BITS(phase_, name, argument_, mask_, value_, reason)                               \
	{                                                                                      \
		.syscall = (name), .phase = (phase_),                                          \
		.conditions = {{.argument = (argument_), .mask = (mask_), .value = (value_)}}, \
		.n_conditions = 1, .why = (reason)                                             \
	}

/* An ioctl of KVM's, on a machine that has it. They are all margin: which of them a
 * guest comes by depends on its processor. */
#define ROW_KVM(machine, phase_, request, reason)                                                 \
	{                                                                                         \
		.syscall = "ioctl", .phase = (phase_), .where = JAIL_KVM | (machine),             \
		.conditions = {{.argument = 1, .value = (uint32_t)(request)}}, .n_conditions = 1, \
		.margin = true, .why = (reason)                                                   \
	}

#endif
