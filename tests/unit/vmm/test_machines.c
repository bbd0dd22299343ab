/* SPDX-License-Identifier: MIT */
/* Machines that hvup makes itself: their file, what belongs to it, and how they go. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "disk/record.h"
#include "tests/unit/base/scratch.h"
#include "vmm/json.h"
#include "vmm/machines.h"
#include "vmm/rundir.h"
#include "vmm/uids.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

/* A host of its own below the scratch folder, and a volume for a machine. */
struct place {
	char *state, *run, *volume, *shared;
	struct paths paths;
	json_t *vm;
};

static void place_make(const struct scratch *s, struct place *p)
{
	p->state = str_printf("%s/state", s->path);
	p->run = str_printf("%s/run", s->path);
	p->volume = str_printf("%s/m-0.qcow2", s->path);
	p->shared = str_printf("%s/shared.raw", s->path);
	p->paths = (struct paths){.config = "/none", .state = p->state, .run = p->run};
	p->vm = json_pack("{s:s s:[{s:s}, {s:s s:b}]}", "like", "src", "disks", "path", p->volume,
			  "path", p->shared, "read_only", 1);
	assert_non_null(p->vm);
}

static void place_free(struct place *p)
{
	free(p->state);
	free(p->run);
	free(p->volume);
	free(p->shared);
	json_decref(p->vm);
}

static bool there(const char *folder, const char *name)
{
	cleanup_free char *path = str_printf("%s/%s", folder, name);

	return access(path, F_OK) == 0;
}

static void put(const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	close(fd);
}

/* What a machine has when it was used. */
static void fill(const struct place *p)
{
	const struct disk_record record = {.backing = (char *)"base.qcow2"};
	int fd;
	uid_t uid;

	put(p->volume);
	put(p->shared);
	assert_int_equal(disk_record_write(p->volume, &record, NULL), 0);
	assert_int_equal(paths_open_state(&p->paths, PATHS_VM, "m", 1, &fd, NULL), 0);
	assert_int_equal(mkdirat(fd, "tpm", 0700), 0);
	close(fd);
	assert_int_equal(uids_claim(&p->paths, "vm/m", &uid, NULL), 0);
	assert_int_equal(uids_claim(&p->paths, "tpm/m", &uid, NULL), 0);
	assert_int_equal(uids_claim(&p->paths, "vm/other", &uid, NULL), 0);
}

static void assert_gone(const struct scratch *s, const struct place *p)
{
	struct disk_record record;
	uid_t uid, other;

	assert_false(there(p->state, "machines/m.yaml"));
	assert_false(there(p->state, "machines/.m.part"));
	assert_false(there(p->state, "machines/.m.lock"));
	assert_false(there(p->state, "vm/m"));
	assert_false(there(s->path, "m-0.qcow2"));
	assert_true(there(s->path, "shared.raw"));
	assert_int_equal(disk_record_read(p->volume, &record, NULL), 0);
	assert_null(record.backing);
	assert_false(machine_is_made(&p->paths, "m"));
	/* Its numbers are free again, and nobody else's. */
	assert_int_equal(uids_claim(&p->paths, "vm/new", &uid, NULL), 0);
	assert_int_equal(uids_claim(&p->paths, "vm/other", &other, NULL), 0);
	assert_int_equal(uid + 2, other);
}

