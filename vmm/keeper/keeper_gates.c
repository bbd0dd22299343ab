/* SPDX-License-Identifier: MIT */
/* The gates of QEMU and swtpm (vmm/keeper/seal.h): open until QEMU has answered. */
#include "vmm/keeper/keeper_private.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/log.h"
#include "base/str.h"
#include "vmm/json.h"
#include "vmm/names.h"

static int open_gate(struct keeper *k, int *listener, struct jail_answerer *answerer,
		     const struct jail_profile *profile, unsigned version, int memory_fd,
		     struct seal **ret_seal, struct error *err)
{
	struct jail_answerer taken = *answerer;
	char owner[96];

	if (*listener < 0)
		return 0;
	*answerer = (struct jail_answerer)JAIL_ANSWERER_INIT;
	(void)str_format(owner, sizeof(owner), "vm '%s'", k->options->vm->name);
	return seal_new(k->event, steal_fd(listener),
			&(struct seal_options){
				.owner = owner,
				.profile = profile,
				.situation = {.kvm = k->res.kvm,
					      .version = version,
					      .watch = k->options->watch},
				.answerer = taken,
				.memory_fd = memory_fd,
			},
			ret_seal, err);
}

int keeper_open_gates(struct keeper *k, struct error *err)
{
	int rc;

	rc = open_gate(k, &k->res.qemu_listener, &k->res.qemu_answerer, &jail_profile_qemu,
		       k->res.qemu_version, k->res.memory_fd, &k->qemu_seal, err);
	if (rc == 0)
		rc = open_gate(k, &k->res.swtpm_listener, &k->res.swtpm_answerer,
			       &jail_profile_swtpm, 0, -1, &k->swtpm_seal, err);
	return rc;
}

void keeper_seal(struct keeper *k)
{
	k->sealed = true;
	seal_close_gate(k->qemu_seal);
	seal_close_gate(k->swtpm_seal);
	close_fd(&k->res.memory_fd);
}

/* For whoever keeps the profiles. */
static void write_record(struct keeper *k)
{
	json_t *programs[] = {seal_describe(k->qemu_seal), seal_describe(k->swtpm_seal)};
	cleanup_json json_t *all = json_array();
	cleanup_free char *text = NULL;
	struct error err = ERROR_INIT;

	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (programs[i])
			(void)json_array_append_new(all, programs[i]);
	if (!json_array_size(all) || k->res.state_dirfd < 0)
		return;
	text = json_dumps(all, JSON_INDENT(1));
	if (!text || file_write_volatile(k->res.state_dirfd, NAME_SYSCALLS, text, strlen(text),
					 0644, &err) < 0)
		log_error("vm '%s': its record could not be written: %s", k->options->vm->name,
			  err.text);
}

void keeper_free_gates(struct keeper *k)
{
	write_record(k);
	seal_free(k->qemu_seal);
	seal_free(k->swtpm_seal);
	k->qemu_seal = k->swtpm_seal = NULL;
}
