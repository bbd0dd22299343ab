/* SPDX-License-Identifier: MIT */
/*
 * The parser's memory. libyaml keeps the whole text in buffers of its own, piece by piece,
 * and every scalar, and frees them as they are: what a configuration holds of secrets
 * would stay in the heap. It allocates by three functions that it exports; a program that
 * has its own of these names is the one whose are called. Where a libyaml is built so
 * that it calls its own all the same, nothing else changes.
 */
#include "lab/yaml_memory.h"

#include "base/str.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

void *yaml_malloc(size_t size)
{
	return malloc(size ? size : 1);
}

void yaml_free(void *p)
{
	if (p)
		explicit_bzero(p, malloc_usable_size(p));
	free(p);
}

void *yaml_realloc(void *p, size_t size)
{
	return str_realloc_secret(p, p ? malloc_usable_size(p) : 0, size ? size : 1);
}
