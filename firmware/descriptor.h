/* SPDX-License-Identifier: MIT */
/*
 * Firmware by QEMU's descriptor files (docs/interop/firmware.json): the *.json
 * of /usr/share/qemu/firmware and /etc/qemu/firmware (a root's own files are not
 * looked at: what boots a machine is the host's matter); a file in a later folder replaces (or,
 * when empty, hides) its namesake in an earlier one; they are tried in the order of their names.
 */
#ifndef HV_FIRMWARE_DESCRIPTOR_H
#define HV_FIRMWARE_DESCRIPTOR_H

#include "base/str.h"

#include <stdbool.h>
#include <stddef.h>

struct error;

struct firmware_want {
	bool secure_boot; /* with keys enrolled, SMM and secure-boot */
	const char *arch; /* "x86_64" */
	const char *machine; /* "pc-q35-7.2": matched against the patterns */
};

struct firmware_found {
	char *descriptor; /* path of the file that won */
	char *code; /* absolute path of the executable, raw */
	char *vars_template; /* absolute path of the NVRAM template */
	bool code_qcow2, vars_qcow2; /* formats; else raw */
	bool smm; /* needs SMM and secure pflash */
};

void firmware_found_free(struct firmware_found *f);

/* Pure: does this descriptor fit? 1 yes; 0 no, with a reason appended to why;
 * -EINVAL: not a descriptor (reason in err). */
int firmware_match(const char *text, size_t len, const struct firmware_want *want,
		   struct firmware_found *ret_found, struct strbuf *why, struct error *err);

/* Searches the folders. dirs is NULL for the standard ones, else a
 * NULL-terminated list in the order of rising priority. -ENOENT lists each
 * file looked at with why it does not fit, and what to install. */
int firmware_find(const char *const *dirs, const struct firmware_want *want,
		  struct firmware_found *ret_found, struct error *err);

#endif
