/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * The child tells its parent by messages of one size on a pipe: how far it is, and last how it
 * ended. Each is shorter than PIPE_BUF, so it arrives whole. The parent believes of them
 * what harms nobody: numbers and a text to show.
 */
#include "vmm/volumes/download.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/fd.h"
#include "base/str.h"
#include "vmm/uids.h"
#include "vmm/volumes/curl_library.h"
#include "vmm/volumes/download_words.h"

#include <errno.h>
#include <grp.h>
#include <poll.h>
#include <stdbool.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum {
	FILE_FD = 3,
	REPORT_FD = 4,
	FRUITLESS_MAX = 3, /* tries that bring no byte */
	REDIRECTIONS_MAX = 5,
	PATIENCE_S = 30, /* also until it is connected */
	/* What a try has to bring in that time, and to be worth another one: a server that sends a
	 * byte now and then gets no further. */
	WORTH_BYTES = 64 << 10,
	HTTP_OK = 200,
	HTTP_PARTIAL_CONTENT = 206,
	HTTP_RANGE_NOT_SATISFIABLE = 416,
	/* Between two reports, so that they are few. Each lets the parent look whether it is to
	   stop. */
	REPORT_BYTES = 1 << 20,
	REPORT_USEC = 1000 * 1000,
	USEC = 1000 * 1000,
};

/* As much as is taken of what has no end that the server told of. */
#define UNTOLD_MAX_BYTES (64ULL << 30)
/* What is left free for the guests whose disks may lie beside it: a twentieth, and no more than
 * this. */
#define SPARED_MAX_BYTES (1ULL << 30)

struct report {
	bool ended;
	int code; /* positive errno; 0: it is all there */
	uint64_t done, total;
	char text[DOWNLOAD_WORDS_BYTES];
};

/* Why a try ended, where libcurl cannot tell. */
enum reason {
	REASON_NONE,
	REASON_ANSWER, /* what answers is no file */
	REASON_WRITE, /* write_error */
	REASON_ROOM, /* it does not fit */
	REASON_ENDLESS, /* it is too much, and nobody said how much there will be */
	REASON_SLOW,
};

/* In the child. */
struct fetch {
	const struct curl_library *curl;
	CURL *handle;
	const char *url;
	uid_t uid;
	pid_t parent;
	uint64_t patience_usec;
	uint64_t done, told, told_usec;
	uint64_t total; /* 0: not known */
	uint64_t since,
		since_usec; /* done at the beginning of the time that has to bring something */
	uint64_t room; /* REASON_ROOM: the bytes that there was room for */
	bool answered; /* this try has brought a byte */
	enum reason reason;
	int write_error; /* errno */
	char detail[CURL_ERROR_SIZE]; /* libcurl's, of the last try */
};

static void tell(struct fetch *f, bool ended, int code, const char *text)
{
	struct report report = {.ended = ended, .code = code, .done = f->done, .total = f->total};

	(void)str_format(report.text, sizeof(report.text), "%s", text);
	(void)!write(REPORT_FD, &report, sizeof(report));
	f->told = f->done;
	f->told_usec = clock_now_usec();
}

/* Bytes that may still be written. Where nobody knows, the write itself fails. */
static uint64_t find_room(void)
{
	struct statvfs fs;
	uint64_t all, left, spared;

	if (fstatvfs(FILE_FD, &fs) < 0 || !fs.f_blocks)
		return UINT64_MAX;
	all = (uint64_t)fs.f_blocks * fs.f_frsize;
	left = (uint64_t)fs.f_bavail * fs.f_frsize;
	spared = all / 20 < SPARED_MAX_BYTES ? all / 20 : SPARED_MAX_BYTES;
	return left > spared ? left - spared : 0;
}

static bool refuse(struct fetch *f, enum reason reason)
{
	f->reason = reason;
	return false;
}

/* The first bytes of an answer: whether it is what was asked for, and fits. */
static bool look_at_answer(struct fetch *f)
{
	curl_off_t more = -1;
	long status = 0;

	(void)f->curl->getinfo(f->handle, CURLINFO_RESPONSE_CODE, &status);
	if (status != HTTP_OK && status != HTTP_PARTIAL_CONTENT)
		return refuse(f, REASON_ANSWER);
	f->answered = true;
	f->total = 0;
	if (f->curl->getinfo(f->handle, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &more) != CURLE_OK ||
	    more <= 0)
		return true;
	f->total = f->done + (uint64_t)more;
	f->room = find_room();
	return (uint64_t)more <= f->room || refuse(f, REASON_ROOM);
}

