/* SPDX-License-Identifier: MIT */
/*
 * Why libcurl could not fetch something, in words: whose certificate, which proxy, what to do.
 * Reads the environment and the clock, and does nothing else.
 */
#ifndef HV_VMM_DOWNLOAD_WORDS_H
#define HV_VMM_DOWNLOAD_WORDS_H

#include <curl/curl.h>
#include <stdbool.h>
#include <stddef.h>

enum { DOWNLOAD_WORDS_BYTES = 512 };

struct download_failure {
	CURLcode code;
	const char *general; /* curl_easy_strerror() of it */
	const char *detail; /* CURLOPT_ERRORBUFFER: may hold a proxy's password */
	const char *url; /* as it was given */
	const char *last_url; /* where that led; NULL: the same */
	long status; /* what was answered; 0: nothing */
	long proxy_status; /* what a proxy answered that was to connect; 0: nothing */
	long verified; /* CURLINFO_SSL_VERIFYRESULT, or a proxy's */
};

/* The variable of the environment that libcurl has a proxy for that URL from, or NULL. no_proxy is
 * not looked at. */
const char *download_proxy_variable(const char *url);

/* Whether a proxy said no, so that asking once more is of no use. */
bool download_is_refused(const struct download_failure *f);

/* A positive errno, and the words. */
int download_explain(const struct download_failure *f, char ret_text[static DOWNLOAD_WORDS_BYTES]);

/* After some tries of which none was refused. */
int download_explain_tries(const struct download_failure *f, bool slow,
			   char ret_text[static DOWNLOAD_WORDS_BYTES]);

#endif
