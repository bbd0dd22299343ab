/* SPDX-License-Identifier: MIT */
/* A folder of the host, with all that is in it, before it goes or after it came. */
#ifndef HV_CLI_CP_TREE_H
#define HV_CLI_CP_TREE_H

#include "base/sha256.h"
#include "base/str.h"

#include <stdbool.h>
#include <stdint.h>

struct error;

/* Names beyond this are refused: it is a stranger who made them. */
enum { CP_TREE_NAMES_MAX = 64 * 1024 * 1024 };

struct cp_tree {
	struct strbuf names; /* of all regular files, "./…", each with a NUL behind it */
	uint64_t n_bytes; /* in them */
	struct sha256 sum; /* of them, one after another in the order of the names */
};

/*
 * Looks through the folder. came: it was unpacked out of a stranger's archive into a folder
 * that nobody else may enter; what is neither file, folder nor symbolic link is refused
 * (-EPERM), and nothing is left that runs as somebody else. sums: files are read.
 */
int cp_tree_look(const char *folder, bool came, bool sums, struct cp_tree *ret_tree,
		 struct error *err);
void cp_tree_free(struct cp_tree *tree);

/* Removes it, however deep it is, and what its owner may not write. What cannot be removed
 * stays. */
void cp_tree_remove(const char *folder);

#endif
