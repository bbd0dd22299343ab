/* SPDX-License-Identifier: MIT */
/* How far a file is read ahead: by a process's own count of what it has read. */
#include "vmm/snapshot/read_ahead.h"

#include "base/str.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

enum { MIB = 1024 * 1024 };

/* A file of that size, without anything in it. */
static int make_file(off_t size)
{
	int fd = memfd_create("memory", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	assert_int_equal(lseek(fd, 7, SEEK_SET), 7);
	return fd;
}

static uint64_t bytes_read_by(pid_t pid)
{
	char path[32], text[512] = "";
	int fd;

	(void)str_format(path, sizeof(path), "/proc/%d/io", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return strtoull(strstr(text, "rchar: ") + strlen("rchar: "), NULL, 10);
}

/* It reads as much, and then no more: a piece at a time, and a little that it began with. */
static void assert_reads(const struct read_ahead *r, uint64_t bytes)
{
	while (bytes_read_by(r->leash.process.pid) < bytes)
		(void)usleep(1000);
	(void)usleep(50 * 1000);
	assert_in_range(bytes_read_by(r->leash.process.pid), bytes, bytes + 2 * MIB);
}

static void test_keeps_its_distance(void **state)
{
	int fd = make_file(2 * (off_t)READ_AHEAD_MAX);
	struct read_ahead r;

	(void)state;
	read_ahead_begin(&r, fd);
	assert_true(r.leash.process.pid > 0);
	assert_reads(&r, READ_AHEAD_MAX);
	read_ahead_tell(&r, 10 * MIB);
	assert_reads(&r, READ_AHEAD_MAX + 10 * MIB);
	/* The other one may never go on. */
	read_ahead_end(&r);
	assert_int_equal(r.leash.process.pid, 0);
	assert_int_equal(r.leash.fd, -1);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 7);
	close(fd);
}

/* Without its maker it does not wait for ever. */
static void test_maker_goes(void **state)
{
	int fd = make_file(2 * (off_t)READ_AHEAD_MAX);
	struct read_ahead r;

	(void)state;
	read_ahead_begin(&r, fd);
	leash_let_go(&r.leash);
	read_ahead_end(&r);
	close(fd);
}

static void test_reads_to_the_end(void **state)
{
	int fd = make_file(3 * MIB + 5), status;
	struct read_ahead r;

	(void)state;
	read_ahead_begin(&r, fd);
	assert_int_equal(child_wait(&r.leash.process, -1, &status, NULL), 0);
	assert_int_equal(status, 0);
	/* Whom nobody hears any more. */
	read_ahead_tell(&r, MIB);
	read_ahead_end(&r);
	close(fd);
}

static void test_cannot_be_read(void **state)
{
	int fd = open("/", O_PATH | O_CLOEXEC), status;
	struct read_ahead r;

	(void)state;
	assert_true(fd >= 0);
	read_ahead_begin(&r, fd);
	assert_int_equal(child_wait(&r.leash.process, -1, &status, NULL), 0);
	assert_int_not_equal(status, 0);
	read_ahead_tell(&r, MIB);
	read_ahead_end(&r);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keeps_its_distance),
		cmocka_unit_test(test_maker_goes),
		cmocka_unit_test(test_reads_to_the_end),
		cmocka_unit_test(test_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
