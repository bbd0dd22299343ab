/* SPDX-License-Identifier: MIT */
/*
 * Where things live. Three folders make a whole host: the configuration
 * ($HV_CONFIG, /etc/hv), state that lasts ($HV_STATE, /var/lib/hv) and what is
 * gone after a boot ($HV_RUN, /run/hv).
 *
 *   STATE/vm/NAME/   state.json  nvram.qcow2  tpm/  console.log  supervisor.log
 *   STATE/states/NAME/   memory  device  state.json
 *                    shape.json  snapshots/  saved.json  saved.memory
 *   STATE/net/NAME/  leases  supervisor.log
 *   STATE/machines/  NAME.yaml of each machine that hvup made itself
 *   RUN/vm/NAME/     lock  status.json  qmp  console  monitor  serial  agent
 *   RUN/net/NAME/    lock  status.json  control  dnsmasq's files
 */
#ifndef HV_BASE_PATHS_H
#define HV_BASE_PATHS_H

struct error;

struct paths {
	const char *config; /* a file or a folder; may be relative */
	const char *state; /* absolute */
	const char *run; /* absolute */
};

/* Reads the environment; config_override (may be NULL) wins over $HV_CONFIG.
 * The strings are owned by the environment or static. A state or run folder that
 * is not absolute is an error. */
int paths_init(struct paths *ret_paths, const char *config_override, struct error *err);

enum paths_kind { PATHS_VM, PATHS_NET };

/* Opens STATE/vm/NAME and so on as a folder descriptor. With make the missing
 * folders are made (0755 down to the kind, 0711 for NAME under STATE, 0700
 * under RUN, which vmm/rundir opens to the group); without, a missing one is
 * -ENOENT, and one that the caller may not list can only be passed. */
int paths_open_state(const struct paths *p, enum paths_kind kind, const char *name, int make,
		     int *ret_fd, struct error *err);
int paths_open_run(const struct paths *p, enum paths_kind kind, const char *name, int make,
		   int *ret_fd, struct error *err);

/* STATE/machines, the caller's to free; NULL when out of memory. */
char *paths_machines(const struct paths *p);

#endif
