/* SPDX-License-Identifier: MIT */
/*
 * The configuration's format as one table: each key with its type, range,
 * default, unit and help. The decoder works from it, the manual page is made
 * from it, and what is not in it is an unknown key.
 */
#ifndef HV_LAB_SCHEMA_H
#define HV_LAB_SCHEMA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum lab_section {
	LAB_SECTION_NETWORK, /* networks.NAME */
	LAB_SECTION_POOL, /* pools.NAME */
	LAB_SECTION_IMAGE, /* images.NAME */
	LAB_SECTION_VM, /* vms.NAME, and profiles.NAME but for profile and uuid */
	LAB_SECTION_DISK, /* an entry of disks */
	LAB_SECTION_CDROM, /* an entry of cdroms */
	LAB_SECTION_NIC, /* an entry of nics */
	LAB_SECTION_LIMITS, /* limits of a VM */
	LAB_SECTION_CREDENTIAL, /* an entry of credentials */
	LAB_SECTION_VNC, /* vnc of a VM */
	LAB_SECTION_COUNT
};

enum lab_type {
	LAB_TYPE_TEXT,
	LAB_TYPE_WORD, /* text without white space, comma or control bytes */
	LAB_TYPE_NAME, /* as machines have */
	LAB_TYPE_PATH, /* absolute */
	LAB_TYPE_BOOL,
	LAB_TYPE_UINT,
	LAB_TYPE_DECIMAL, /* 1.5, kept in thousandths */
	LAB_TYPE_SIZE, /* bytes, with K M G T */
	LAB_TYPE_ENUM,
	LAB_TYPE_INTERFACE, /* a network interface's name */
	LAB_TYPE_CIDR, /* 192.168.56.1/24 */
	LAB_TYPE_RANGE, /* 192.168.56.100-192.168.56.200 */
	LAB_TYPE_ADDRESS,
	LAB_TYPE_MAC,
	LAB_TYPE_UUID,
	LAB_TYPE_DOMAIN,
	LAB_TYPE_NETWORK, /* the name of one */
	LAB_TYPE_PROFILE,
	LAB_TYPE_MACHINE, /* the name of a VM */
	LAB_TYPE_VOLUME, /* POOL/FILE */
	LAB_TYPE_IMAGE, /* the name of one */
	LAB_TYPE_URL, /* http or https */
	LAB_TYPE_SHA256, /* 64 hexadecimal digits */
	LAB_TYPE_VSOCK, /* no, auto or a context id */
	LAB_TYPE_DISKS, /* lists of sections */
	LAB_TYPE_CDROMS,
	LAB_TYPE_NICS,
	LAB_TYPE_LIMITS, /* one section */
	LAB_TYPE_AFTER, /* a list of names of VMs */
	LAB_TYPE_CREDENTIALS, /* a map of sections */
	LAB_TYPE_STRINGS, /* a list of text */
	LAB_TYPE_VNC, /* address:port, or one section */
	LAB_TYPE_ENDPOINT, /* address:port */
	LAB_TYPE_SECRET, /* one section of credentials */
	LAB_TYPE_COUNT
};

struct lab_schema_row {
	enum lab_section section;
	const char *key;
	enum lab_type type;
	size_t offset; /* in the section's struct of lab/spec.h */
	bool required, not_in_profile;
	bool own; /* never taken over by like: */
	uint64_t min, max; /* of numbers, decimals and sizes; max 0: no bound */
	const char *const *words; /* of an enum */
	const char *default_text; /* as it would be written; NULL: none */
	const char *default_note; /* where the default is not a fixed value */
	const char *help; /* one sentence */
};

/* All rows, by section, in the order of the manual. */
const struct lab_schema_row *lab_schema_rows(size_t *ret_n);

/* The row for a key, or NULL. */
const struct lab_schema_row *lab_schema_find(enum lab_section section, const char *key);

/* The key of a section that is most like a misspelt one, or NULL. */
const char *lab_schema_suggest(enum lab_section section, const char *key);

const char *lab_section_name(enum lab_section section); /* "networks", … */
const char *lab_type_name(enum lab_type type); /* for the manual: "size" */

#endif
