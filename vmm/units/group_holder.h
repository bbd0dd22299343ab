/* SPDX-License-Identifier: MIT */
/*
 * The process of hv-machines.service: systemd delegates a part of the control groups to
 * that unit, and machines' groups lie in there. It does nothing but be there, for systemd
 * removes the group of a unit that is empty.
 */
#ifndef HV_VMM_GROUP_HOLDER_H
#define HV_VMM_GROUP_HOLDER_H

struct error;

/* Says that it is ready and stays until SIGTERM, SIGINT or SIGHUP. */
int group_holder_run(struct error *err);

#endif
