/* SPDX-License-Identifier: MIT */
#include "vmm/keymap.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <assert.h>
#include <errno.h>

/* Where the plain and the shifted character of each key stand at the same index. */
static const char plain[] = "`1234567890-=[]\\;',./";
static const char shifted[] = "~!@#$%^&*()_+{}|:\"<>?";
static const char *const symbols[] = {
	"grave_accent",
	"1",
	"2",
	"3",
	"4",
	"5",
	"6",
	"7",
	"8",
	"9",
	"0",
	"minus",
	"equal",
	"bracket_left",
	"bracket_right",
	"backslash",
	"semicolon",
	"apostrophe",
	"comma",
	"dot",
	"slash",
};
static_assert(sizeof(plain) == sizeof(shifted), "each key has two characters");
static_assert(ARRAY_SIZE(symbols) == sizeof(plain) - 1, "each character has a key");

static const char letters[26][2] = {"a", "b", "c", "d", "e", "f", "g", "h", "i",
				    "j", "k", "l", "m", "n", "o", "p", "q", "r",
				    "s", "t", "u", "v", "w", "x", "y", "z"};

/* QEMU's names beyond letters and symbols. */
static const char *const others[] = {
	"shift",     "shift_r",  "alt",         "alt_r",     "ctrl",        "ctrl_r",
	"menu",      "esc",      "backspace",   "tab",       "ret",         "spc",
	"caps_lock", "f1",       "f2",          "f3",        "f4",          "f5",
	"f6",        "f7",       "f8",          "f9",        "f10",         "f11",
	"f12",       "num_lock", "scroll_lock", "kp_divide", "kp_multiply", "kp_subtract",
	"kp_add",    "kp_enter", "kp_decimal",  "sysrq",     "kp_0",        "kp_1",
	"kp_2",      "kp_3",     "kp_4",        "kp_5",      "kp_6",        "kp_7",
	"kp_8",      "kp_9",     "less",        "print",     "home",        "pgup",
	"pgdn",      "end",      "left",        "up",        "down",        "right",
	"insert",    "delete",   "meta_l",      "meta_r",    "compose",     "pause",
	"asterisk",
};

/* What else people call them. */
static const struct {
	const char *word, *name;
} aliases[] = {
	{"control", "ctrl"},  {"del", "delete"}, {"ins", "insert"},   {"enter", "ret"},
	{"return", "ret"},    {"escape", "esc"}, {"space", "spc"},    {"pageup", "pgup"},
	{"pagedown", "pgdn"}, {"win", "meta_l"}, {"super", "meta_l"}, {"meta", "meta_l"},
	{"altgr", "alt_r"},   {"period", "dot"},
};

const char *keymap_of_character(unsigned char c, bool *ret_shift)
{
	const char *at;

	*ret_shift = false;
	if (c >= 'a' && c <= 'z')
		return letters[c - 'a'];
	if (c == ' ')
		return "spc";
	if (c == '\n' || c == '\r')
		return "ret";
	if (c == '\t')
		return "tab";
	if (c == '\b' || c == 0x7f)
		return "backspace";
	if (c == 0x1b)
		return "esc";
	at = c ? strchr(plain, c) : NULL;
	if (at)
		return symbols[at - plain];
	*ret_shift = true;
	if (c >= 'A' && c <= 'Z')
		return letters[c - 'A'];
	at = c ? strchr(shifted, c) : NULL;
	return at ? symbols[at - shifted] : NULL;
}

/* The name for a word of len bytes; NULL: it is none. */
static const char *find_name(const char *word, size_t len)
{
	char name[32];
	bool shift;

	if (len == 0 || len >= sizeof(name))
		return NULL;
	for (size_t i = 0; i <= len; i++)
		name[i] = (char)(i == len                           ? '\0'
				 : word[i] >= 'A' && word[i] <= 'Z' ? word[i] - 'A' + 'a'
								    : word[i]);
	if (len == 1) {
		const char *key = keymap_of_character((unsigned char)name[0], &shift);

		return key && !shift ? key : NULL;
	}
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (str_eq(name, aliases[i].word))
			return aliases[i].name;
	for (size_t i = 0; i < ARRAY_SIZE(symbols); i++)
		if (str_eq(name, symbols[i]))
			return symbols[i];
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (str_eq(name, others[i]))
			return others[i];
	return NULL;
}

int keymap_parse(const char *combination, const char *ret_names[static KEYMAP_KEYS_MAX],
		 size_t *ret_n, struct error *err)
{
	const char *p = combination;

	*ret_n = 0;
	while (true) {
		/* A "-" at the end, or that another follows, is the key itself. */
		size_t len = *p == '-' && (!p[1] || p[1] == '-') ? 1 : strcspn(p, "-");
		const char *name = find_name(p, len);

		if (!name && !len)
			return error_set(err, EINVAL, "a key is missing in '%s'", combination);
		if (!name)
			return error_set(err, EINVAL,
					 "'%.*s' is no key (a letter, a digit, f1, "
					 "ctrl, alt, shift, win, esc, ret, delete, …)",
					 (int)len, p);
		if (*ret_n == KEYMAP_KEYS_MAX)
			return error_set(err, EINVAL, "more than %d keys at once", KEYMAP_KEYS_MAX);
		ret_names[(*ret_n)++] = name;
		p += len;
		if (!*p)
			return 0;
		p++;
	}
}

static int add_event(json_t *events, const char *name, bool down)
{
	return json_array_append_new(events,
				     json_pack("{s:s s:{s:b s:{s:s s:s}}}", "type", "key", "data",
					       "down", down, "key", "type", "qcode", "data", name));
}

json_t *keymap_events(const char *const *names, size_t n)
{
	json_t *events = json_array();
	int failed = 0;

	for (size_t i = 0; i < n; i++)
		failed |= add_event(events, names[i], true);
	for (size_t i = n; i > 0; i--)
		failed |= add_event(events, names[i - 1], false);
	if (!failed)
		return json_pack("{s:o}", "events", events);
	json_decref(events);
	return NULL;
}
