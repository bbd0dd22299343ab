/* SPDX-License-Identifier: MIT */
/* What a process is called, of base/title.h: the test runs itself with words and an environment of
 * known size, and there has a copy of itself that gets others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/child.h"
#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"
#include "base/title.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char *title[] = {(char *)"hv", (char *)"-c", (char *)"/etc/hv/hv.yaml", (char *)"run", NULL};

/* NUL bytes as '@'. */
static void print_file(const char *path)
{
	cleanup_free char *data = NULL;
	size_t len = 0;

	if (file_read(AT_FDCWD, path, 1 << 16, &data, &len, NULL) < 0)
		return;
	for (size_t i = 0; i < len; i++)
		(void)putchar(data[i] ? data[i] : '@');
}

/* The program that the tests run. */
static int retitle(void)
{
	static char *const empty[] = {NULL};

	environ = (char **)empty;
	(void)printf("%d ", title_set(title));
	print_file("/proc/self/cmdline");
	(void)printf("|");
	print_file("/proc/self/environ");
	return fflush(stdout);
}

static void assert_becomes(const char *word, char *const *env, const char *want)
{
	char *argv[] = {(char *)"retitle", (char *)word, NULL};
	struct strbuf said = {0};
	struct child child;
	char chunk[4096];
	ssize_t n;
	int fds[2];

	assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
	assert_int_equal(child_spawn(
				 &(struct child_spec){
					 .path = "/proc/self/exe",
					 .argv = argv,
					 .env = env,
					 .stdin_fd = -1,
					 .stdout_fd = fds[1],
					 .stderr_fd = STDERR_FILENO,
					 .cwd_fd = -1,
				 },
				 &child, NULL),
			 0);
	(void)close(fds[1]);
	while ((n = read(fds[0], chunk, sizeof(chunk))) > 0)
		strbuf_add(&said, chunk, (size_t)n);
	(void)close(fds[0]);
	assert_int_equal(child_wait(&child, -1, NULL, NULL), 0);
	assert_non_null(said.data);
	assert_non_null(strchr(said.data, '|'));
	assert_null(strstr(said.data, "nobody's business"));
	strchr(said.data, '|')[1] = '\0';
	assert_string_equal(said.data, want);
	strbuf_free(&said);
}

/* The title is 26 bytes long, with the NUL at its end; so are "retitle" and a word of 17. */
static void test_longer(void **state)
{
	char *env[] = {(char *)"SECRET=nobody's business", NULL};

	(void)state;
	assert_becomes("a", env, "1 hv -c /etc/hv/hv.yaml run@|");
}

static void test_not_longer(void **state)
{
	char *env[] = {(char *)"SECRET=nobody's business", NULL};

	(void)state;
	assert_becomes("exactly that long", env, "1 hv -c /etc/hv/hv.yaml run@|");
	assert_becomes("exactly that long", NULL, "1 hv -c /etc/hv/hv.yaml run@|");
	assert_becomes("two bytes too long.", env, "1 hv -c /etc/hv/hv.yaml run@@@|");
}

static void test_no_room(void **state)
{
	(void)state;
	assert_becomes("one byte is less", NULL, "0 retitle@one byte is less@|");
	assert_becomes("a", NULL, "0 retitle@a@|");
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_longer),
		cmocka_unit_test(test_not_longer),
		cmocka_unit_test(test_no_room),
	};

	title_init(argc, argv);
	if (argc == 2 && str_eq(argv[0], "retitle"))
		return retitle();
	return cmocka_run_group_tests_name("title", tests, NULL, NULL);
}
