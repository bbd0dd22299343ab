/* SPDX-License-Identifier: MIT */
/* The guest agent's channel, with the agent's end in the test's own hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"
#include "vmm/supervisor/agent.h"

#include <errno.h>
#include <sys/socket.h>

struct ends {
	sd_event *event;
	struct agent *agent;
	int fd; /* the agent's */
	int n_failed, failed_code;
	int n_replies, reply_code;
	bool free_in_callback;
};

static void on_failed(const struct error *why, void *arg)
{
	struct ends *e = arg;

	e->n_failed++;
	e->failed_code = why->code;
	if (e->free_in_callback)
		agent_free(steal_ptr(&e->agent));
}

static void on_reply(json_t *result, const struct error *err, void *arg)
{
	struct ends *e = arg;

	(void)result;
	e->n_replies++;
	e->reply_code = err ? err->code : 0;
	if (e->free_in_callback)
		agent_free(steal_ptr(&e->agent));
}

static int open_ends(struct ends *e)
{
	int fd;

	*e = (struct ends){0};
	assert_int_equal(sd_event_new(&e->event), 0);
	assert_int_equal(fd_socketpair(&e->fd, &fd, NULL), 0);
	return fd;
}

static void open_channel(struct ends *e)
{
	int fd = open_ends(e);

	assert_int_equal(agent_new(e->event, fd, &e->agent, NULL), 0);
}

static void open_shutdown(struct ends *e)
{
	int fd = open_ends(e);

	assert_int_equal(agent_new(e->event, fd, &e->agent, NULL), 0);
	assert_int_equal(agent_shutdown(e->agent, on_failed, e, NULL), 0);
}

static void close_ends(struct ends *e)
{
	agent_free(e->agent);
	close_fd(&e->fd);
	sd_event_unref(e->event);
}

static void spin(struct ends *e)
{
	while (sd_event_run(e->event, 0) > 0)
		;
}

