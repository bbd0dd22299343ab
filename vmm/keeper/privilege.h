/* SPDX-License-Identifier: MIT */
/* What a keeper may: root's user, but of root's capabilities those that it has a use
 * for. The units bound them to the same. */
#ifndef HV_VMM_PRIVILEGE_H
#define HV_VMM_PRIVILEGE_H

#include "base/paths.h"

/* For the keeper of a VM or a network. A failure is logged: it goes on with more. */
void privilege_narrow(enum paths_kind kind);

#endif
