/* SPDX-License-Identifier: MIT */
/* Commands of others, passed on as text: out of band, taken back, and answered as text. */
#include "peer.h"

#include "qmp/text.h"

enum { WINDOW = 7 };

static void open_with_oob(struct peer *p)
{
	peer_open_as(p, true, false);
	peer_say(p, GREETING);
	assert_string_equal(peer_heard(p), "{\"execute\":\"qmp_capabilities\",\"arguments\":"
					   "{\"enable\":[\"oob\"]},\"id\":0}\r\n");
	assert_false(qmp_client_has_oob(p->client));
	peer_say(p, NEGOTIATED);
	assert_true(qmp_client_has_oob(p->client));
}

static void forward(struct peer *p, const char *command, bool oob, unsigned owner,
		    struct outcome *o)
{
	const struct qmp_forward what = {.command = command, .oob = oob, .owner = owner};

	o->peer = p;
	assert_int_equal(qmp_client_forward(p->client, &what, peer_on_reply, o, NULL), 0);
}

static void test_words_as_they_came(void **state)
{
	const struct qmp_forward what = {
		.command = "a\"b",
		.arguments = "{\"n\" : 18446744073709551615}",
	};
	struct outcome o = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	o.peer = &p;
	assert_int_equal(qmp_client_forward(p.client, &what, peer_on_reply, &o, NULL), 0);
	assert_string_equal(
		peer_heard(&p),
		"{\"execute\":\"a\\\"b\",\"id\":1,\"arguments\":{\"n\" : 18446744073709551615}}");
	assert_false(qmp_client_has_oob(p.client));
	peer_close(&p);
	assert_int_equal(o.code, ECANCELED);
}

struct told {
	struct peer *peer;
	char text[128];
};

static void on_text(json_t *result, const char *class, const struct error *err, void *arg)
{
	struct told *told = arg;
	size_t len;
	const char *text = qmp_client_text(told->peer->client, &len);
	struct qmp_span value = {0};

	(void)result;
	(void)class;
	if (text)
		value = qmp_text_member(text, len, err ? "error" : "return");
	(void)str_format(told->text, sizeof(told->text), "%.*s", (int)value.len, value.at ?: "");
}

static void test_answers_as_text(void **state)
{
	static const char *const rows[][2] = {
		{"{\"return\": {\"n\" : 18446744073709551615}, \"id\": %d}\r\n",
		 "{\"n\" : 18446744073709551615}"},
		{"{\"id\": %d, \"error\": {\"class\": \"X\", \"desc\": \"\\u00e9\"}}\r\n",
		 "{\"class\": \"X\", \"desc\": \"\\u00e9\"}"},
	};
	struct peer p;
	size_t len;

	(void)state;
	peer_ready(&p);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct qmp_forward what = {.command = "a"};
		struct told told = {.peer = &p};
		cleanup_strbuf struct strbuf line = {0};

		assert_int_equal(qmp_client_forward(p.client, &what, on_text, &told, NULL), 0);
		strbuf_add(&line, rows[i][0], (size_t)(strchr(rows[i][0], '%') - rows[i][0]));
		strbuf_addf(&line, "1%s", strchr(rows[i][0], '%') + 2);
		peer_say(&p, line.data);
		assert_string_equal(told.text, rows[i][1]);
		assert_null(qmp_client_text(p.client, &len));
	}
	peer_close(&p);
}

