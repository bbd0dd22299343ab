/* SPDX-License-Identifier: MIT */
/* Private to lab/: who starts after whom. */
#ifndef HV_LAB_ORDER_H
#define HV_LAB_ORDER_H

#include "lab/faults.h"

/*
 * Looks up whom each after: names and gives every VM its rank. Faults: a name
 * that is no VM's, and each circle, told once at the entry that closes it.
 * Returns 0 or -ENOMEM.
 */
int lab_order(struct lab *lab, struct lab_faults *faults);

#endif
