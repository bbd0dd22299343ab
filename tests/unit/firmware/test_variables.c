/* SPDX-License-Identifier: MIT */
/* A store of variables as EDK II writes it, whole and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "firmware/variables.h"

#include <stdlib.h>
#include <string.h>

enum { HEADER = 72, STORE = 4096, ADDED = 0x3f, DELETED = 0x3d };

static const uint8_t store_guid[] = {0x78, 0x2c, 0xf3, 0xaa, 0x7b, 0x94, 0x9a, 0x43,
				     0xa1, 0x80, 0x2e, 0x14, 0x4e, 0xc3, 0x77, 0x92};
/* systemd's, and EFI's global one. */
static const uint8_t loader_guid[] = {0x82, 0xb0, 0x67, 0x4a, 0x4c, 0x0a, 0xcf, 0x41,
				      0xb6, 0xc7, 0x44, 0x0b, 0x29, 0xbb, 0x8c, 0x4f};
static const uint8_t global_guid[] = {0x61, 0xdf, 0xe4, 0x8b, 0xca, 0x93, 0xd2, 0x11,
				      0xaa, 0x0d, 0x00, 0xe0, 0x98, 0x03, 0x2b, 0x8c};

struct store {
	uint8_t v[HEADER + STORE];
	size_t at; /* of the next variable */
};

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> 8 * i);
}

static void make(struct store *s)
{
	memset(s->v, 0xff, sizeof(s->v));
	memset(s->v, 0, HEADER);
	memcpy(s->v + 40, "_FVH", 4);
	s->v[48] = HEADER;
	memcpy(s->v + HEADER, store_guid, sizeof(store_guid));
	put32(s->v + HEADER + 16, STORE);
	s->at = HEADER + 28;
}

/* Returns where its header is. */
static size_t add(struct store *s, const char *name, const uint8_t *guid, const char *data)
{
	uint8_t *p = s->v + s->at;
	size_t was = s->at, name_bytes = 2 * (strlen(name) + 1);

	memset(p, 0, 60);
	p[0] = 0xaa;
	p[1] = 0x55;
	p[2] = ADDED;
	put32(p + 36, (uint32_t)name_bytes);
	put32(p + 40, (uint32_t)strlen(data));
	memcpy(p + 44, guid, 16);
	for (size_t i = 0; i <= strlen(name); i++) {
		p[60 + 2 * i] = (uint8_t)name[i];
		p[60 + 2 * i + 1] = 0;
	}
	memcpy(p + 60 + name_bytes, data, strlen(data));
	s->at += (60 + name_bytes + strlen(data) + 3) & ~(size_t)3;
	return was;
}

static void test_forget(void **state)
{
	struct store s, was;
	size_t boot, token, other, last;

	(void)state;
	make(&s);
	boot = add(&s, "Boot0001", global_guid, "entry");
	token = add(&s, "LoaderSystemToken", loader_guid, "secret");
	/* The name alone, or the owner alone, is not it. */
	other = add(&s, "LoaderSystemToken", global_guid, "public");
	last = add(&s, "LoaderSystemTokens", loader_guid, "public");
	was = s;
	assert_int_equal(firmware_variables_forget(s.v, sizeof(s.v)), 1);
	assert_int_equal(s.v[token + 2], DELETED);
	assert_null(memmem(s.v, sizeof(s.v), "secret", 6));
	assert_int_equal(s.v[boot + 2], ADDED);
	assert_int_equal(s.v[other + 2], ADDED);
	assert_int_equal(s.v[last + 2], ADDED);
	/* Nothing else was touched, and there is nothing left to do. */
	memcpy(was.v + token, s.v + token, other - token);
	assert_memory_equal(s.v, was.v, sizeof(s.v));
	assert_int_equal(firmware_variables_forget(s.v, sizeof(s.v)), 0);
}

/* What is no such store stays as it is, wherever it is cut or bent. */
static void test_damaged(void **state)
{
	struct store s, bent;

	(void)state;
	make(&s);
	(void)add(&s, "Boot0001", global_guid, "entry");
	(void)add(&s, "LoaderSystemToken", loader_guid, "secret");
	for (size_t len = 0; len < sizeof(s.v); len++) {
		uint8_t *copy = malloc(len ? len : 1);

		assert_non_null(copy);
		memcpy(copy, s.v, len);
		assert_int_equal(firmware_variables_forget(copy, len), 0);
		assert_memory_equal(copy, s.v, len);
		free(copy);
	}
	for (size_t i = 0; i < s.at; i++)
		for (unsigned bit = 0; bit < 8; bit++) {
			bent = s;
			bent.v[i] ^= (uint8_t)(1U << bit);
			assert_true(firmware_variables_forget(bent.v, sizeof(bent.v)) <= 1);
		}
	bent = s;
	memset(bent.v + HEADER + 28 + 36, 0xff, 8);
	assert_int_equal(firmware_variables_forget(bent.v, sizeof(bent.v)), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forget),
		cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests_name("firmware/variables", tests, NULL, NULL);
}
