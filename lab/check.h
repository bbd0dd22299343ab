/* SPDX-License-Identifier: MIT */
/* Private to lab/: what is only wrong when things are seen together. */
#ifndef HV_LAB_CHECK_H
#define HV_LAB_CHECK_H

#include "lab/config.h"

void lab_check(const struct lab *lab, struct lab_faults *faults);

#endif
