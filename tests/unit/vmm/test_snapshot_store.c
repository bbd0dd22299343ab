/* SPDX-License-Identifier: MIT */
/* The folder of a machine's snapshots: what is kept, who may change it, what a start may do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/snapshot/snapshot_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[64];
static struct paths paths;

static int setup(void **state)
{
	(void)state;
	(void)str_format(dir, sizeof(dir), "/tmp/hv-test-store-XXXXXX");
	paths = (struct paths){.config = dir, .state = dir, .run = dir};
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return file_remove_tree(AT_FDCWD, dir, NULL);
}

static void put(struct snapshot_store *s, const char *tag, const char *parent, uint64_t date,
		enum snapshot_stage stage)
{
	struct snapshot_record r = {.tag = strdup(tag),
				    .parent = parent ? strdup(parent) : NULL,
				    .stage = stage,
				    .date = date};
	struct error err = ERROR_INIT;

	assert_int_equal(snapshot_store_put(s, &r, &err), 0);
	assert_null(r.tag);
}

/* Made one after another within a second, they are listed as they were made. */
static void test_order(void **state)
{
	struct snapshot_store s;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(snapshot_store_lock(&paths, "c", &s, &err), 0);
	for (unsigned i = 0; i < 3; i++) {
		struct snapshot_record r = {
			.tag = strdup((const char *const[]){"z", "y", "x"}[i]),
			.stage = SNAPSHOT_COMPLETE,
			.date = 10,
			.date_ns = i + 1,
		};

		assert_int_equal(snapshot_store_put(&s, &r, &err), 0);
	}
	snapshot_store_close(&s);
	assert_int_equal(snapshot_store_read(&paths, "c", &s, &err), 0);
	assert_string_equal(s.v[0].tag, "z");
	assert_string_equal(s.v[2].tag, "x");
	snapshot_store_close(&s);
}

static const char *parent_of(const struct snapshot_store *s, const char *tag)
{
	const struct snapshot_record *r = snapshot_store_find(s, tag);

	assert_non_null(r);
	return r->parent ? r->parent : "-";
}

static void test_keeps(void **state)
{
	struct snapshot_store s, again;
	const struct snapshot_record *r;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(snapshot_store_read(&paths, "nobody", &s, &err), 0);
	assert_int_equal(s.n, 0);
	assert_int_equal(snapshot_store_lock(&paths, "a", &s, &err), 0);
	put(&s, "three", "two", 30, SNAPSHOT_COMPLETE);
	put(&s, "one", NULL, 10, SNAPSHOT_COMPLETE);
	put(&s, "two", "one", 20, SNAPSHOT_COMPLETE);
	put(&s, "half", "two", 40, SNAPSHOT_PENDING);
	assert_int_equal(snapshot_store_set_current(&s, "two", &err), 0);

	assert_int_equal(snapshot_store_lock(&paths, "a", &again, &err), -EBUSY);
	assert_int_equal(snapshot_store_read(&paths, "a", &again, &err), 0);
	assert_int_equal(again.n, 4);
	assert_string_equal(again.v[0].tag, "one");
	assert_string_equal(again.v[2].tag, "three");
	assert_string_equal(again.current, "two");
	assert_int_equal(snapshot_store_get(&again, "three", &r, &err), 0);
	assert_int_equal(snapshot_store_get(&again, "half", &r, &err), -ENOENT);
	assert_int_equal(snapshot_store_get(&again, "four", &r, &err), -ENOENT);
	assert_non_null(strstr(err.text, "one, two, three"));
	snapshot_store_close(&again);

	/* Its child and the machine go to what it came from. */
	assert_int_equal(snapshot_store_remove(&s, "two", &err), 0);
	assert_string_equal(parent_of(&s, "three"), "one");
	assert_string_equal(s.current, "one");
	assert_int_equal(snapshot_store_remove(&s, "one", &err), 0);
	snapshot_store_close(&s);
	assert_int_equal(snapshot_store_read(&paths, "a", &again, &err), 0);
	assert_int_equal(again.n, 2);
	assert_string_equal(parent_of(&again, "three"), "-");
	assert_null(again.current);
	snapshot_store_close(&again);
}

static void test_start(void **state)
{
	cleanup_close int fd = -1;
	cleanup_free char *loading = NULL;
	struct snapshot_store s;
	struct error err = ERROR_INIT;
	bool waits;

	(void)state;
	assert_int_equal(paths_open_state(&paths, PATHS_VM, "b", 1, &fd, &err), 0);
	assert_int_equal(snapshot_store_may_start(fd, "b", &waits, &err), 0);
	assert_false(waits);
	assert_int_equal(snapshot_store_lock(&paths, "b", &s, &err), 0);
	assert_int_equal(snapshot_store_may_start(fd, "b", &waits, &err), -EBUSY);
	assert_int_equal(snapshot_store_set_loading(&s, "one", &err), 0);
	assert_int_equal(snapshot_store_may_start(fd, "b", &waits, &err), 0);
	assert_true(waits);
	snapshot_store_close(&s);
	/* Who loaded has gone in the middle of it. */
	assert_int_equal(snapshot_store_may_start(fd, "b", &waits, &err), -EBUSY);
	assert_non_null(strstr(err.text, "hv snap load b one"));
	loading = snapshot_store_loading(&paths, "b");
	assert_string_equal(loading, "one");
	assert_int_equal(snapshot_store_lock(&paths, "b", &s, &err), 0);
	assert_int_equal(snapshot_store_set_loading(&s, NULL, &err), 0);
	snapshot_store_close(&s);
	assert_int_equal(snapshot_store_may_start(fd, "b", &waits, &err), 0);
	assert_false(waits);
}

static void test_damaged(void **state)
{
	struct snapshot_store s;
	struct error err = ERROR_INIT;

	(void)state;
	assert_int_equal(snapshot_store_lock(&paths, "c", &s, &err), 0);
	put(&s, "one", NULL, 1, SNAPSHOT_COMPLETE);
	assert_int_equal(file_write_volatile(s.dirfd, "two.json", "{", 1, 0644, &err), 0);
	assert_int_equal(file_write_volatile(s.dirfd, "no tag.json", "{", 1, 0644, &err), 0);
	snapshot_store_close(&s);
	assert_int_equal(snapshot_store_read(&paths, "c", &s, &err), -EINVAL);
	assert_non_null(strstr(err.text, "snapshot 'two'"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_start),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
