/* SPDX-License-Identifier: MIT */
/* What the kernel has of Landlock. */
#ifndef HV_JAIL_LANDLOCK_H
#define HV_JAIL_LANDLOCK_H

/* The version of its interface, 1 and up; 0: none. */
int jail_landlock_version(void);

#endif
