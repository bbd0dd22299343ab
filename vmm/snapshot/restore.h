/* SPDX-License-Identifier: MIT */
/* What a machine's start has to do with a state that was saved, as part of struct resources. */
#ifndef HV_VMM_RESTORE_H
#define HV_VMM_RESTORE_H

#include <stdbool.h>

struct error;
struct resources;

/* Whether the machine of that state folder is suspended to disk, and its start resumes it. Where it
 * cannot, for a disk is missing or was written to since, the error says what to do. */
int restore_check_saved(int state_dirfd, const char *vm, bool *ret_resumes, struct error *err);

/* Looks, before anything is touched, whether the machine may start, and into what. */
int restore_look(struct resources *r, struct error *err);

/* The machine is complete: notes its shape, to which what is brought back has to fit. */
int restore_prepare(struct resources *r, struct error *err);

/* The same once more, when QEMU has said which machine type it took. */
int restore_note_shape(struct resources *r, struct error *err);

#endif
