/* SPDX-License-Identifier: MIT */
#include "lab/source.h"

#include <stdlib.h>
#include <string.h>

const char *lab_sources_add(struct lab_source **list, const char *file)
{
	size_t bytes = strlen(file) + 1;
	struct lab_source *source = malloc(sizeof(*source) + bytes);

	if (!source)
		return NULL;
	memcpy(source->file, file, bytes);
	source->next = *list;
	*list = source;
	return source->file;
}

void lab_sources_free(struct lab_source *list)
{
	while (list) {
		struct lab_source *next = list->next;

		free(list);
		list = next;
	}
}
