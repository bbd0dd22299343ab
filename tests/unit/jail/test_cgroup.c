/* SPDX-License-Identifier: MIT */
/* What the kernel's control groups say and take, as texts and on folders that only
 * look like groups. The rest is in tests/integration/cgroup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "jail/cgroup.h"
#include "jail/cgroup_text.h"
#include "tests/unit/base/scratch.h"

#include <errno.h>
#include <sys/sysmacros.h>

static void test_own(void **state)
{
	static const struct {
		const char *text, *group;
	} rows[] = {
		{"0::/\n", "/"},
		{"0::/hv.slice/hv@dc01.service\n", "/hv.slice/hv@dc01.service"},
		{"0::/no/end", "/no/end"},
		{"9:name=systemd:/a\n4:memory:/b\n0::/c\n", "/c"},
		/* Version 1 only. */
		{"2:cpu,cpuacct:/\n1:memory:/x\n", NULL},
		{"10::/a\n", NULL},
		{"0::\n", NULL},
		{"", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cleanup_free char *group = cgroup_text_own(rows[i].text);

		if (rows[i].group)
			assert_string_equal(group ? group : "none", rows[i].group);
		else
			assert_null(group);
	}
}

static void test_v1(void **state)
{
	static const char text[] = "9:name=systemd:/cpuset\n3:cpu,cpuacct:/memory\n0::/cpu,io\n";

	(void)state;
	assert_true(cgroup_text_is_v1(text, "cpu"));
	assert_true(cgroup_text_is_v1(text, "cpuacct"));
	assert_false(cgroup_text_is_v1(text, "cpuset"));
	assert_false(cgroup_text_is_v1(text, "memory"));
	assert_false(cgroup_text_is_v1(text, "io"));
	assert_false(cgroup_text_is_v1("nothing\n\n:::", "cpu"));
}

#define V2(root, point) "30 24 0:27 " root " " point " rw,nosuid shared:9 - cgroup2 cgroup2 rw\n"
#define OTHER "24 1 8:1 / / rw - ext4 /dev/sda1 rw\n"

