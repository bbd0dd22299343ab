/* SPDX-License-Identifier: MIT */
/*
 * What the configuration adds to systemd's units: the text of the drop-in for
 * hv@NAME.service. Pure. Names are put in as they are, for str_is_name() allows
 * nothing that a unit's name does not; paths are quoted, and one that no unit
 * file can hold (control bytes) is left out with a comment.
 */
#ifndef HV_VMM_UNIT_FILES_H
#define HV_VMM_UNIT_FILES_H

#include "lab/spec.h"

#include "base/str.h"

#define UNIT_DROP_IN "50-hv.conf"

/* What systemd waits beyond stop_timeout before it ends the supervisor. */
enum { UNIT_STOP_MARGIN_S = 30 };

void unit_files_vm(const struct spec_vm *vm, struct strbuf *into);

#endif
