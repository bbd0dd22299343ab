/* SPDX-License-Identifier: MIT */
/* A process that writes into one folder and nowhere else: for a program that unpacks what
 * a stranger has packed. It needs no privilege and leaves what may be read as it is. */
#ifndef HV_JAIL_BENEATH_H
#define HV_JAIL_BENEATH_H

/*
 * For the confine hook of base/child.h. From here on, exec or not: no capability, no
 * new privileges, no file that is made, changed or removed outside of folder_fd, no device
 * node and no TCP. What the kernel's Landlock does not know it cannot refuse; without any,
 * only capabilities go.
 */
int jail_write_beneath(int folder_fd, const char **ret_what);

#endif
