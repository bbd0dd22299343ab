/* SPDX-License-Identifier: MIT */
/* Private to lab/: collecting faults. */
#ifndef HV_LAB_FAULTS_H
#define HV_LAB_FAULTS_H

#include "lab/config.h"

enum { LAB_FAULTS_MAX = 1000 };

/* The position; file is borrowed and may be NULL. File and text are made
 * printable; what is known already is not told twice. Past LAB_FAULTS_MAX
 * nothing is added; when memory is out, faults->failed is set. */
void lab_fault_add(struct lab_faults *faults, const struct spec_where *where, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* By file and position. */
void lab_faults_sort(struct lab_faults *faults);

#endif