static void test_folder(void **state)
{
	static const struct {
		const char *mounts, *group, *folder;
		size_t top_len;
	} rows[] = {
		{OTHER V2("/", "/sys/fs/cgroup"), "/a/b", "/sys/fs/cgroup/a/b", 14},
		{V2("/", "/sys/fs/cgroup"), "/", "/sys/fs/cgroup", 14},
		/* Only a part of the hierarchy is to be seen. */
		{V2("/a", "/cg"), "/a/b", "/cg/b", 3},
		{V2("/a", "/cg"), "/a", "/cg", 3},
		{V2("/a", "/cg"), "/ab", NULL, 0},
		{V2("/a", "/cg") V2("/", "/all"), "/ab", "/all/ab", 4},
		{V2("/", "/with\\040space\\134"), "/g", "/with space\\/g", 12},
		{"30 24 0:27 / /sys/fs/cgroup rw - cgroup cgroup rw,cgroup2\n", "/", NULL, 0},
		{OTHER, "/", NULL, 0},
		{"", "/", NULL, 0},
		{" - cgroup2 \n", "/", "", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *rest = rows[i].mounts;
		size_t top_len = 0;
		cleanup_free char *folder = cgroup_text_folder(&rest, rows[i].group, &top_len);

		if (!rows[i].folder) {
			assert_null(folder);
			continue;
		}
		if (*rows[i].folder)
			assert_string_equal(folder ? folder : "none", rows[i].folder);
		assert_int_equal(top_len, rows[i].top_len);
	}
}

/* One that is covered by another: the caller asks for the next. */
static void test_next_folder(void **state)
{
	const char *rest = OTHER V2("/", "/first") OTHER V2("/", "/second") OTHER;
	size_t top_len;
	char *folder;

	(void)state;
	folder = cgroup_text_folder(&rest, "/g", &top_len);
	assert_string_equal(folder, "/first/g");
	free(folder);
	folder = cgroup_text_folder(&rest, "/g", &top_len);
	assert_string_equal(folder, "/second/g");
	free(folder);
	assert_null(cgroup_text_folder(&rest, "/g", &top_len));
}

static void test_words(void **state)
{
	uint64_t value = 7;

	(void)state;
	assert_true(cgroup_text_has_word("cpuset cpu io\n", "cpu"));
	assert_true(cgroup_text_has_word("cpuset cpu io\n", "io"));
	assert_true(cgroup_text_has_word("cpuset", "cpuset"));
	assert_false(cgroup_text_has_word("cpuset io\n", "cpu"));
	assert_false(cgroup_text_has_word("\n", "cpu"));

	assert_true(cgroup_text_get("populated 1\nfrozen 0\n", "frozen", &value));
	assert_int_equal(value, 0);
	assert_true(cgroup_text_get("populated 1\nfrozen 0\n", "populated", &value));
	assert_int_equal(value, 1);
	assert_false(cgroup_text_get("populated\nfroze 0\n", "populated", &value));
	assert_false(cgroup_text_get("populated x\n", "populated", &value));
	assert_false(cgroup_text_get("", "populated", &value));
}

static void test_formats(void **state)
{
	char text[96];

	(void)state;
	cgroup_text_cpu(text, sizeof(text), 1500);
	assert_string_equal(text, "150000 100000");
	cgroup_text_cpu(text, sizeof(text), 10);
	assert_string_equal(text, "1000 100000");
	cgroup_text_cpu(text, sizeof(text), UINT32_MAX);
	assert_string_equal(text, "429496729500 100000");
	cgroup_text_io(text, sizeof(text), makedev(259, 3), 1ULL << 40);
	assert_string_equal(text, "259:3 rbps=1099511627776 wbps=1099511627776");
}

static void put(const struct scratch *s, const char *name)
{
	int fd = openat(s->fd, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

	assert_true(fd >= 0);
	close(fd);
}

static void assert_file(const struct scratch *s, const char *name, const char *text)
{
	char *is = NULL;

	assert_int_equal(file_read(s->fd, name, 256, &is, NULL, NULL), 0);
	assert_string_equal(is, text);
	free(is);
}

static void test_limit(void **state)
{
	struct scratch *s = *state;
	dev_t device = makedev(8, 0);
	struct cgroup_limits limits = {
		.cpus_milli = 250,
		.memory_bytes = 5ULL << 30,
		.pids = 200,
		.io_bytes = 1 << 20,
		.io_devices = &device,
		.n_io_devices = 1,
	};
	cleanup_strv struct strv missing = {0};

	put(s, "cpu.max");
	put(s, "memory.max");
	put(s, "memory.oom.group");
	put(s, "pids.max");
	put(s, "io.max");
	cgroup_limit(s->fd, &limits, &missing);
	assert_int_equal(missing.n, 0);
	assert_file(s, "cpu.max", "25000 100000");
	assert_file(s, "memory.max", "5368709120");
	assert_file(s, "memory.oom.group", "1");
	assert_file(s, "pids.max", "200");
	assert_file(s, "io.max", "8:0 rbps=1048576 wbps=1048576");
}

/* A controller that is not there, and a file that does not take it: each is told,
 * and the others are set all the same. */
static void test_limit_missing(void **state)
{
	struct scratch *s = *state;
	struct cgroup_limits limits = {.cpus_milli = 1000, .memory_bytes = 1 << 30, .pids = 100};
	cleanup_strv struct strv missing = {0};

	put(s, "pids.max");
	assert_int_equal(mkdirat(s->fd, "memory.max", 0755), 0);
	cgroup_limit(s->fd, &limits, &missing);
	assert_int_equal(missing.n, 2);
	assert_string_equal(missing.v[0],
			    "cpus: the controller 'cpu' is not available to this group");
	assert_string_equal(missing.v[1], "memory_max: '1073741824' cannot be written to "
					  "memory.max: Is a directory");
	assert_file(s, "pids.max", "100");
}

/* What is not limited is not touched. */
static void test_no_limit(void **state)
{
	struct scratch *s = *state;
	struct cgroup_limits limits = {.n_io_devices = 0};
	cleanup_strv struct strv missing = {0};

	put(s, "cpu.max");
	put(s, "memory.max");
	cgroup_limit(s->fd, &limits, &missing);
	assert_int_equal(missing.n, 0);
	assert_file(s, "cpu.max", "");
	assert_file(s, "memory.max", "");
}

/* A file system without a disk, as tmpfs is, cannot be limited. */
static void test_no_block_device(void **state)
{
	dev_t disk = 7;

	(void)state;
	assert_int_equal(cgroup_block_device(makedev(0, 1), &disk), -ENODEV);
	assert_int_equal(disk, 7);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_own),    cmocka_unit_test(test_v1),
		cmocka_unit_test(test_folder), cmocka_unit_test(test_next_folder),
		cmocka_unit_test(test_words),  cmocka_unit_test(test_formats),
		scratch_test(test_limit),      scratch_test(test_limit_missing),
		scratch_test(test_no_limit),   cmocka_unit_test(test_no_block_device),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
