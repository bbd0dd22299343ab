/* SPDX-License-Identifier: MIT */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "vmm/volumes/download_words.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TLS "https://h.test/x"
#define PLAIN "http://h.test/x"

static void clear(void)
{
	static const char *const names[] = {"http_proxy",  "HTTP_PROXY", "https_proxy",
					    "HTTPS_PROXY", "all_proxy",  "ALL_PROXY"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		(void)unsetenv(names[i]);
}

/* As libcurl chooses them. */
static void test_variables(void **state)
{
	(void)state;
	clear();
	assert_null(download_proxy_variable(TLS));
	(void)setenv("HTTP_PROXY", "http://p:1", 1);
	assert_null(download_proxy_variable(PLAIN));
	(void)setenv("ALL_PROXY", "http://p:1", 1);
	assert_string_equal(download_proxy_variable(PLAIN), "ALL_PROXY");
	(void)setenv("HTTPS_PROXY", "http://p:1", 1);
	assert_string_equal(download_proxy_variable(TLS), "HTTPS_PROXY");
	(void)setenv("https_proxy", "", 1);
	assert_null(download_proxy_variable(TLS));
	clear();
}

static void says(struct download_failure f, int code, const char *words)
{
	char text[DOWNLOAD_WORDS_BYTES];

	f.general = "in general";
	f.url = f.url ? f.url : TLS;
	assert_int_equal(download_explain(&f, text), code);
	assert_string_equal(text, words);
}

/* What a proxy answers is its own, and no reason to ask again. */
static void test_refusals(void **state)
{
	(void)state;
	assert_false(download_is_refused(&(struct download_failure){.code = CURLE_RECV_ERROR}));
	assert_false(download_is_refused(
		&(struct download_failure){.code = CURLE_RECV_ERROR, .proxy_status = 200}));
	assert_true(download_is_refused(
		&(struct download_failure){.code = CURLE_RECV_ERROR, .proxy_status = 302}));
}

static void test_words(void **state)
{
	(void)state;
	clear();
	says((struct download_failure){.code = CURLE_HTTP_RETURNED_ERROR,
				       .detail = "",
				       .status = 404,
				       .proxy_status = 200},
	     ENOENT, "the server answers 404");
	says((struct download_failure){.code = CURLE_COULDNT_CONNECT, .detail = "no way"}, EIO,
	     "no way");
	(void)setenv("https_proxy", "http://me:sesame@p:1", 1);
	says((struct download_failure){.code = CURLE_COULDNT_CONNECT, .detail = "no way"}, EIO,
	     "no way (https_proxy is set)");
	says((struct download_failure){.code = CURLE_COULDNT_CONNECT,
				       .detail = "no way",
				       .url = PLAIN},
	     EIO, "no way");
	says((struct download_failure){.code = CURLE_COULDNT_CONNECT,
				       .detail = "no way",
				       .url = PLAIN,
				       .last_url = TLS},
	     EIO, "no way (https_proxy is set)");
	says((struct download_failure){.code = CURLE_COULDNT_RESOLVE_PROXY,
				       .detail = "syntax of 'http://me:sesame@p:1'"},
	     EINVAL, "no proxy by what https_proxy says: in general");
	says((struct download_failure){.code = CURLE_COULDNT_RESOLVE_PROXY,
				       .detail = "Unsupported proxy syntax in 'me:sesame'"},
	     EINVAL, "no proxy by what https_proxy says: in general");
	says((struct download_failure){.code = CURLE_RECV_ERROR, .detail = "", .proxy_status = 403},
	     EPROTO,
	     "the proxy answers 403 (https_proxy is set; no_proxy lists hosts that are asked "
	     "without it)");
	says((struct download_failure){.code = CURLE_SEND_ERROR, .detail = "", .status = 302}, EIO,
	     "in general");
	says((struct download_failure){.code = CURLE_WEIRD_SERVER_REPLY, .detail = "syntax"}, EIO,
	     "in general");
	clear();
}

/* There is room for the longest. */
static void test_length(void **state)
{
	char detail[CURL_ERROR_SIZE], text[DOWNLOAD_WORDS_BYTES];
	const struct download_failure f = {.code = CURLE_PEER_FAILED_VERIFICATION,
					   .detail = detail,
					   .general = "",
					   .url = TLS,
					   .verified = 18};

	(void)state;
	memset(detail, 'x', sizeof(detail) - 1);
	detail[sizeof(detail) - 1] = '\0';
	assert_int_equal(download_explain(&f, text), EACCES);
	assert_non_null(strstr(text, "update-ca-certificates)"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_variables),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
