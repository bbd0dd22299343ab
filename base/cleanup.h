/* SPDX-License-Identifier: MIT */
/*
 * Scope-bound cleanup and explicit transfer of ownership.
 *
 * A variable declared with a cleanup_… attribute owns what it holds until the
 * scope ends; steal_fd() and steal_ptr() hand ownership on and leave -1 or
 * NULL behind. close() is never retried: on Linux the descriptor is gone
 * whatever close() returned.
 */
#ifndef HV_BASE_CLEANUP_H
#define HV_BASE_CLEANUP_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static inline void cleanup_close_fn(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_free_fn(void *p)
{
	free(*(void **)p);
}

static inline void cleanup_fclose_fn(FILE **f)
{
	if (*f)
		fclose(*f);
}

static inline void cleanup_closedir_fn(DIR **d)
{
	if (*d)
		closedir(*d);
}

#define cleanup_close __attribute__((cleanup(cleanup_close_fn)))
#define cleanup_free __attribute__((cleanup(cleanup_free_fn)))
#define cleanup_fclose __attribute__((cleanup(cleanup_fclose_fn)))
#define cleanup_closedir __attribute__((cleanup(cleanup_closedir_fn)))

/* Defines cleanup_NAME_fn for `TYPE *` variables freed by FREE(p); use as
 * __attribute__((cleanup(cleanup_NAME_fn))). FREE must accept NULL. */
#define DEFINE_CLEANUP_PTR(name, type, free_fn)          \
	static inline void cleanup_##name##_fn(type **p) \
	{                                                \
		free_fn(*p);                             \
	}

/* Closes *fd if it is open and leaves -1 behind. */
static inline void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline int steal_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

static inline void *steal_ptr_fn(void *pp)
{
	void **p = pp;
	void *taken = *p;

	*p = NULL;
	return taken;
}
#define steal_ptr(pp) ((__typeof__(*(pp)))steal_ptr_fn(pp))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#endif
