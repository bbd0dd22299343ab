/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/vm_messages.h"

#include "base/channel.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "vmm/names.h"
#include "vmm/states.h"

#include <assert.h>
#include <errno.h>

static const char *const word_names[] = {
	[KEEPER_STATE] = "state",   [KEEPER_MACHINE] = "machine", [KEEPER_ANSWERED] = "answered",
	[KEEPER_RUNS] = "runs",     [KEEPER_KILL] = "kill",       [KEEPER_FAIL] = "fail",
	[KEEPER_ENDED] = "ended",   [KEEPER_CONNECT] = "connect", [KEEPER_LOG_FULL] = "log-full",
	[KEEPER_RELOAD] = "reload", [KEEPER_PONG] = "pong",       [KEEPER_RESUMED] = "resumed",
};
static_assert(ARRAY_SIZE(word_names) == KEEPER_WORD_COUNT, "a name each");

static const char *const reason_texts[] = {
	[VM_REASON_NONE] = NULL,
	[VM_REASON_DISK_FULL] = "disk full",
	[VM_REASON_RESTART] = "starts again by itself",
};
static_assert(ARRAY_SIZE(reason_texts) == VM_REASON_COUNT, "a text each");

static const char *const end_names[] = {
	[VM_END_NOT] = NULL,
	[VM_END_IN_ORDER] = "in-order",
	[VM_END_KILLED] = "killed",
	[VM_END_CRASHED] = "crashed",
};
static_assert(ARRAY_SIZE(end_names) == VM_END_COUNT, "a name each");

static const char *const socket_names[] = {
	[VM_SOCKET_MONITOR] = NAME_MONITOR,
	[VM_SOCKET_SERIAL] = NAME_SERIAL,
	[VM_SOCKET_AGENT] = NAME_AGENT,
};
static_assert(ARRAY_SIZE(socket_names) == VM_SOCKET_COUNT, "a name each");

const char *keeper_word_name(enum keeper_word word)
{
	return word_names[word];
}

const char *vm_reason_text(enum vm_reason reason)
{
	return reason_texts[reason];
}

const char *vm_end_name(enum vm_end end)
{
	return end_names[end];
}

const char *vm_socket_name(enum vm_socket socket)
{
	return socket_names[socket];
}

/* The bound of number for each word that has one. */
static const uint32_t number_counts[KEEPER_WORD_COUNT] = {
	[KEEPER_STATE] = VM_STATE_COUNT,
	[KEEPER_CONNECT] = VM_SOCKET_COUNT,
};

/* Printable UTF-8: it goes into status.json and onto terminals. */
static bool is_printable(const char *text)
{
	cleanup_strbuf struct strbuf shown = {0};

	if (!*text)
		return true;
	strbuf_add_printable(&shown, text, strlen(text), false);
	return !shown.failed && str_eq(shown.data, text);
}

/* QEMU's machine types: "pc-q35-7.2". It goes onto a command line. */
static bool is_machine_type(const char *text)
{
	size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-._");

	return n > 0 && n < 64 && !text[n];
}

int vm_message_check(const struct vm_message *m, struct error *err)
{
	if (m->word >= KEEPER_WORD_COUNT)
		return error_set(err, EPROTO, "unknown word %u", m->word);
	if (number_counts[m->word] ? m->number >= number_counts[m->word] : m->number != 0)
		return error_set(err, EPROTO, "word '%s' with number %u", word_names[m->word],
				 m->number);
	if (m->reason >= VM_REASON_COUNT || m->agent_open > 1 || m->in_order > 1)
		return error_set(err, EPROTO, "word '%s' with members out of range",
				 word_names[m->word]);
	if (!memchr(m->text, '\0', sizeof(m->text)) || !is_printable(m->text))
		return error_set(err, EPROTO, "word '%s' with a text that is none",
				 word_names[m->word]);
	if (m->word == KEEPER_MACHINE && !is_machine_type(m->text))
		return error_set(err, EPROTO, "'%s' is no machine type", m->text);
	return 0;
}

/* As a keeper wants it: what QEMU or a guest put into an error is not. */
static void put_text(struct vm_message *m, const char *text)
{
	cleanup_strbuf struct strbuf shown = {0};
	size_t len;

	strbuf_add_printable(&shown, text, strlen(text), false);
	len = shown.data && !shown.failed ? shown.len : 0;
	if (len >= sizeof(m->text)) {
		len = sizeof(m->text) - 1;
		/* Not within a character. */
		while (len > 0 && ((unsigned char)shown.data[len] & 0xc0) == 0x80)
			len--;
	}
	if (len)
		memcpy(m->text, shown.data, len);
	m->text[len] = '\0';
}

int vm_message_send(int channel, struct vm_message m, const char *text, int fd, struct error *err)
{
	put_text(&m, text ? text : "");
	return channel_send(channel, &m, sizeof(m), fd, err);
}
