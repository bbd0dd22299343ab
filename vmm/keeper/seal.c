/* SPDX-License-Identifier: MIT */
#include "vmm/keeper/seal.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/log.h"
#include "base/str.h"
#include "jail/seal.h"

#include <errno.h>
#include <inttypes.h>
#include <sys/syscall.h>

enum { BEYOND_MAX = 256, NUMBERS_MAX = 1024, ARGUMENTS = 6 };

struct count {
	uint64_t start, sealed;
};

struct beyond {
	int nr;
	uint64_t arguments[ARGUMENTS]; /* of the first such call */
	struct count count;
};

struct seal {
	char owner[96];
	const struct jail_profile *profile;
	struct jail_situation situation;
	int listener;
	struct jail_answerer answerer;
	int memory_fd;
	bool closed;
	sd_event *event;
	sd_event_source *source;
	bool told[NUMBERS_MAX]; /* refused before: told once for each call */
	/* Where it is watched. */
	struct count *rows;
	struct beyond beyond[BEYOND_MAX];
	size_t n_beyond;
};

static void add(struct count *count, bool closed)
{
	if (closed)
		count->sealed++;
	else
		count->start++;
}

/* Some calls are many in one, by an argument that is a number. */
static bool is_same(const struct beyond *b, int nr, const uint64_t arguments[static ARGUMENTS])
{
	static const struct {
		int nr;
		unsigned argument;
	} many[] = {
		{SYS_clone, 0},   {SYS_fcntl, 1}, {SYS_futex, 1},    {SYS_ioctl, 1},
		{SYS_madvise, 2}, {SYS_mmap, 2},  {SYS_mprotect, 2}, {SYS_prctl, 0},
	};

	if (b->nr != nr)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(many); i++)
		if (many[i].nr == nr)
			return b->arguments[many[i].argument] == arguments[many[i].argument];
	return true;
}

static void note_beyond(struct seal *s, int nr, const uint64_t arguments[static ARGUMENTS])
{
	struct beyond *b = s->beyond;

	while (b < s->beyond + s->n_beyond && !is_same(b, nr, arguments))
		b++;
	if (b == s->beyond + s->n_beyond) {
		if (s->n_beyond == BEYOND_MAX)
			return;
		*b = (struct beyond){.nr = nr};
		memcpy(b->arguments, arguments, sizeof(b->arguments));
		s->n_beyond++;
	}
	add(&b->count, s->closed);
}

static int answer_watched(struct seal *s)
{
	uint64_t arguments[ARGUMENTS];
	const struct jail_row *row;
	int nr, rc;

	rc = jail_seal_watch(s->listener, s->memory_fd, &nr, arguments);
	if (rc <= 0)
		return rc;
	row = jail_profile_find(s->profile, &s->situation, nr, arguments);
	if (row)
		add(&s->rows[row - s->profile->rows], s->closed);
	else
		note_beyond(s, nr, arguments);
	return rc;
}

static int answer(struct seal *s)
{
	const struct jail_sealed sealed = {s->profile, &s->situation};
	static const uint64_t nothing[ARGUMENTS];
	const struct jail_row *row;
	int nr = -1, rc;

	if (s->rows)
		return answer_watched(s);
	rc = jail_seal_answer(s->listener, s->closed ? &sealed : NULL, s->memory_fd, &nr);
	if (rc <= 0 || !s->closed || nr < 0 || nr >= NUMBERS_MAX || s->told[nr])
		return rc;
	s->told[nr] = true;
	row = jail_profile_find(s->profile, &s->situation, nr, nothing);
	if (row && row->in_vain)
		log_debug("%s: %s is sealed: '%s' was refused, as always", s->owner,
			  s->profile->name, jail_syscall_name(nr));
	else
		log_info("%s: %s is sealed: '%s' was refused", s->owner, s->profile->name,
			 jail_syscall_name(nr));
	return rc;
}

/* Nobody is left who could call, or the kernel does not talk to us any more. */
static void let_go(struct seal *s)
{
	s->source = sd_event_source_disable_unref(s->source);
	close_fd(&s->listener);
}

