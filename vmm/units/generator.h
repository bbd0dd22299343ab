/* SPDX-License-Identifier: MIT */
/* systemd's generator: drop-ins and hv.target's wants out of the configuration. */
#ifndef HV_VMM_GENERATOR_H
#define HV_VMM_GENERATOR_H

#include "lab/spec.h"

struct error;

/*
 * Writes hv@NAME.service.d/50-hv.conf for every VM, and a link in
 * hv.target.wants/ for each that has autostart, below folder. A VM that cannot be
 * written is told by tell(), and the others are written all the same; the first
 * failure is the result.
 */
int generator_write(const struct lab *lab, const char *folder,
		    void (*tell)(const struct error *err), struct error *err);

#endif