static const char *heard(struct ends *e)
{
	static char text[4096];
	ssize_t n = recv(e->fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	text[n > 0 ? n : 0] = '\0';
	return text;
}

static void say(struct ends *e, const char *text)
{
	assert_int_equal(send(e->fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	spin(e);
}

/* As an honest agent does. */
static void answer_sync(struct ends *e)
{
	const char *request = heard(e), *number = strstr(request, "\"id\":");
	char text[64];

	assert_int_equal((unsigned char)request[0], 0xff);
	assert_non_null(strstr(request, "\"guest-sync-delimited\""));
	assert_non_null(number);
	(void)str_format(text, sizeof(text), "\xff{\"return\": %lu}\n",
			 strtoul(number + 5, NULL, 10));
	say(e, text);
}

static void test_shutdown(void **state)
{
	struct ends e;

	(void)state;
	open_shutdown(&e);
	answer_sync(&e);
	assert_string_equal(
		heard(&e),
		"{\"execute\":\"guest-shutdown\",\"arguments\":{\"mode\":\"powerdown\"}}\n");
	/* It does not answer; the guest goes, and QEMU with it. */
	close_fd(&e.fd);
	spin(&e);
	assert_int_equal(e.n_failed, 0);
	close_ends(&e);
	assert_int_equal(e.n_failed, 0);
}

static void test_shutdown_refused(void **state)
{
	struct ends e;

	(void)state;
	open_shutdown(&e);
	answer_sync(&e);
	(void)heard(&e);
	say(&e, "{\"error\": {\"class\": \"CommandNotFound\", \"desc\": \"disabled\"}}\n");
	assert_int_equal(e.n_failed, 1);
	assert_int_equal(e.failed_code, ENOENT);
	say(&e, "{\"error\": {\"class\": \"GenericError\", \"desc\": \"again\"}}\n");
	close_fd(&e.fd);
	spin(&e);
	assert_int_equal(e.n_failed, 1);
	close_ends(&e);
}

static void test_shutdown_garbage(void **state)
{
	struct ends e;

	(void)state;
	open_shutdown(&e);
	answer_sync(&e);
	(void)heard(&e);
	say(&e, "login: ");
	assert_int_equal(e.n_failed, 0);
	say(&e, "\n");
	assert_int_equal(e.n_failed, 1);
	assert_int_equal(e.failed_code, EPROTO);
	close_ends(&e);
}

/* Before it has answered the sync, an end of the channel is a failure. */
static void test_shutdown_channel_closed(void **state)
{
	struct ends e;

	(void)state;
	open_shutdown(&e);
	e.free_in_callback = true;
	say(&e, "\xff{\"return\": 1}\nnoise\n");
	assert_int_equal(e.n_failed, 0);
	close_fd(&e.fd);
	spin(&e);
	assert_int_equal(e.n_failed, 1);
	assert_int_equal(e.failed_code, ECONNRESET);
	assert_null(e.agent);
	close_ends(&e);
}

/* Given up before: nobody is told. */
static void test_shutdown_freed(void **state)
{
	struct ends e;

	(void)state;
	open_shutdown(&e);
	close_ends(&e);
	assert_int_equal(e.n_failed, 0);
}

static void test_deadline(void **state)
{
	struct ends e;

	(void)state;
	for (int frees = 0; frees < 2; frees++) {
		open_channel(&e);
		e.free_in_callback = frees;
		assert_int_equal(agent_call(e.agent, "guest-a", NULL, 0, NULL, NULL, NULL), 0);
		assert_int_equal(agent_call(e.agent, "guest-b", NULL, 1, on_reply, &e, NULL), 0);
		while (!e.n_replies)
			assert_true(sd_event_run(e.event, UINT64_MAX) >= 0);
		assert_int_equal(e.n_replies, 1);
		assert_int_equal(e.reply_code, ETIMEDOUT);
		close_ends(&e);
		assert_int_equal(e.n_replies, 1);
	}
}

static void test_many_in_sequence(void **state)
{
	struct ends e;

	(void)state;
	open_channel(&e);
	for (int i = 0; i < 3; i++)
		assert_int_equal(agent_call(e.agent, "guest-ping", json_object(), 3600 * 1000,
					    on_reply, &e, NULL),
				 0);
	answer_sync(&e);
	for (int i = 0; i < 3; i++) {
		assert_string_equal(heard(&e), "{\"execute\":\"guest-ping\",\"arguments\":{}}\n");
		say(&e, "{\"return\": {}}\n");
		assert_int_equal(e.n_replies, i + 1);
		assert_int_equal(e.reply_code, 0);
	}
	close_fd(&e.fd);
	spin(&e);
	assert_int_equal(agent_call(e.agent, "guest-ping", json_object(), 0, on_reply, &e, NULL),
			 -ECONNRESET);
	assert_int_equal(e.n_replies, 3);
	close_ends(&e);
}

/* More than the socket takes at once, to one that reads a little at a time. */
static void test_slow_reader(void **state)
{
	const size_t size = 4U << 20;
	char *text = malloc(size + 1), chunk[65536];
	size_t total = 0, n_lines = 0;
	struct ends e;

	(void)state;
	assert_non_null(text);
	memset(text, 'x', size);
	text[size] = '\0';
	open_channel(&e);
	assert_int_equal(agent_call(e.agent, "guest-file-write", json_pack("{s:s}", "buf", text), 0,
				    on_reply, &e, NULL),
			 0);
	answer_sync(&e);
	while (!n_lines) {
		ssize_t n = recv(e.fd, chunk, sizeof(chunk), MSG_DONTWAIT);

		assert_true(n > 0);
		total += (size_t)n;
		n_lines += memchr(chunk, '\n', (size_t)n) != NULL;
		spin(&e);
	}
	assert_true(total > size);
	free(text);
	close_ends(&e);
	assert_int_equal(e.n_replies, 1);
	assert_int_equal(e.reply_code, ECANCELED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_shutdown_refused),
		cmocka_unit_test(test_shutdown_garbage),
		cmocka_unit_test(test_shutdown_channel_closed),
		cmocka_unit_test(test_shutdown_freed),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_many_in_sequence),
		cmocka_unit_test(test_slow_reader),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