/* Somebody else may fill the disk meanwhile, too. */
static bool look_at_room(struct fetch *f)
{
	uint64_t next = REPORT_BYTES;

	if (f->total)
		next = f->total - f->done < next ? f->total - f->done : next;
	f->room = find_room();
	if (f->room < next)
		return refuse(f, REASON_ROOM);
	return f->total || f->done <= UNTOLD_MAX_BYTES || refuse(f, REASON_ENDLESS);
}

static size_t on_data(char *data, size_t size, size_t n, void *arg)
{
	struct fetch *f = arg;
	size_t len = size * n, done = 0;

	if (!f->answered && !look_at_answer(f))
		return 0;
	while (done < len) {
		ssize_t m = pwrite(FILE_FD, data + done, len - done, (off_t)f->done);

		if (m < 0 && errno == EINTR)
			continue;
		if (m < 0) {
			f->write_error = errno;
			return refuse(f, REASON_WRITE);
		}
		done += (size_t)m;
		f->done += (size_t)m;
	}
	if (f->done - f->told >= REPORT_BYTES) {
		tell(f, false, 0, "");
		if (!look_at_room(f))
			return 0;
	}
	return len;
}

/* Comes about once a second, also where nothing else does. */
static int on_time(void *arg, curl_off_t total, curl_off_t done, curl_off_t up, curl_off_t up_done)
{
	struct fetch *f = arg;
	uint64_t now = clock_now_usec();

	(void)total, (void)done, (void)up, (void)up_done;
	if (now - f->told_usec >= REPORT_USEC)
		tell(f, false, 0, "");
	if (f->done - f->since >= WORTH_BYTES) {
		f->since = f->done;
		f->since_usec = now;
	}
	if (now - f->since_usec < f->patience_usec)
		return 0;
	f->reason = REASON_SLOW;
	return 1;
}

