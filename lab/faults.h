/* SPDX-License-Identifier: MIT */
/* Private to lab/: collecting faults. */
#ifndef HV_LAB_FAULTS_H
#define HV_LAB_FAULTS_H

#include "lab/config.h"

/* The position; file is borrowed and may be NULL. Text is made printable. Past
 * the bound, or when memory is out, a fault is only counted. */
void lab_fault_add(struct lab_faults *faults, const struct spec_where *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* By file and position. */
void lab_faults_sort(struct lab_faults *faults);

#endif