static int on_call(sd_event_source *source, int fd, uint32_t revents, void *userdata)
{
	struct seal *s = userdata;

	(void)source;
	(void)fd;
	if (!(revents & EPOLLIN) || answer(s) < 0)
		let_go(s);
	return 0;
}

/* Who waits at the gate stands still, so it comes first. */
static int watch(struct seal *s)
{
	int rc = sd_event_add_io(s->event, &s->source, s->listener, EPOLLIN, on_call, s);

	return rc < 0 ? rc : sd_event_source_set_priority(s->source, SD_EVENT_PRIORITY_IMPORTANT);
}

int seal_new(sd_event *event, int listener, const struct seal_options *options,
	     struct seal **ret_seal, struct error *err)
{
	struct seal *s = calloc(1, sizeof(*s));
	int rc;

	if (!s) {
		struct jail_answerer answerer = options->answerer;

		jail_answerer_stop(&answerer);
		close_fd(&listener);
		return error_oom(err);
	}
	s->event = sd_event_ref(event);
	s->listener = listener;
	s->answerer = options->answerer;
	s->memory_fd = options->memory_fd;
	s->profile = options->profile;
	s->situation = options->situation;
	(void)str_format(s->owner, sizeof(s->owner), "%s", options->owner);
	if (s->situation.watch != JAIL_WATCH_NOTHING) {
		s->rows = calloc(s->profile->n_rows, sizeof(*s->rows));
		if (!s->rows) {
			seal_free(s);
			return error_oom(err);
		}
	}
	rc = s->answerer.leash.fd < 0 ? watch(s) : 0;
	if (rc < 0) {
		seal_free(s);
		return error_errno(err, -rc, "watch a jail's listener");
	}
	*ret_seal = s;
	return 0;
}

void seal_close_gate(struct seal *s)
{
	if (!s || s->closed)
		return;
	s->closed = true;
	s->memory_fd = -1;
	/* Without the loop, calls wait: closed, too. */
	jail_answerer_stop(&s->answerer);
	if (!s->source && watch(s) < 0)
		log_warning("%s: refused calls of %s wait", s->owner, s->profile->name);
}

void seal_free(struct seal *s)
{
	if (!s)
		return;
	jail_answerer_stop(&s->answerer);
	let_go(s);
	sd_event_unref(s->event);
	free(s->rows);
	free(s);
}

static json_t *describe_rows(const struct seal *s)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < s->profile->n_rows; i++) {
		const struct jail_row *row = &s->profile->rows[i];

		if (jail_row_applies(row, &s->situation))
			(void)json_array_append_new(
				rows, json_pack("{s:s s:s s:b s:s s:I s:I}", "syscall",
						row->syscall, "phase", jail_phase_name(row->phase),
						"margin", row->margin, "why", row->why, "start",
						(json_int_t)s->rows[i].start, "sealed",
						(json_int_t)s->rows[i].sealed));
	}
	return rows;
}

static json_t *describe_beyond(const struct seal *s)
{
	json_t *beyond = json_array();

	for (size_t i = 0; i < s->n_beyond; i++) {
		const struct beyond *b = &s->beyond[i];
		json_t *arguments = json_array();

		for (size_t a = 0; a < ARGUMENTS; a++) {
			char text[24];

			(void)str_format(text, sizeof(text), "0x%" PRIx64, b->arguments[a]);
			(void)json_array_append_new(arguments, json_string(text));
		}
		(void)json_array_append_new(beyond, json_pack("{s:s s:o s:I s:I}", "syscall",
							      jail_syscall_name(b->nr), "arguments",
							      arguments, "start",
							      (json_int_t)b->count.start, "sealed",
							      (json_int_t)b->count.sealed));
	}
	return beyond;
}

json_t *seal_describe(const struct seal *s)
{
	if (!s || !s->rows)
		return NULL;
	return json_pack("{s:s s:o s:o}", "program", s->profile->name, "rows", describe_rows(s),
			 "beyond", describe_beyond(s));
}
