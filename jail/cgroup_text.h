/* SPDX-License-Identifier: MIT */
/* Private to jail/: the texts that the kernel's control groups read and write. Pure. */
#ifndef HV_JAIL_CGROUP_TEXT_H
#define HV_JAIL_CGROUP_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* The group of a process in the hierarchy of version 2, out of /proc/PID/cgroup:
 * "/hv.slice/hv@dc01.service". NULL where it is in none, or out of memory. */
char *cgroup_text_own(const char *proc_cgroup);

/* Whether a controller of that name is in a hierarchy of version 1. */
bool cgroup_text_is_v1(const char *proc_cgroup, const char *controller);

/* The folder of a group as this process sees it, by *mountinfo (of /proc/self): the first
 * mount of version 2 that shows the group; *mountinfo moves behind that mount's line.
 * NULL where none does, or out of memory. ret_top_len gets the length of the mount's own
 * path at its beginning. */
char *cgroup_text_folder(const char **mountinfo, const char *group, size_t *ret_top_len);

/* Whether a list of words, as in cgroup.controllers, has this one. */
bool cgroup_text_has_word(const char *list, const char *word);

/* The number behind key, as in "populated 0\n"; false where it is not there. */
bool cgroup_text_get(const char *text, const char *key, uint64_t *ret_value);

/* What cpu.max and io.max take. */
void cgroup_text_cpu(char *buf, size_t size, unsigned milli);
void cgroup_text_io(char *buf, size_t size, dev_t device, uint64_t bytes);

#endif
