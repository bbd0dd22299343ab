/* SPDX-License-Identifier: MIT */
/* File names in the state and run folders (see base/paths.h), and others that two have to know. */
#ifndef HV_VMM_NAMES_H
#define HV_VMM_NAMES_H

#define NAME_NVRAM "nvram.qcow2"
#define NAME_CONSOLE_LOG "console.log"
#define NAME_SUPERVISOR_LOG "supervisor.log"
#define NAME_TEMPLATE "template.json"
#define NAME_TEMPLATE_LOCK "template.lock"
#define NAME_SYSCALLS "syscalls.json"
#define NAME_LEASES "leases"
#define NAME_RESOLVER "resolver"

#define NAME_MONITOR "monitor"
#define NAME_SERIAL "serial"
#define NAME_AGENT "agent"
#define NAME_QMP "qmp"
#define NAME_CONSOLE "console"
#define NAME_VNC "vnc"
#define NAME_SPICE "spice"
#define NAME_CONTROL "control"

/* What QEMU calls the descriptor that a machine's state goes out by, or comes in. */
#define NAME_COPY_FD "hv-copy"

#endif
