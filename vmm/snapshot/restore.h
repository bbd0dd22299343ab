/* SPDX-License-Identifier: MIT */
/* What a machine's start has to do with a state that was saved, as part of struct resources. */
#ifndef HV_VMM_RESTORE_H
#define HV_VMM_RESTORE_H

struct error;
struct resources;

/* Looks, before anything is touched, whether the machine may start, and into what. */
int restore_look(struct resources *r, struct error *err);

/* The machine is complete: notes its shape, to which what is brought back has to fit. */
int restore_prepare(struct resources *r, struct error *err);

/* The same once more, when QEMU has said which machine type it took. */
int restore_note_shape(struct resources *r, struct error *err);

#endif