/* QEMU reads no further when its queue is full: what is urgent must be before that. */
static void test_out_of_band_overtakes(void **state)
{
	struct outcome o[WINDOW + 3] = {0}, urgent = {0};
	struct peer p;

	(void)state;
	open_with_oob(&p);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		forward(&p, "slow", false, 0, &o[i]);
	peer_spin(&p);
	assert_non_null(strstr(peer_heard(&p), "\"id\":7}"));
	forward(&p, "urgent", true, 0, &urgent);
	peer_spin(&p);
	assert_string_equal(peer_heard(&p), "{\"exec-oob\":\"urgent\",\"id\":11}");
	peer_say(&p, "{\"return\": {}, \"id\": 11}\r\n");
	assert_int_equal(urgent.n, 1);
	assert_string_equal(peer_heard(&p), "");
	/* Each answer lets one more go, in their order. */
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	assert_string_equal(peer_heard(&p), "{\"execute\":\"slow\",\"id\":8}");
	peer_say(&p, "{\"return\": {}, \"id\": 2}\r\n{\"return\": {}, \"id\": 3}\r\n");
	assert_string_equal(peer_heard(&p), "{\"execute\":\"slow\",\"id\":9}"
					    "{\"execute\":\"slow\",\"id\":10}");
	peer_close(&p);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++) {
		assert_int_equal(o[i].n, 1);
		outcome_clear(&o[i]);
	}
	outcome_clear(&urgent);
}

/* Who goes takes along what was not sent; the rest is answered as ever. */
static void test_withdrawn(void **state)
{
	struct outcome o[WINDOW + 4] = {0};
	struct peer p;

	(void)state;
	open_with_oob(&p);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		forward(&p, "slow", false, 1 + i % 2, &o[i]);
	peer_spin(&p);
	(void)peer_heard(&p);
	qmp_client_withdraw(p.client, 2);
	qmp_client_withdraw(p.client, 3);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		assert_int_equal(o[i].n, i >= WINDOW && i % 2);
	assert_int_equal(o[7].code, ECANCELED);
	for (int i = 1; i <= WINDOW; i++) {
		char line[64];

		(void)str_format(line, sizeof(line), "{\"return\": {}, \"id\": %d}\r\n", i);
		peer_say(&p, line);
	}
	assert_string_equal(peer_heard(&p), "{\"execute\":\"slow\",\"id\":9}"
					    "{\"execute\":\"slow\",\"id\":11}");
	assert_int_equal(qmp_client_pending(p.client), 2);
	/* What is called now is behind the others, by an id that is free again. */
	outcome_clear(&o[7]);
	forward(&p, "later", false, 0, &o[7]);
	peer_say(&p, "{\"return\": {}, \"id\": 1}\r\n");
	assert_int_equal(o[7].n, 1);
	peer_close(&p);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		outcome_clear(&o[i]);
}

/* One who asks much at once waits for himself; his own requests keep their order. */
static void test_owners_take_turns(void **state)
{
	struct outcome o[WINDOW + 6] = {0};
	struct peer p;

	(void)state;
	open_with_oob(&p);
	for (size_t i = 0; i < WINDOW + 3; i++)
		forward(&p, "much", false, 1, &o[i]);
	(void)peer_heard(&p);
	forward(&p, "little", false, 2, &o[WINDOW + 3]);
	forward(&p, "other", false, 3, &o[WINDOW + 4]);
	forward(&p, "more", false, 2, &o[WINDOW + 5]);
	for (int i = 1; i <= 6; i++) {
		char line[64];

		(void)str_format(line, sizeof(line), "{\"return\": {}, \"id\": %d}\r\n", i);
		peer_send_bytes(&p, line, strlen(line));
	}
	peer_spin(&p);
	assert_string_equal(peer_heard(&p), "{\"execute\":\"much\",\"id\":8}"
					    "{\"execute\":\"little\",\"id\":11}"
					    "{\"execute\":\"other\",\"id\":12}"
					    "{\"execute\":\"much\",\"id\":9}"
					    "{\"execute\":\"more\",\"id\":13}"
					    "{\"execute\":\"much\",\"id\":10}");
	peer_close(&p);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		outcome_clear(&o[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words_as_they_came),
		cmocka_unit_test(test_answers_as_text),
		cmocka_unit_test(test_out_of_band_overtakes),
		cmocka_unit_test(test_withdrawn),
		cmocka_unit_test(test_owners_take_turns),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
