/* SPDX-License-Identifier: MIT */
/* Which QEMU this is: rows of its profile differ from version to version (jail/profile.h). */
#ifndef HV_VMM_QEMU_VERSION_H
#define HV_VMM_QEMU_VERSION_H

struct paths;

/* "QEMU emulator version 7.2.22 (Debian …)": 702. 0 for what is no such line. Pure. */
unsigned qemu_version_parse(const char *line);

/* The version of the file program. It is asked once, which takes some 30 ms, and the answer kept in
 * STATE/qemu.json until the file is another one. 0: it does not say. */
unsigned qemu_version(const struct paths *paths, const char *program);

#endif
