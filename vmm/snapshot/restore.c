/* SPDX-License-Identifier: MIT */
#include "vmm/snapshot/restore.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "vmm/json.h"
#include "vmm/resources.h"
#include "vmm/shape.h"
#include "vmm/snapshot/saved.h"
#include "vmm/snapshot/snapshot_store.h"

#include <errno.h>

static int what_to_do(const char *vm, int rc, struct error *err)
{
	return error_wrap_if(err, rc,
			     "it is suspended to disk and cannot be resumed (put back what "
			     "was changed, or hv up --discard-state %s forgets what was "
			     "saved)",
			     vm);
}

int restore_check_saved(int state_dirfd, const char *vm, bool *ret_resumes, struct error *err)
{
	cleanup_json json_t *saved = NULL;
	int rc = saved_read(state_dirfd, &saved, err);

	*ret_resumes = false;
	if (rc == -ENOENT)
		return 0;
	if (rc == 0)
		rc = saved_check_disks(saved, err);
	*ret_resumes = rc == 0;
	return what_to_do(vm, rc, err);
}

int restore_look(struct resources *r, struct error *err)
{
	int rc = snapshot_store_may_start(r->state_dirfd, r->vm->name, &r->loading, err);

	if (rc < 0 || r->loading)
		return rc;
	rc = restore_check_saved(r->state_dirfd, r->vm->name, &r->resumes, err);
	/* A host that stopped at a resume, or a save that was never complete. */
	if (rc == 0 && !r->resumes)
		saved_forget(r->state_dirfd);
	return rc;
}

static int fit_saved(struct resources *r, json_t *shape, struct error *err)
{
	cleanup_json json_t *saved = NULL;
	int rc = saved_read(r->state_dirfd, &saved, err);

	if (rc == 0)
		rc = shape_compare(json_object_get(saved, "shape"), shape, err);
	if (rc == 0)
		rc = saved_open(r->state_dirfd, &r->source_fd, err);
	return what_to_do(r->vm->name, rc, err);
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
	struct shape_facts facts = resources_shape(r, r->vm);

	/* As it is, not as it is wanted. */
	facts.vsock = r->has_vsock;
	return shape_describe(&facts);
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
	if (rc == 0 && r->resumes)
		rc = fit_saved(r, shape, err);
	return rc < 0 ? rc : shape_save(r->state_dirfd, shape, err);
}
