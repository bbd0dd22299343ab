/* SPDX-License-Identifier: MIT */
#include "vmm/guest_script.h"

#include "base/base64.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/random.h>

/* What a command finds where its caller says nothing. */
static const char *const environment[] = {
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
	"HOME=/root",
	"USER=root",
	"LOGNAME=root",
	"LANG=C.UTF-8",
};

/*
 * 7 is the standard input that the agent gave, 8 and 9 the output. Files are made anew
 * and never opened where they exist (set -C). The command is a child that is waited for,
 * so that SIGTERM can be handed on to it. Input comes piece by piece in one file, which
 * is emptied when the command has taken it; then, and only then, the host writes the
 * next. Whether the host has come for the files is
 * looked at once, at the end; what it is told then holds. That they are removed nobody
 * waits for. Only what a small shell has built in is used where there is no output.
 */
static const char linux_script[] =
	"x=$HV_EXEC u=$HV_EXEC_USER i=$HV_EXEC_INPUT\n"
	"unset HV_EXEC HV_EXEC_USER HV_EXEC_INPUT\n"
	"umask 077\n"
	"set -C\n"
	": >$x.s\n"
	"exec 7<&0 8>$x.o 9>$x.e\n"
	"if [ -n \"$i\" ]; then : >$x.i; mkfifo $x.p $x.w || exit 125; fi\n"
	"set +C\n"
	"umask 022\n"
	"if [ -n \"$u\" ]; then\n"
	"\teval HOME=~$u USER=$u LOGNAME=$u\n"
	"\tif command -v runuser >/dev/null; then set -- runuser -u \"$u\" -- \"$@\"\n"
	"\telse set -- su -p -s /bin/sh -c 'exec \"$0\" \"$@\"' -- \"$u\" \"$@\"; fi\n"
	"fi\n"
	"k=\n"
	"trap 'k=1; kill -TERM $c' TERM\n"
	"if [ -n \"$i\" ]; then\n"
	"\twhile read -r n; do\n"
	"\t\tcat $x.i || break\n"
	"\t\t: >$x.i\n"
	"\t\t[ \"$n\" = d ] || break\n"
	"\tdone <>$x.w >$x.p 2>/dev/null 7<&- 8>&- 9>&- &\n"
	"\t\"$@\" <$x.p >&8 2>&9 7<&- 8>&- 9>&- &\n"
	"else\n"
	"\t\"$@\" <&7 >&8 2>&9 7<&- 8>&- 9>&- &\n"
	"fi\n"
	"c=$!\n"
	"while wait $c 2>/dev/null; r=$?; [ -n \"$k\" ]; do k=; done\n"
	"[ -z \"$i\" ] || echo q 1<>$x.w\n"
	"m=C\n"
	"if [ -s $x.s ]; then m=S\n"
	"elif [ -s $x.o ] || [ -s $x.e ]; then\n"
	"\t[ $(cat $x.o $x.e | wc -c) -le 1048576 ] || m=L\n"
	"fi\n"
	"printf $m\n"
	"if [ $m = C ]; then\n"
	"\t[ ! -s $x.o ] || cat $x.o\n"
	"\t[ ! -s $x.e ] || cat $x.e >&2\n"
	"fi\n"
	"[ $m = L ] || rm -f $x.? </dev/null >/dev/null 2>&1 7<&- 8>&- 9>&- &\n"
	"exit $r\n";

void guest_script_make_base(char base[static GUEST_SCRIPT_BASE_BYTES])
{
	uint64_t r[2] = {0};

	/* Never blocks once the machine has booted; 16 bytes come at once or not at all. */
	(void)!getrandom(r, sizeof(r), 0);
	(void)str_format(base, GUEST_SCRIPT_BASE_BYTES, "/tmp/hv-%016" PRIx64 "%016" PRIx64, r[0],
			 r[1]);
}

static bool is_word(const char *s, size_t len, const char *more)
{
	for (size_t i = 0; i < len; i++) {
		char c = s[i];
		bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';

		if (!letter && (i == 0 || ((c < '0' || c > '9') && !strchr(more, c))))
			return false;
	}
	return len > 0;
}

bool guest_env_is_valid(const char *entry)
{
	const char *equals = strchr(entry, '=');

	return equals && is_word(entry, (size_t)(equals - entry), "") &&
	       !str_after(entry, "HV_EXEC");
}

bool guest_user_is_valid(const char *user)
{
	size_t len = strlen(user);

	return len <= 63 && is_word(user, len, "-.");
}

/* Arguments of guest-exec with an array of texts; NULL: out of memory. Steals argv and env. */
static json_t *exec_args(const char *path, json_t *argv, json_t *env,
			 const struct guest_command *command)
{
	json_t *args = json_pack("{s:s s:o s:b}", "path", path, "arg", argv, "capture-output", 1);
	cleanup_free char *input = NULL;

	if (args && env)
		(void)json_object_set_new(args, "env", env);
	if (!args || !command->input || !command->input_len)
		return args;
	input = base64_encode(command->input, command->input_len);
	if (input && json_object_set_new(args, "input-data", json_string(input)) == 0)
		return args;
	json_decref(args);
	return NULL;
}

json_t *guest_linux_exec(const struct guest_command *command, const char *base)
{
	json_t *argv = json_pack("[s s s]", "-c", linux_script, "hv-exec");
	json_t *env = json_pack("[s++]", "HV_EXEC=", base, "");
	int failed = 0;

	for (size_t i = 0; i < ARRAY_SIZE(environment); i++)
		failed |= json_array_append_new(env, json_string(environment[i]));
	if (command->user)
		failed |= json_array_append_new(
			env, json_pack("s++", "HV_EXEC_USER=", command->user, ""));
	if (command->streams_input)
		failed |= json_array_append_new(env, json_string("HV_EXEC_INPUT=1"));
	for (char *const *e = command->env; e && *e; e++)
		failed |= json_array_append_new(env, json_string(*e));
	for (char *const *a = command->argv; *a; a++)
		failed |= json_array_append_new(argv, json_string(*a));
	if (!failed && argv && env)
		return exec_args("/bin/sh", argv, env, command);
	json_decref(argv);
	json_decref(env);
	return NULL;
}