static void test_life(void **state)
{
	const struct scratch *s = *state;
	struct machine_making making, second;
	struct error err = ERROR_INIT;
	cleanup_free char *text = NULL, *wanted = NULL;
	struct place p;

	place_make(s, &p);
	assert_false(machine_is_made(&p.paths, "m"));
	assert_int_equal(machine_begin(&p.paths, "m", p.vm, &making, &err), 0);
	/* It is none yet, and nobody else may make it. */
	assert_false(there(p.state, "machines/m.yaml"));
	assert_int_equal(machine_begin(&p.paths, "m", p.vm, &second, &err), -EBUSY);
	assert_int_equal(machine_remove(&p.paths, "m", &err), -EBUSY);
	assert_string_equal(err.text, "vm 'm' is being made or removed by another hv");
	fill(&p);
	assert_int_equal(machine_finish(&making, &err), 0);
	machine_abandon(&making);
	assert_true(machine_is_made(&p.paths, "m"));
	wanted = machine_text("m", p.vm);
	assert_int_equal(file_read(s->fd, "state/machines/m.yaml", 4096, &text, NULL, NULL), 0);
	assert_string_equal(text, wanted);
	assert_int_equal(machine_begin(&p.paths, "m", p.vm, &second, &err), -EEXIST);
	assert_string_equal(err.text, "there is a vm 'm' already");
	assert_true(there(s->path, "m-0.qcow2"));
	assert_int_equal(machine_remove(&p.paths, "m", &err), 0);
	assert_gone(s, &p);
	place_free(&p);
}

static void test_abandoned(void **state)
{
	const struct scratch *s = *state;
	struct machine_making making;
	struct place p;

	place_make(s, &p);
	assert_int_equal(machine_begin(&p.paths, "m", p.vm, &making, NULL), 0);
	fill(&p);
	machine_abandon(&making);
	machine_abandon(&making);
	assert_gone(s, &p);
	place_free(&p);
}

/* Whoever made it was killed: its lock went with it. */
static void test_unfinished(void **state)
{
	const struct scratch *s = *state;
	struct machine_making making;
	struct place p;

	place_make(s, &p);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(machine_begin(&p.paths, "m", p.vm, &making, NULL), 0);
		fill(&p);
		close_fd(&making.lockfd);
		close_fd(&making.dirfd);
		assert_true(machine_is_made(&p.paths, "m"));
	}
	assert_int_equal(machine_remove(&p.paths, "m", NULL), 0);
	assert_gone(s, &p);
	place_free(&p);
}

static void test_refused(void **state)
{
	const struct scratch *s = *state;
	struct rundir run = RUNDIR_INIT;
	struct machine_making making;
	struct error err = ERROR_INIT;
	struct place p;
	int fd;

	place_make(s, &p);
	assert_int_equal(machine_begin(&p.paths, "../m", p.vm, &making, &err), -EINVAL);
	assert_int_equal(machine_remove(&p.paths, "m", &err), -ENOENT);
	/* State of one that was configured once is not taken for a new one. */
	assert_int_equal(paths_open_state(&p.paths, PATHS_VM, "m", 1, &fd, NULL), 0);
	close(fd);
	assert_int_equal(machine_begin(&p.paths, "m", p.vm, &making, &err), -EEXIST);
	assert_non_null(strstr(err.text, "/state/vm/m' is left of an earlier vm"));
	assert_true(there(p.state, "vm/m"));
	assert_false(machine_is_made(&p.paths, "m"));
	/* One that is up stays as it is. */
	assert_int_equal(file_remove_tree(s->fd, "state/vm", NULL), 0);
	assert_int_equal(machine_begin(&p.paths, "m", p.vm, &making, &err), 0);
	fill(&p);
	assert_int_equal(machine_finish(&making, &err), 0);
	assert_int_equal(rundir_acquire(&p.paths, PATHS_VM, "m", &run, &err), 0);
	assert_int_equal(machine_remove(&p.paths, "m", &err), -EBUSY);
	assert_string_equal(err.text, "vm 'm' is up (hv down m)");
	assert_true(machine_is_made(&p.paths, "m") && there(s->path, "m-0.qcow2"));
	rundir_remove(&run, &p.paths, PATHS_VM, "m");
	assert_int_equal(machine_remove(&p.paths, "m", &err), 0);
	assert_gone(s, &p);
	place_free(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		scratch_test(test_life),
		scratch_test(test_abandoned),
		scratch_test(test_unfinished),
		scratch_test(test_refused),
	};

	return cmocka_run_group_tests_name("vmm/machines", tests, NULL, NULL);
}
