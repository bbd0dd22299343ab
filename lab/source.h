/* SPDX-License-Identifier: MIT */
/* Private to lab/: the file names that positions refer to. */
#ifndef HV_LAB_SOURCE_H
#define HV_LAB_SOURCE_H

struct lab_source {
	struct lab_source *next;
	char file[];
};

/* A copy that lives as long as the list; NULL when out of memory. */
const char *lab_sources_add(struct lab_source **list, const char *file);
void lab_sources_free(struct lab_source *list);

#endif
