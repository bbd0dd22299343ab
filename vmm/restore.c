/* SPDX-License-Identifier: MIT */
#include "vmm/restore.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "vmm/json.h"
#include "vmm/resources.h"
#include "vmm/shape.h"
#include "vmm/snapshot_store.h"

int restore_look(struct resources *r, struct error *err)
{
	return snapshot_store_may_start(r->state_dirfd, r->vm->name, &r->loading, err);
}

static int fit_snapshot(struct resources *r, json_t *shape, struct error *err)
{
	struct snapshot_store store;
	const struct snapshot_record *record;
	int rc = snapshot_store_read(r->paths, r->vm->name, &store, err);

	if (rc < 0)
		return rc;
	rc = snapshot_store_get(&store, store.loading ? store.loading : "", &record, err);
	if (rc == 0 && record->shape)
		rc = error_wrap_if(err, shape_compare(record->shape, shape, err),
				   "snapshot '%s' is of another machine", record->tag);
	snapshot_store_close(&store);
	return rc;
}

static json_t *describe(const struct resources *r)
{
	return shape_describe(&(struct shape_facts){
		.vm = r->vm,
		.hw = &r->hw,
		.kvm = r->kvm,
		.smm = r->firmware.smm,
		.vsock = r->has_vsock,
	});
}

int restore_note_shape(struct resources *r, struct error *err)
{
	cleanup_json json_t *shape = describe(r);

	return shape ? shape_save(r->state_dirfd, shape, err) : error_oom(err);
}

int restore_prepare(struct resources *r, struct error *err)
{
	cleanup_json json_t *shape = describe(r);
	int rc = shape ? 0 : error_oom(err);

	if (rc == 0 && r->loading)
		rc = fit_snapshot(r, shape, err);
	return rc < 0 ? rc : shape_save(r->state_dirfd, shape, err);
}