static bool set_options(struct fetch *f)
{
	const struct curl_library *c = f->curl;
	CURL *h = f->handle;
	/* Who asks by https is not led to where all can read it, as apt does not. */
	const char *onward = str_after(f->url, "https://") ? "https" : "http,https";

	return c->setopt(h, CURLOPT_URL, f->url) == CURLE_OK &&
	       c->setopt(h, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
	       c->setopt(h, CURLOPT_REDIR_PROTOCOLS_STR, onward) == CURLE_OK &&
	       c->setopt(h, CURLOPT_FOLLOWLOCATION, 1L) == CURLE_OK &&
	       c->setopt(h, CURLOPT_MAXREDIRS, (long)REDIRECTIONS_MAX) == CURLE_OK &&
	       c->setopt(h, CURLOPT_FAILONERROR, 1L) == CURLE_OK &&
	       c->setopt(h, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       /* One file gains nothing by HTTP/2, which breaks off in ways of its own. */
	       c->setopt(h, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
	       c->setopt(h, CURLOPT_CONNECTTIMEOUT_MS, (long)(f->patience_usec / 1000)) ==
		       CURLE_OK &&
	       c->setopt(h, CURLOPT_ERRORBUFFER, f->detail) == CURLE_OK &&
	       c->setopt(h, CURLOPT_NOPROGRESS, 0L) == CURLE_OK &&
	       c->setopt(h, CURLOPT_XFERINFOFUNCTION, on_time) == CURLE_OK &&
	       c->setopt(h, CURLOPT_XFERINFODATA, f) == CURLE_OK &&
	       c->setopt(h, CURLOPT_USERAGENT, "hvup/" HV_VERSION) == CURLE_OK &&
	       c->setopt(h, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
	       c->setopt(h, CURLOPT_WRITEDATA, f) == CURLE_OK;
}

static void tell_room(struct fetch *f)
{
	char size[32], room[32], text[128];

	str_format_size(size, sizeof(size), f->total ? f->total : f->done);
	str_format_size(room, sizeof(room), f->room);
	if (f->total)
		(void)str_format(text, sizeof(text), "it has %s, and there is room for %s", size,
				 room);
	else
		(void)str_format(text, sizeof(text),
				 "%s came, the server does not say of how many, and there is room "
				 "for %s more",
				 size, room);
	tell(f, true, ENOSPC, text);
}

static void tell_endless(struct fetch *f)
{
	char size[32], text[128];

	str_format_size(size, sizeof(size), UNTOLD_MAX_BYTES);
	(void)str_format(text, sizeof(text),
			 "%s came without an end, and the server does not say how many there are",
			 size);
	tell(f, true, EFBIG, text);
}

static struct download_failure look_at_failure(const struct fetch *f, CURLcode code)
{
	const struct curl_library *c = f->curl;
	struct download_failure failure = {
		.code = code,
		.general = c->strerror(code),
		.detail = f->detail,
		.url = f->url,
	};
	char *last_url = NULL;

	(void)c->getinfo(f->handle, CURLINFO_RESPONSE_CODE, &failure.status);
	(void)c->getinfo(f->handle, CURLINFO_HTTP_CONNECTCODE, &failure.proxy_status);
	(void)c->getinfo(f->handle, CURLINFO_SSL_VERIFYRESULT, &failure.verified);
	if (!failure.verified)
		(void)c->getinfo(f->handle, CURLINFO_PROXY_SSL_VERIFYRESULT, &failure.verified);
	(void)c->getinfo(f->handle, CURLINFO_EFFECTIVE_URL, &last_url);
	failure.last_url = last_url;
	return failure;
}

static void explain(struct fetch *f, const struct download_failure *failure)
{
	char text[DOWNLOAD_WORDS_BYTES];
	int code = download_explain(failure, text);

	tell(f, true, code, text);
}

/* What no other try would change. */
static int tell_why(struct fetch *f, struct download_failure *failure)
{
	if (f->reason == REASON_ANSWER)
		failure->code = CURLE_OK;
	if (f->reason == REASON_WRITE)
		tell(f, true, f->write_error, "write");
	else if (f->reason == REASON_ROOM)
		tell_room(f);
	else if (f->reason == REASON_ENDLESS)
		tell_endless(f);
	else
		explain(f, failure);
	return -1;
}

/* One request. 1: another one is worth it; 0: all is there; -1: told what is wrong. */
static int try_once(struct fetch *f, struct download_failure *ret_failure)
{
	const struct curl_library *c = f->curl;
	uint64_t before = f->done;
	CURLcode code;
	long status;

	f->answered = false;
	f->reason = REASON_NONE;
	f->since = f->done;
	f->since_usec = clock_now_usec();
	(void)c->setopt(f->handle, CURLOPT_RESUME_FROM_LARGE, (curl_off_t)f->done);
	f->detail[0] = '\0';
	code = c->perform(f->handle);
	*ret_failure = look_at_failure(f, code);
	status = ret_failure->status;
	if (code == CURLE_OK && (status == HTTP_OK || status == HTTP_PARTIAL_CONTENT))
		return 0;
	/* There is nothing behind what is here. Whether that is it, the checksum tells. */
	if (status == HTTP_RANGE_NOT_SATISFIABLE && before)
		return 0;
	if (code == CURLE_RANGE_ERROR && before) {
		f->done = f->told = f->total = 0;
		return ftruncate(FILE_FD, 0) == 0;
	}
	if (!download_is_refused(ret_failure) &&
	    (f->reason == REASON_SLOW || code == CURLE_PARTIAL_FILE || code == CURLE_RECV_ERROR ||
	     code == CURLE_GOT_NOTHING || code == CURLE_OPERATION_TIMEDOUT))
		return 1;
	return tell_why(f, ret_failure);
}

/* What counts is what nobody had brought before: a server that knows no ranges begins anew each
 * time. */
static int fetch(struct fetch *f)
{
	struct download_failure failure = {0};
	char text[DOWNLOAD_WORDS_BYTES];
	unsigned fruitless = 0;
	uint64_t most = f->done;
	int rc = 1;

	while (rc > 0 && fruitless < FRUITLESS_MAX) {
		rc = try_once(f, &failure);
		fruitless = f->done >= most + WORTH_BYTES ? 0 : fruitless + 1;
		most = f->done > most ? f->done : most;
	}
	if (rc < 0)
		return 1;
	if (rc > 0) {
		int code = download_explain_tries(&failure, f->reason == REASON_SLOW, text);

		tell(f, true, code, text);
	} else {
		tell(f, true, 0, "");
	}
	return rc;
}

static bool give_up_privilege(uid_t uid)
{
	const struct rlimit none = {0, 0};

	return setgroups(0, NULL) == 0 && setresgid(uid, uid, uid) == 0 &&
	       setresuid(uid, uid, uid) == 0 && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
	       setrlimit(RLIMIT_CORE, &none) == 0;
}

/* After the change of users, which the kernel forgets it over. */
static bool die_with(pid_t parent)
{
	return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

static int run_child(void *arg)
{
	struct fetch *f = arg;
	struct error err = ERROR_INIT;
	struct stat st;

	if ((geteuid() == 0 && !give_up_privilege(f->uid)) || !die_with(f->parent)) {
		tell(f, true, errno, "give up privilege");
		return 1;
	}
	if (curl_library_load(&f->curl, &err) < 0) {
		tell(f, true, err.code, err.text);
		return 1;
	}
	if (fstat(FILE_FD, &st) < 0 || f->curl->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		tell(f, true, EIO, "libcurl does not begin");
		return 1;
	}
	f->done = f->told = (uint64_t)st.st_size;
	f->handle = f->curl->init();
	if (!f->handle || !set_options(f)) {
		tell(f, true, ENOTSUP, "libcurl is too old");
		return 1;
	}
	return fetch(f);
}

/* The child's words until its last one. */
static int listen_to(const struct download *d, int fd, struct error *err)
{
	cleanup_strbuf struct strbuf shown = {0};
	struct report report;

	for (;;) {
		ssize_t n = read(fd, &report, sizeof(report));

		if (d->stop && *d->stop)
			return error_set(err, ECANCELED, "interrupted");
		if (n < 0 && errno == EINTR)
			continue;
		if (n != (ssize_t)sizeof(report))
			return error_set(err, EPROTO, "the process that fetches it ended early");
		if (report.ended)
			break;
		if (d->progress && report.done <= INT64_MAX && report.total <= INT64_MAX)
			d->progress(d->arg, report.done, report.total);
	}
	if (!report.code)
		return 0;
	report.text[sizeof(report.text) - 1] = '\0';
	strbuf_add_printable(&shown, report.text, strlen(report.text), false);
	if (report.code == ENOSPC || report.code == EDQUOT)
		return error_errno(err, report.code, "%s", shown.data ? shown.data : "");
	return error_set(err, report.code > 0 && report.code < 4096 ? report.code : EPROTO, "%s",
			 shown.data ? shown.data : "");
}

char *download_show_url(const char *url)
{
	const char *host = strstr(url, "://");
	const char *at, *colon = NULL;

	host = host ? host + strlen("://") : url;
	at = memrchr(host, '@', strcspn(host, "/?#"));
	if (at)
		colon = memchr(host, ':', (size_t)(at - host));
	return colon ? str_printf("%.*s:***%s", (int)(colon - url), url, at) : strdup(url);
}

int download_run(const struct download *d, struct error *err)
{
	struct fetch f = {
		.url = d->url,
		.parent = getpid(),
		.patience_usec = (uint64_t)(d->patience_s ? d->patience_s : PATIENCE_S) * USEC,
	};
	cleanup_close int in = -1, out = -1;
	cleanup_child struct child child = CHILD_INIT;
	cleanup_free char *shown = download_show_url(d->url);
	int rc;

	if (!shown)
		return error_oom(err);
	rc = geteuid() == 0 ? uids_claim(d->paths, "image/fetch", &f.uid, err) : 0;
	if (rc == 0)
		rc = fd_pipe(&in, &out, err);
	if (rc < 0)
		return rc;
	rc = child_spawn(
		&(struct child_spec){
			.path = "hv-fetch",
			.fds = (const struct child_fd[]){{d->fd, FILE_FD}, {out, REPORT_FD}},
			.n_fds = 2,
			.stdin_fd = -1,
			.stdout_fd = -1,
			.stderr_fd = -1,
			.cwd_fd = -1,
			.cgroup_fd = -1,
			.run = run_child,
			.run_arg = &f,
		},
		&child, err);
	if (rc < 0)
		return rc;
	close_fd(&out);
	return error_wrap_if(err, listen_to(d, in, err), "fetch '%s'", shown);
}
