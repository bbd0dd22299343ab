/* SPDX-License-Identifier: MIT */
#include "vmm/volumes/download_words.h"

#include "base/cleanup.h"
#include "base/str.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* OpenSSL's numbers, 1 being libcurl's own for a wrong name; and bits of GnuTLS's, above them. */
enum {
	UNSPECIFIED = 1,
	NOT_YET_VALID = 9,
	EXPIRED = 10,
	GNUTLS_DATES = 1 << 9 | 1 << 10,
};

const char *download_proxy_variable(const char *url)
{
	/* HTTP_PROXY is not one of them: in a CGI program it would be what a client says. */
	static const char *const plain[] = {"http_proxy", "all_proxy", "ALL_PROXY", NULL};
	static const char *const tls[] = {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY",
					  NULL};

	for (const char *const *name = str_after(url, "https://") ? tls : plain; *name; name++) {
		const char *value = getenv(*name);

		if (value)
			return *value ? *name : NULL;
	}
	return NULL;
}

static const char *find_variable(const struct download_failure *f)
{
	return download_proxy_variable(f->last_url ? f->last_url : f->url);
}

/* libcurl shows a proxy that it cannot make out as it stands, its password included. */
static const char *choose_detail(const struct download_failure *f)
{
	bool telling = strchr(f->detail, '@') || strstr(f->detail, "nsupported proxy");

	return *f->detail && !telling ? f->detail : f->general;
}

/* For what may be the proxy's doing as well as the server's. */
static void add_variable(const struct download_failure *f, struct strbuf *text)
{
	const char *variable = find_variable(f);

	if (variable)
		strbuf_addf(text, " (%s is set)", variable);
}

static void add_proxy_answer(const struct download_failure *f, long status, struct strbuf *text)
{
	const char *variable = find_variable(f);

	variable = variable ? variable : "its variable";
	strbuf_addf(text, "the proxy answers %ld", status);
	if (status == 407)
		strbuf_addf(text, ": it wants to know who asks (%s=http://NAME:PASSWORD@HOST:PORT)",
			    variable);
	else
		strbuf_addf(text, " (%s is set; no_proxy lists hosts that are asked without it)",
			    variable);
}

static void add_today(struct strbuf *text)
{
	time_t now = time(NULL);
	struct tm tm;
	char day[16];

	if (gmtime_r(&now, &tm) && strftime(day, sizeof(day), "%F", &tm))
		strbuf_addf(text, " (this host's clock says %s)", day);
}

static void add_certificate(const struct download_failure *f, struct strbuf *text)
{
	strbuf_addf(text, "the certificate is refused: %s", choose_detail(f));
	if (f->verified == NOT_YET_VALID || f->verified == EXPIRED || f->verified & GNUTLS_DATES)
		add_today(text);
	else if (f->verified > UNSPECIFIED)
		strbuf_addf(text, " (a CA that this host is to trust: its certificate as a .crt in "
				  "/usr/local/share/ca-certificates, then update-ca-certificates)");
	else
		add_variable(f, text);
}

static int add_answer(const struct download_failure *f, struct strbuf *text)
{
	strbuf_addf(text, "the server answers %ld", f->status);
	if (f->status >= 300 && f->status < 400)
		strbuf_addf(text, " and does not say where it is");
	else if (f->status != 404)
		add_variable(f, text);
	return f->status == 404 ? ENOENT : EPROTO;
}

/* What https:// promises holds to the end: nobody on the way reads what is asked for. */
static void add_protocol(const struct download_failure *f, struct strbuf *text)
{
	if (!f->status)
		strbuf_addf(text, "no server of HTTP answers there");
	else if (str_after(f->url, "https://"))
		strbuf_addf(text,
			    "it leads from https:// to what is not, and is not followed there "
			    "(if it is to be: give that address as url:)");
	else
		strbuf_addf(text, "it leads to what is neither https:// nor http://");
}

static void add_circle(const struct download_failure *f, struct strbuf *text)
{
	(void)f;
	strbuf_addf(text, "the server redirects from one place to the next, for ever");
}

static void add_bundle(const struct download_failure *f, struct strbuf *text)
{
	strbuf_addf(
		text,
		"the CAs that this host trusts cannot be read (apt install ca-certificates): %s",
		choose_detail(f));
}

static void add_tls(const struct download_failure *f, struct strbuf *text)
{
	strbuf_addf(text, "no TLS comes about: %s", choose_detail(f));
	add_variable(f, text);
}

static void add_proxy(const struct download_failure *f, struct strbuf *text)
{
	const char *variable = find_variable(f);

	strbuf_addf(text, "no proxy by what %s says: %s", variable ? variable : "its variable",
		    choose_detail(f));
}

static void add_connection(const struct download_failure *f, struct strbuf *text)
{
	strbuf_addf(text, "%s", choose_detail(f));
	add_variable(f, text);
}

static const struct {
	CURLcode code;
	int error;
	void (*add)(const struct download_failure *f, struct strbuf *text);
} rows[] = {
	{CURLE_TOO_MANY_REDIRECTS, ELOOP, add_circle},
	{CURLE_UNSUPPORTED_PROTOCOL, EPROTO, add_protocol},
	{CURLE_PEER_FAILED_VERIFICATION, EACCES, add_certificate},
	{CURLE_SSL_CACERT_BADFILE, ENOENT, add_bundle},
	{CURLE_SSL_CONNECT_ERROR, EPROTO, add_tls},
	{CURLE_COULDNT_RESOLVE_PROXY, EINVAL, add_proxy},
	{CURLE_COULDNT_RESOLVE_HOST, EIO, add_connection},
	{CURLE_COULDNT_CONNECT, EIO, add_connection},
	{CURLE_PROXY, EIO, add_connection}, /* SOCKS */
};

bool download_is_refused(const struct download_failure *f)
{
	return f->proxy_status >= 300;
}

static int add_words(const struct download_failure *f, struct strbuf *text)
{
	if (download_is_refused(f) || f->status == 407) {
		add_proxy_answer(f, f->status == 407 ? 407 : f->proxy_status, text);
		return EPROTO;
	}
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].code == f->code) {
			rows[i].add(f, text);
			return rows[i].error;
		}
	if (f->code == CURLE_OK || f->status >= 400)
		return add_answer(f, text);
	strbuf_addf(text, "%s", f->general);
	return EIO;
}

int download_explain(const struct download_failure *f, char ret_text[static DOWNLOAD_WORDS_BYTES])
{
	cleanup_strbuf struct strbuf text = {0};
	int code = add_words(f, &text);

	(void)str_format(ret_text, DOWNLOAD_WORDS_BYTES, "%s", text.data ? text.data : f->general);
	return code;
}

int download_explain_tries(const struct download_failure *f, bool slow,
			   char ret_text[static DOWNLOAD_WORDS_BYTES])
{
	cleanup_strbuf struct strbuf text = {0};
	bool late = slow || f->code == CURLE_OPERATION_TIMEDOUT;

	strbuf_addf(&text, "%s, again and again",
		    late && !f->status ? "nobody answers"
		    : slow             ? "the server sends next to nothing"
				       : "the server breaks off");
	add_variable(f, &text);
	(void)str_format(ret_text, DOWNLOAD_WORDS_BYTES, "%s", text.data ? text.data : f->general);
	return EIO;
}
