/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/last_words.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"

#include <errno.h>
#include <unistd.h>

enum {
	KEPT_MAX = 4096,
	LINE_MAX_BYTES = 1024,
	LINES_PER_SECOND = 100,
	/* What is told of them in the end. */
	WORDS_LINES = 3,
	WORDS_BYTES = 600,
};

/* Whether one more line may be logged now. */
static bool may_log(struct last_words *w)
{
	uint64_t now = 0;

	(void)sd_event_now(sd_event_source_get_event(w->source), CLOCK_MONOTONIC, &now);
	if (now - w->window_usec >= 1000000) {
		w->window_usec = now;
		w->lines_in_window = 0;
	}
	return w->lines_in_window++ < LINES_PER_SECOND;
}

static void log_line(struct last_words *w, const char *line, size_t len)
{
	cleanup_strbuf struct strbuf shown = {0};

	strbuf_add_printable(&shown, line, len < LINE_MAX_BYTES ? len : LINE_MAX_BYTES, false);
	if (!shown.len || shown.failed)
		return;
	if (w->on_line)
		w->on_line(shown.data, w->arg);
	if (may_log(w))
		log_info("%s: %s", w->who, shown.data);
}

static void take(struct last_words *w, const char *data, size_t len)
{
	for (size_t i = 0; i < len; i++) {
		bool full = w->kept.len - w->line_start >= LINE_MAX_BYTES;

		if (data[i] == '\n' || full) {
			log_line(w, w->kept.data + w->line_start, w->kept.len - w->line_start);
			strbuf_add(&w->kept, "\n", 1);
			w->line_start = w->kept.len;
		}
		if (data[i] != '\n' && data[i] != '\r')
			strbuf_add(&w->kept, &data[i], 1);
	}
	if (w->kept.len > KEPT_MAX) {
		size_t cut = w->kept.len - KEPT_MAX;

		cut = cut < w->line_start ? cut : w->line_start;
		strbuf_consume(&w->kept, cut);
		w->line_start -= cut;
	}
}

/* Reads once; false where there is nothing now (errno EAGAIN) or ever. */
static bool read_once(struct last_words *w)
{
	char chunk[1024];
	ssize_t n;

	errno = 0;
	n = read(w->fd, chunk, sizeof(chunk));
	if (n > 0)
		take(w, chunk, (size_t)n);
	return n > 0 || (n < 0 && errno == EINTR);
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct last_words *w = userdata;

	(void)fd;
	(void)revents;
	if (!read_once(w) && errno != EAGAIN)
		(void)sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

int last_words_init(struct last_words *w, sd_event *event, const char *who, int fd,
		    struct error *err)
{
	int rc;

	*w = (struct last_words){.who = who, .fd = fd};
	if (fd < 0)
		return 0;
	rc = sd_event_add_io(event, &w->source, fd, EPOLLIN, on_readable, w);
	return rc < 0 ? error_errno(err, -rc, "watch standard error of %s", who) : 0;
}

const char *last_words_finish(struct last_words *w)
{
	cleanup_strbuf struct strbuf shown = {0};
	size_t end, start, lines = 0;

	while (w->source && read_once(w))
		;
	if (w->kept.len > w->line_start)
		take(w, "\n", 1);
	w->source = sd_event_source_disable_unref(w->source);
	end = w->kept.len;
	while (end && w->kept.data[end - 1] == '\n')
		end--;
	/* The last line may only say where help is. */
	for (start = end; start && end - start < WORDS_BYTES && lines < WORDS_LINES; start--)
		lines += w->kept.data[start - 1] == '\n';
	start += lines == WORDS_LINES;
	for (size_t i = start; i < end;) {
		size_t len = strcspn(w->kept.data + i, "\n");

		len = len < end - i ? len : end - i;
		strbuf_addf(&shown, "%s", shown.len ? "; " : "");
		strbuf_add_printable(&shown, w->kept.data + i, len, false);
		i += len + 1;
	}
	strbuf_free(&w->kept);
	w->line_start = 0;
	strbuf_add(&w->kept, shown.data, shown.len);
	return w->kept.data ? w->kept.data : "";
}

void last_words_free(struct last_words *w)
{
	sd_event_source_disable_unref(w->source);
	if (w->fd > 0)
		close_fd(&w->fd);
	strbuf_free(&w->kept);
	*w = (struct last_words){.fd = -1};
}
