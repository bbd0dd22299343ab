/* SPDX-License-Identifier: MIT */
/* A peer that answers in order, as QEMU's monitor does: calls go without an id. */
#include "peer.h"

enum { NAMED_EVERY = 16 };

#define RETURN(member) "{\"return\": {\"" member "\": 1}}\r\n"

static void open_in_order(struct peer *p)
{
	peer_open_as(p, true, true);
	peer_say(p, GREETING);
	peer_say(p, NEGOTIATED);
	assert_true(qmp_client_has_oob(p->client));
	(void)peer_heard(p);
}

static void forward(struct peer *p, const char *command, bool oob, unsigned owner,
		    struct outcome *o)
{
	const struct qmp_forward what = {.command = command, .oob = oob, .owner = owner};

	o->peer = p;
	assert_int_equal(qmp_client_forward(p->client, &what, peer_on_reply, o, NULL), 0);
}

static void clear(struct outcome *o, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		assert_int_equal(o[i].n, 1);
		outcome_clear(&o[i]);
	}
}

/* The first one, by which the order is proved, and no other has an id. */
static void open_past_the_named(struct peer *p)
{
	struct outcome first = {0};

	open_in_order(p);
	peer_call(p, "first", 0, &first);
	assert_string_equal(peer_heard(p), "{\"execute\":\"first\",\"id\":1}");
	peer_say(p, "{\"return\": {}, \"id\": 1}\r\n");
	clear(&first, 1);
}

static bool has(const struct outcome *o, const char *member)
{
	return o->n == 1 && json_object_get(o->result, member);
}

static void test_by_their_order(void **state)
{
	struct outcome o[3] = {0};
	struct peer p;

	(void)state;
	open_past_the_named(&p);
	for (size_t i = 0; i < ARRAY_SIZE(o); i++)
		peer_call(&p, "stop", 0, &o[i]);
	assert_string_equal(peer_heard(&p), "{\"execute\":\"stop\"}{\"execute\":\"stop\"}"
					    "{\"execute\":\"stop\"}");
	peer_say(&p, RETURN("a") "{\"error\": {\"class\": \"GenericError\", \"desc\": \"b\"}}\r\n");
	assert_true(has(&o[0], "a"));
	assert_string_equal(o[1].text, "b");
	assert_int_equal(o[2].n, 0);
	peer_say(&p, RETURN("c"));
	assert_true(has(&o[2], "c"));
	/* There is nobody left whose it could be. */
	peer_say(&p, RETURN("d"));
	assert_int_equal(p.n_closed, 0);
	clear(o, ARRAY_SIZE(o));
	peer_close(&p);
}

/* The order is that in which they went, not that in which they were made. */
static void test_order_of_going(void **state)
{
	struct outcome much[9] = {0}, other = {0};
	struct peer p;

	(void)state;
	open_past_the_named(&p);
	/* The window is full with the seventh; the other's goes before the ninth. */
	for (size_t i = 0; i < ARRAY_SIZE(much); i++)
		forward(&p, "much", false, 1, &much[i]);
	forward(&p, "other", false, 2, &other);
	(void)peer_heard(&p);
	for (int i = 0; i < 7; i++)
		peer_say(&p, RETURN("much"));
	assert_string_equal(peer_heard(&p), "{\"execute\":\"much\"}{\"execute\":\"other\"}"
					    "{\"execute\":\"much\"}");
	peer_say(&p, RETURN("much"));
	peer_say(&p, RETURN("other"));
	assert_true(has(&other, "other"));
	assert_int_equal(much[8].n, 0);
	peer_say(&p, RETURN("much"));
	assert_true(has(&much[8], "much"));
	clear(much, ARRAY_SIZE(much));
	clear(&other, 1);
	peer_close(&p);
}

/* A call that ran out of time keeps its place: its answer is not the next one's. */
static void test_late_answers(void **state)
{
	struct outcome late = {0}, next = {0};
	struct peer p;

	(void)state;
	open_past_the_named(&p);
	peer_call(&p, "slow", 1, &late);
	peer_wait(&p, &late);
	assert_int_equal(late.code, ETIMEDOUT);
	peer_call(&p, "next", 0, &next);
	peer_say(&p, RETURN("late"));
	assert_int_equal(next.n, 0);
	peer_say(&p, RETURN("next"));
	assert_true(has(&next, "next"));
	clear(&late, 1);
	clear(&next, 1);
	peer_close(&p);
}

static void test_out_of_band_has_an_id(void **state)
{
	struct outcome slow = {0}, urgent = {0};
	struct peer p;

	(void)state;
	open_past_the_named(&p);
	forward(&p, "slow", false, 0, &slow);
	forward(&p, "urgent", true, 0, &urgent);
	assert_string_equal(peer_heard(&p),
			    "{\"execute\":\"slow\"}{\"exec-oob\":\"urgent\",\"id\":2}");
	peer_say(&p, "{\"return\": {\"u\": 1}, \"id\": 2}\r\n");
	assert_true(has(&urgent, "u"));
	assert_int_equal(slow.n, 0);
	peer_say(&p, RETURN("s"));
	assert_true(has(&slow, "s"));
	clear(&slow, 1);
	clear(&urgent, 1);
	peer_close(&p);
}

/* An answer that was left out is noticed at the next one with an id, and ends it all:
 * each since then may have been given to another. */
static void test_one_left_out(void **state)
{
	struct outcome o[NAMED_EVERY + 1] = {0};
	struct peer p;
	size_t i;

	(void)state;
	open_past_the_named(&p);
	for (i = 0; i < NAMED_EVERY - 2; i++) {
		peer_call(&p, "stop", 0, &o[i]);
		peer_say(&p, RETURN("a"));
	}
	for (; i < ARRAY_SIZE(o); i++)
		peer_call(&p, "stop", 0, &o[i]);
	assert_non_null(strstr(peer_heard(&p), "{\"execute\":\"stop\"}"
					       "{\"execute\":\"stop\",\"id\":2}"
					       "{\"execute\":\"stop\"}"));
	peer_say(&p, "{\"return\": {}, \"id\": 2}\r\n");
	assert_int_equal(p.n_closed, 1);
	assert_int_equal(p.closed_code, EPROTO);
	assert_int_equal(o[ARRAY_SIZE(o) - 1].code, EPROTO);
	clear(o, ARRAY_SIZE(o));
	peer_close(&p);
}

/* One whose order is not known to be kept is never answered without an id. */
static void test_elsewhere_by_ids_only(void **state)
{
	struct outcome o = {0};
	struct peer p;

	(void)state;
	peer_ready(&p);
	peer_call(&p, "stop", 0, &o);
	peer_say(&p, RETURN("a"));
	assert_int_equal(o.n, 0);
	peer_close(&p);
	clear(&o, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_by_their_order), cmocka_unit_test(test_order_of_going),
		cmocka_unit_test(test_late_answers),   cmocka_unit_test(test_out_of_band_has_an_id),
		cmocka_unit_test(test_one_left_out),   cmocka_unit_test(test_elsewhere_by_ids_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
