/* SPDX-License-Identifier: MIT */
/* libyaml's memory functions, in place of its own: what is freed is wiped. */
#ifndef HV_LAB_YAML_MEMORY_H
#define HV_LAB_YAML_MEMORY_H

#include <stddef.h>

void *yaml_malloc(size_t size);
void *yaml_realloc(void *p, size_t size);
void yaml_free(void *p);

#endif
