/* SPDX-License-Identifier: MIT */
/* What a guest has seen of its machine, and the words for what is not the same any more. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/str.h"
#include "tests/unit/base/scratch.h"
#include "vmm/json.h"
#include "vmm/shape.h"

#include <errno.h>

static void test_same(void **state)
{
	unsigned places[2] = {6, 7};
	struct spec_disk disks[2] = {{.bus = SPEC_BUS_VIRTIO}, {.bus = SPEC_BUS_SATA}};
	struct spec_vm vm = {.name = (char *)"a",
			     .cpus = 2,
			     .memory_bytes = 512 << 20,
			     .disks = disks,
			     .n_disks = 2};
	struct hardware hw = {.machine = "pc-q35-7.2", .cpu = "max", .disks = places};
	struct shape_facts facts = {.vm = &vm, .hw = &hw};
	cleanup_json json_t *was = shape_describe(&facts), *is = NULL, *fewer = NULL, *moved = NULL;
	struct error err = ERROR_INIT;

	(void)state;
	vm.stop_timeout_s = 5;
	is = shape_describe(&facts);
	assert_non_null(was);
	assert_int_equal(shape_compare(was, is, &err), 0);
	places[1] = 8;
	moved = shape_describe(&facts);
	assert_int_equal(shape_compare(was, moved, &err), -EINVAL);
	assert_string_equal(err.text, "its disks are others, or in another order, than before");
	vm.n_disks = 1;
	fewer = shape_describe(&facts);
	assert_int_equal(shape_compare(was, fewer, &err), -EINVAL);
	assert_string_equal(err.text, "it had 2 disks, and has 1");
}

static void test_words(void **state)
{
	cleanup_json json_t *was =
		json_pack("{s:I s:s s:b}", "memory", (json_int_t)512 << 20, "cpu", "max", "tpm", 1);
	cleanup_json json_t *is = json_deep_copy(was);
	struct error err = ERROR_INIT;

	(void)state;
	(void)json_object_set_new(is, "memory", json_integer((json_int_t)1 << 30));
	assert_int_equal(shape_compare(was, is, &err), -EINVAL);
	assert_string_equal(err.text, "its memory was 512 MiB, and is 1 GiB");
	(void)json_object_set(is, "memory", json_object_get(was, "memory"));
	(void)json_object_set_new(is, "cpu", json_string("host"));
	assert_int_equal(shape_compare(was, is, &err), -EINVAL);
	assert_string_equal(err.text, "its cpu was 'max', and is 'host'");
	(void)json_object_set(is, "cpu", json_object_get(was, "cpu"));
	(void)json_object_set_new(is, "later", json_true());
	assert_int_equal(shape_compare(was, is, &err), -EINVAL);
	assert_string_equal(err.text, "its later was not there, and is true");
}

static ino_t inode_of(const struct scratch *s)
{
	struct stat st;

	assert_int_equal(fstatat(s->fd, "shape.json", &st, 0), 0);
	return st.st_ino;
}

/* What is the same is not written again, for that takes a moment of each start. */
static void test_save(void **state)
{
	const struct scratch *s = *state;
	cleanup_json json_t *shape = json_pack("{s:s}", "cpu", "max"), *loaded = NULL;
	ino_t first;

	assert_int_equal(shape_save(s->fd, shape, NULL), 0);
	first = inode_of(s);
	assert_int_equal(shape_save(s->fd, shape, NULL), 0);
	assert_int_equal(inode_of(s), first);
	(void)json_object_set_new(shape, "cpu", json_string("host"));
	assert_int_equal(shape_save(s->fd, shape, NULL), 0);
	assert_int_not_equal(inode_of(s), first);
	assert_int_equal(shape_load(s->fd, &loaded, NULL), 0);
	assert_true(json_equal(loaded, shape));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same),
		cmocka_unit_test(test_words),
		scratch_test(test_save),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
