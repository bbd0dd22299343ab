/* SPDX-License-Identifier: MIT */
#include "vmm/keeper/attach.h"

#include "base/error.h"
#include "qmp/sync.h"
#include "vmm/json.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

enum { ATTACH_MS = 10 * 1000 };

struct attachments {
	size_t n;
	struct qmp_sync *v[];
};

static int not_up(const struct spec_network *net, struct error *err)
{
	return error_set(err, ENETDOWN, "network '%s' is not up (hv net up %s)", net->name,
			 net->name);
}

static int attach_one(const struct paths *paths, const struct spec_vm *vm,
		      const struct spec_nic *nic, const uint8_t mac_bytes[6],
		      struct qmp_sync **ret_sync, struct error *err)
{
	char mac[MAC_TEXT_SIZE], address[INET_ADDRSTRLEN];
	struct qmp_sync *sync;
	int fd, rc;

	rc = rundir_connect(paths, PATHS_NET, nic->network->name, NAME_CONTROL, &fd, err);
	if (rc < 0)
		return not_up(nic->network, err);
	rc = qmp_sync_open(fd, &sync, err);
	if (rc < 0)
		return rc;
	mac_format(mac, mac_bytes);
	(void)inet_ntop(AF_INET, &nic->address, address, sizeof(address));
	rc = qmp_sync_call(sync, "hv-net-attach",
			   json_pack("{s:s s:s s:s*}", "vm", vm->name, "mac", mac, "address",
				     nic->has_address ? address : NULL),
			   ATTACH_MS, NULL, err);
	if (rc < 0) {
		qmp_sync_close(sync);
		/* It hung up: it is on its way down. */
		if (rc == -ECONNRESET)
			return not_up(nic->network, err);
		return error_wrap(err, rc, "network '%s'", nic->network->name);
	}
	*ret_sync = sync;
	return 0;
}

int attach_networks(const struct paths *paths, const struct spec_vm *vm, const struct hardware *hw,
		    struct attachments **ret_attachments, struct error *err)
{
	struct attachments *a = calloc(1, sizeof(*a) + vm->n_nics * sizeof(a->v[0]));

	if (!a)
		return error_oom(err);
	for (; a->n < vm->n_nics; a->n++) {
		int rc = attach_one(paths, vm, &vm->nics[a->n], hw->nics[a->n].mac, &a->v[a->n],
				    err);

		if (rc < 0) {
			attachments_free(a);
			return rc;
		}
	}
	*ret_attachments = a;
	return 0;
}

void attachments_free(struct attachments *a)
{
	if (!a)
		return;
	for (size_t i = 0; i < a->n; i++)
		qmp_sync_close(a->v[i]);
	free(a);
}