/* The code point at *p, which goes on behind it; UINT32_MAX: no UTF-8. */
static uint32_t take_code_point(const unsigned char **p)
{
	static const uint32_t least[] = {0, 0x80, 0x800, 0x10000};
	unsigned char first = *(*p)++;
	int more = first < 0x80 ? 0 : first < 0xc0 ? -1 : first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
	uint32_t c = first;

	if (more < 0 || first > 0xf4)
		return UINT32_MAX;
	if (more)
		c = first & (0x3fU >> more);
	for (int i = 0; i < more; i++) {
		if ((**p & 0xc0) != 0x80)
			return UINT32_MAX;
		c = c << 6 | (*(*p)++ & 0x3fU);
	}
	if (c < least[more] || c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
		return UINT32_MAX;
	return c;
}

static void add_unit(struct strbuf *into, uint32_t unit)
{
	unsigned char bytes[] = {(unsigned char)unit, (unsigned char)(unit >> 8)};

	strbuf_add(into, bytes, sizeof(bytes));
}

char *guest_encode_powershell(const char *script)
{
	const unsigned char *p = (const unsigned char *)script;
	cleanup_strbuf struct strbuf units = {0};

	while (*p) {
		uint32_t c = take_code_point(&p);

		if (c == UINT32_MAX)
			return NULL;
		if (c >= 0x10000) {
			add_unit(&units, 0xd800 + ((c - 0x10000) >> 10));
			add_unit(&units, 0xdc00 + ((c - 0x10000) & 0x3ff));
		} else {
			add_unit(&units, c);
		}
	}
	return units.failed ? NULL : base64_encode(units.data ? units.data : "", units.len);
}

static bool is_powershell(const char *program)
{
	static const char *const names[] = {"powershell", "powershell.exe", "pwsh", "pwsh.exe"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(program, names[i]) == 0)
			return true;
	return false;
}

/* A variable as PowerShell sets it. It takes four typographic quotes for ', too; doubled, each
 * stands for itself. */
static void add_variable(struct strbuf *into, const char *entry)
{
	static const char *const quotes[] = {"'", "\xe2\x80\x98", "\xe2\x80\x99", "\xe2\x80\x9a",
					     "\xe2\x80\x9b"};
	const char *value = strchr(entry, '=') + 1;

	strbuf_addf(into, "$env:%.*s='", (int)(value - 1 - entry), entry);
	while (*value) {
		size_t len = 1;

		for (size_t i = 0; i < ARRAY_SIZE(quotes); i++)
			if (str_after(value, quotes[i])) {
				len = strlen(quotes[i]);
				strbuf_add(into, value, len);
			}
		strbuf_add(into, value, len);
		value += len;
	}
	strbuf_addf(into, "';");
}

/* `powershell WORDS…` as the arguments that carry them whole. */
static int encode_script(char *const *words, char *const *env, json_t *argv, struct error *err)
{
	/* CreateProcess() takes 32767 characters, with the program and our options. */
	enum { ENCODED_MAX = 32000 };
	cleanup_strbuf struct strbuf script = {0};
	cleanup_free char *encoded = NULL;

	for (; env && *env; env++)
		add_variable(&script, *env);
	for (char *const *w = words; *w; w++)
		strbuf_addf(&script, "%s%s", w == words ? "" : " ", *w);
	if (script.failed)
		return error_oom(err);
	encoded = guest_encode_powershell(script.data);
	if (!encoded)
		return error_set(err, EINVAL, "the script is not UTF-8");
	if (strlen(encoded) > ENCODED_MAX)
		return error_set(err, E2BIG,
				 "the script is longer than a command line of Windows may be (some "
				 "12,000 characters): copy it there and run it as a file");
	if (json_array_append_new(argv, json_string("-NoProfile")) < 0 ||
	    json_array_append_new(argv, json_string("-NonInteractive")) < 0 ||
	    json_array_append_new(argv, json_string("-EncodedCommand")) < 0 ||
	    json_array_append_new(argv, json_string(encoded)) < 0)
		return error_oom(err);
	return 0;
}

int guest_windows_exec(const struct guest_command *command, json_t **ret_args, struct error *err)
{
	json_t *argv = json_array();
	char *const *words = command->argv + 1;
	bool is_script = is_powershell(*command->argv) && *words && **words != '-';
	int rc = 0;

	if (command->user)
		rc = error_set(err, ENOTSUP,
			       "the agent of Windows runs everything as its own service: for "
			       "another user take hv ssh USER@NAME, or a scheduled task there "
			       "(schtasks /create /ru USER)");
	else if (is_script)
		rc = encode_script(words, command->env, argv, err);
	else if (command->env && *command->env)
		/* The agent would take all other variables away, and Windows needs some. */
		rc = error_set(err, ENOTSUP,
			       "on Windows variables are for `powershell SCRIPT` only: the agent "
			       "would take all others away");
	else
		for (; rc == 0 && *words; words++)
			if (json_array_append_new(argv, json_string(*words)) < 0)
				rc = error_set(err, EINVAL, "an argument is not UTF-8");
	if (rc < 0) {
		json_decref(argv);
		return rc;
	}
	*ret_args = exec_args(*command->argv, argv, NULL, command);
	return *ret_args ? 0 : error_oom(err);
}
