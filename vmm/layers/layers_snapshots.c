/* SPDX-License-Identifier: MIT */
/* What folding would do to the internal snapshots in layers. */
#include "vmm/layers/layers_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/snapshots.h"

#include <errno.h>
#include <string.h>

/* "'one', 'two'"; nothing where it has none. */
static int name_all(const struct disk_layer *layer, struct strbuf *names, struct error *err)
{
	struct disk_snapshots list;
	int rc;

	if (layer->format != DISK_FORMAT_QCOW2)
		return 0;
	rc = disk_snapshots_read(layer->fd, &list, err);
	if (rc < 0)
		return error_wrap(err, rc, "'%s'", layer->path);
	for (size_t i = 0; i < list.n; i++) {
		strbuf_addf(names, "%s'", i ? ", " : "");
		strbuf_add_printable(names, list.v[i].name, strlen(list.v[i].name), false);
		strbuf_addf(names, "'");
	}
	disk_snapshots_free(&list);
	return names->failed ? error_oom(err) : 0;
}

int layers_check_commit(const char *vm, const struct disk_chain *chain, size_t base,
			struct error *err)
{
	for (size_t k = 0; k < base; k++) {
		cleanup_strbuf struct strbuf names = {0};
		int rc = name_all(&chain->v[k], &names, err);

		if (rc < 0)
			return rc;
		if (names.len)
			return error_set(err, ENOTEMPTY,
					 "'%s' goes with its snapshots: %s (hv snap rm %s gives "
					 "one up, hv snap load goes back to it first)",
					 chain->v[k].path, names.data, vm);
	}
	return 0;
}

int layers_check_rebase(const char *vm, const struct disk_chain *chain, struct error *err)
{
	for (size_t k = 0; k < chain->n; k++) {
		cleanup_strbuf struct strbuf names = {0};
		int rc;

		/* What is not its own is another machine's, snapshots and all. */
		if (k > 0 && !layers_is_own(chain->v[k].path, chain->v[0].path))
			break;
		rc = name_all(&chain->v[k], &names, err);
		if (rc < 0)
			return rc;
		if (names.len && k == 0)
			return error_set(err, ENOTEMPTY,
					 "its snapshots need what lies below: %s (hv snap rm %s "
					 "gives one up)",
					 names.data, vm);
		if (names.len)
			return error_set(err, ENOTEMPTY,
					 "snapshots that it could not go back to any more lie in "
					 "'%s': %s (hv snap commit %s keeps them)",
					 chain->v[k].path, names.data, vm);
	}
	return 0;
}
