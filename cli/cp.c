/* SPDX-License-Identifier: MIT */
/*
 * A file goes to a temporary name beside its place, is compared by its SHA-256 with what was
 * sent, and takes its place by a rename: who looks there finds the old file or the new one,
 * and a copy that fails leaves nothing. The agent itself can do neither: a shell does, in
 * Windows PowerShell. Where the agent runs no programs at all the file is written where
 * it belongs, and what its checksum is nobody says.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/cp_private.h"
#include "cli/cp_windows.h"
#include "cli/interrupt.h"
#include "qmp/said.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPT_NO_CHECKSUM, OPT_RECURSIVE };
enum { SHOW_USEC = 200 * 1000, SUM_MS = 600 * 1000 };

static const struct cli_option options[] = {
	[OPT_NO_CHECKSUM] = {"no-checksum", 0, NULL,
			     "do not compare: for files that change, and those in /proc", false,
			     false},
	[OPT_RECURSIVE] = {"recursive", 'r', NULL, "a folder and all that is in it", false, false},
	{0},
};

int cp_check_interrupt(const struct copy *c, struct error *err)
{
	return *c->interrupted ? error_set(err, EINTR, "interrupted") : 0;
}

static void show_progress(struct copy *c, bool end)
{
	uint64_t now = clock_now_usec();
	char done[32];

	if (!c->terminal || (!end && now < c->shown_usec + SHOW_USEC))
		return;
	c->shown_usec = now;
	str_format_size(done, sizeof(done), c->n_done);
	(void)fprintf(stderr, "\r\033[K%s", end ? "" : done);
	if (!end && c->n_all)
		(void)fprintf(stderr, " (%llu %%)",
			      (unsigned long long)(c->n_done * 100 / c->n_all));
	(void)fflush(stderr);
}

void cp_count(struct copy *c, const void *data, size_t len)
{
	if (c->checks)
		sha256_add(&c->sum, data, len);
	c->n_done += len;
	show_progress(c, false);
}

void cp_make_suffix(char suffix[static CP_SUFFIX_BYTES])
{
	(void)str_format(suffix, CP_SUFFIX_BYTES, "hv-%08llx",
			 (unsigned long long)(clock_now_usec() * 2654435761U % 0xffffffffU));
}

char *cp_name_of(const char *path)
{
	size_t end = strlen(path), begin;

	while (end > 1 && path[end - 1] == '/')
		end--;
	for (begin = end; begin > 0 && path[begin - 1] != '/';)
		begin--;
	return strndup(path + begin, end - begin);
}

int cp_begin_script(struct copy *c, const char *script, const char *const *words,
		    json_int_t *ret_pid, struct error *err)
{
	const char *argv[10] = {"/bin/sh", "-c", script, "hv-cp"};

	for (size_t i = 0; words[i]; i++)
		argv[4 + i] = words[i];
	return cli_agent_begin_run(&c->agent, argv, NULL, 0, ret_pid, err);
}

/* What a shell says, without the place in a script that nobody knows: "hv-cp: line 4: ". */
static const char *behind_place(const char *said)
{
	const char *p = str_after(said, "hv-cp: ");
	const char *line = p ? str_after(p, "line ") : NULL;

	if (!p)
		return said;
	line = line ? line : p;
	return str_after(line + strspn(line, "0123456789"), ": ") ?: p;
}

int cp_finish_script(struct copy *c, json_int_t pid, char **ret_out, struct error *err)
{
	cleanup_ran struct cli_agent_ran ran = {0};
	int rc = cli_agent_finish_run(&c->agent, pid, SUM_MS, &ran, err);

	if (rc < 0)
		return rc;
	if (ran.status) {
		cleanup_strbuf struct strbuf said = {0};

		const char *words = behind_place(ran.err);

		strbuf_add_printable(&said, words, strcspn(words, "\n"), false);
		return error_set(err, EIO, "vm '%s': %s", c->agent.name,
				 said.len ? said.data : "a script of the guest failed");
	}
	if (ret_out)
		*ret_out = steal_ptr(&ran.out);
	return 0;
}

int cp_run_script(struct copy *c, const char *script, const char *const *words, char **ret_out,
		  struct error *err)
{
	json_int_t pid;
	int rc = cp_begin_script(c, script, words, &pid, err);

	return rc < 0 ? rc : cp_finish_script(c, pid, ret_out, err);
}

int cp_name_file(const struct copy *c, const char *file, int rc, struct error *err)
{
	cleanup_free char *prefix = str_printf("vm '%s': ", c->agent.name);
	struct error said = *err;
	const char *words = prefix ? str_after(said.text, prefix) : NULL;

	return error_set(err, -rc, "vm '%s': %s: %s%s", c->agent.name, file,
			 words ? words : said.text,
			 qmp_said_is_folder(said.text) ? " (hv cp -r)" : "");
}

/* What a copy that failed has left there; where it cannot, the error says so. Returns rc. */
static int remove_there(struct copy *c, const char *path, int rc, struct error *err)
{
	const struct error said = *err;

	if (c->means == CP_POWERSHELL)
		cp_windows_remove(c, path);
	else if (c->means == CP_SHELL &&
		 cp_run_script(c, "rm -f -- \"$1\"", (const char *const[]){path, NULL}, NULL,
			       NULL) < 0)
		return error_set(err, said.code, "%s; %s is left there", said.text, path);
	return rc;
}

/* Where the file goes to, and an empty one under the temporary name, which others cannot read.
 * What a copy that was killed has left there goes: it has not been written to for an hour. */
static int prepare_there(struct copy *c, char **ret_target, char **ret_temporary, struct error *err)
{
	static const char script[] =
		"t=$1\n"
		"if [ -d \"$t\" ]; then t=${t%/}/$2; fi\n"
		"if [ -L \"$t\" ]; then r=$(readlink -f -- \"$t\") && t=$r; fi\n"
		"p=${t%/*}\n"
		"m=\n"
		"if [ -d \"$t\" ]; then m=\"$t is a folder\"\n"
		"elif [ -e \"$t\" ] && [ ! -f \"$t\" ]; then m=\"$t is there and is no plain file\"\n"
		"elif [ \"$p\" != \"$t\" ] && [ ! -d \"$p/\" ]; then m=\"there is no folder $p\"; fi\n"
		"if [ \"$m\" ]; then echo \"$m\" >&2; exit 1; fi\n"
		"x='[0-9a-f][0-9a-f]'\n"
		"for f in \"$t\".hv-$x$x$x$x; do\n"
		"	[ ! -f \"$f\" ] || find \"$f\" -mmin +60 -exec rm -f {} \\; 2>/dev/null\n"
		"done\n"
		"umask 077\n"
		": >\"$t.$3\" || exit 1\n"
		"printf %s \"$t\"\n";
	/* What comes by standard input has no name to keep: no folder can be its destination. */
	cleanup_free char *name = c->is_stream ? strdup(".") : cp_name_of(c->path);
	char suffix[CP_SUFFIX_BYTES];
	int rc;

	if (!name)
		return error_oom(err);
	cp_make_suffix(suffix);
	c->means = CP_SHELL;
	rc = cp_run_script(c, script, (const char *const[]){c->guest_path, name, suffix, NULL},
			   ret_target, err);
	if (rc == -EREMOTEIO && cli_agent_is_windows(&c->agent)) {
		c->means = CP_POWERSHELL;
		rc = cp_windows_prepare(c, name, suffix, ret_target, err);
	}
	if (rc == -EREMOTEIO || rc == -ENOENT || (rc == -ENOTSUP && !c->checks)) {
		c->means = CP_NOBODY;
		*ret_target = str_printf(
			"%s%s", c->guest_path,
			strchr("/\\", c->guest_path[strlen(c->guest_path) - 1]) ? name : "");
		*ret_temporary = *ret_target ? strdup(*ret_target) : NULL;
		return *ret_target && *ret_temporary ? 0 : error_oom(err);
	}
	if (rc < 0)
		return rc;
	*ret_temporary = str_printf("%s.%s", *ret_target, suffix);
	return *ret_temporary ? 0 : error_oom(err);
}

/* Up to size bytes, fewer only at the end. */
static int read_piece(const struct copy *c, int fd, char *piece, size_t size, size_t *ret_len,
		      struct error *err)
{
	size_t len = 0;

	while (len < size) {
		ssize_t n = read(fd, piece + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return error_errno(err, errno, "read '%s'", c->path);
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*ret_len = len;
	return 0;
}

/* The next piece is on its way to the supervisor while the guest writes the last one. */
int cp_send(struct copy *c, int fd, json_int_t handle, uint64_t most, uint64_t *ret_n,
	    struct error *err)
{
	cleanup_free char *piece = malloc(CLI_AGENT_WRITE_BYTES);
	struct qmp_sync_pending *last = NULL;
	size_t last_len = 0, len = 1;
	int rc = piece ? 0 : error_oom(err);

	*ret_n = 0;
	while (rc == 0 && (last || len)) {
		struct qmp_sync_pending *next = NULL;
		uint64_t left = most - *ret_n;
		int done = 0;

		rc = cp_check_interrupt(c, err);
		if (rc == 0 && len)
			rc = read_piece(c, fd, piece,
					left < CLI_AGENT_WRITE_BYTES ? (size_t)left
								     : CLI_AGENT_WRITE_BYTES,
					&len, err);
		if (rc == 0 && len)
			rc = cli_agent_begin_write(&c->agent, handle, piece, len, &next, err);
		if (rc == 0)
			cp_count(c, piece, len);
		*ret_n += rc == 0 ? len : 0;
		if (last)
			done = cli_agent_finish_write(&c->agent, last, last_len,
						      rc < 0 ? NULL : err);
		rc = rc < 0 ? rc : done;
		last = next;
		last_len = len;
	}
	if (last)
		(void)cli_agent_finish_write(&c->agent, last, last_len, NULL);
	return rc;
}

/* What is buffered is written when the file is closed, and fails then where it does. */
static int send_file(struct copy *c, int fd, const char *temporary, struct error *err)
{
	struct error late = ERROR_INIT;
	json_int_t handle;
	uint64_t n;
	int rc = cli_agent_open_file(&c->agent, temporary, "w", &handle, err), closed;

	if (rc < 0)
		return rc;
	rc = cp_send(c, fd, handle, UINT64_MAX, &n, err);
	if (rc == 0)
		rc = cli_agent_call(&c->agent, "guest-file-flush",
				    json_pack("{s:I}", "handle", handle), CLI_AGENT_MS, NULL, err);
	closed = cli_agent_close_file(&c->agent, handle, &late);
	if (rc == 0 && closed < 0) {
		*err = late;
		rc = closed;
	}
	return rc;
}

static int take_place(struct copy *c, mode_t mode, const char *temporary, const char *target,
		      struct error *err)
{
	static const char script[] =
		"if [ \"$4\" ] && command -v sha256sum >/dev/null; then\n"
		"\ts=$(sha256sum <\"$1\") || exit 1\n"
		"\tif [ \"${s%% *}\" != \"$4\" ]; then\n"
		"\t\techo 'what arrived is not what was sent (its checksum differs)' >&2; exit 1\n"
		"\tfi\n"
		"fi\n"
		"chmod \"$3\" \"$1\" && mv -f \"$1\" \"$2\"\n";
	char octal[8], sum[SHA256_TEXT_BYTES];

	sha256_finish(&c->sum, sum);
	if (c->means == CP_NOBODY)
		return 0;
	if (c->means == CP_POWERSHELL)
		return cp_windows_take_place(c, temporary, target, c->checks ? sum : "", err);
	(void)str_format(octal, sizeof(octal), "%o", (unsigned)mode & 0777);
	return cp_run_script(
		c, script,
		(const char *const[]){temporary, target, octal, c->checks ? sum : "", NULL}, NULL,
		err);
}

static int copy_to_guest(struct copy *c, struct error *err)
{
	cleanup_close int fd = c->is_stream ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 0)
					    : open(c->path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *target = NULL, *temporary = NULL;
	mode_t mask = umask(0), mode;
	struct stat st;
	int rc;

	(void)umask(mask);
	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "open '%s'", c->path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, EISDIR, "'%s' is a folder (hv cp -r)", c->path);
	c->n_all = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	mode = c->is_stream ? 0666 & ~mask : st.st_mode;
	rc = prepare_there(c, &target, &temporary, err);
	if (rc < 0)
		return rc;
	rc = send_file(c, fd, temporary, err);
	if (rc < 0)
		rc = cp_name_file(c, target, rc, err);
	else
		rc = take_place(c, mode, temporary, target, err);
	return rc < 0 ? remove_there(c, temporary, rc, err) : 0;
}

/* Where a word is NAME:PATH, its path and the name before it, which the caller frees. */
static const char *guest_side(const char *word, char **ret_name)
{
	const char *colon = strchr(word, ':'), *slash = strchr(word, '/');

	if (!colon || colon == word || !colon[1] || (slash && slash < colon))
		return NULL;
	*ret_name = strndup(word, (size_t)(colon - word));
	return colon + 1;
}

static int copy(struct copy *c, bool from_guest, struct error *err)
{
	if (c->cli->values[OPT_RECURSIVE])
		return from_guest ? cp_folder_from_guest(c, err) : cp_folder_to_guest(c, err);
	return from_guest ? cp_from_guest(c, err) : copy_to_guest(c, err);
}

static int run(struct cli *cli)
{
	cleanup_free char *from = NULL, *to = NULL;
	const char *there_from = guest_side(cli->names[0], &from);
	const char *there_to = guest_side(cli->names[1], &to);
	struct copy c = {
		.cli = cli,
		.guest_path = there_from ? there_from : there_to,
		.path = cli->names[there_from ? 1 : 0],
		.is_stream = str_eq(cli->names[there_from ? 1 : 0], "-"),
		.checks = !cli->values[OPT_NO_CHECKSUM],
		.terminal = isatty(STDERR_FILENO),
	};
	int rc;

	if (!there_from && !there_to)
		return cli_usage(cli, &verb_cp, "one of the two has to be NAME:PATH");
	if (there_from && there_to)
		return cli_usage(cli, &verb_cp, "both are in guests: copy it here, then there");
	if (!from && !to)
		return error_oom(&cli->err);
	if (c.is_stream && cli->values[OPT_RECURSIVE])
		return cli_usage(cli, &verb_cp, "a folder neither comes from nor goes to a stream");
	if (c.is_stream && there_from && isatty(STDOUT_FILENO))
		return error_set(
			&cli->err, EINVAL,
			"standard output is a terminal: what a guest's file holds is not for "
			"it (name a file, or a pipe)");
	sha256_init(&c.sum);
	c.interrupted = cli_interrupted_once();
	/* What a tar said that has ended tells more. */
	(void)signal(SIGPIPE, SIG_IGN);
	rc = cli_agent_open(cli, from ? from : to, &c.agent, &cli->err);
	if (rc == 0)
		rc = cli_agent_heed_interrupt(&c.agent, &cli->err);
	if (rc == 0)
		rc = copy(&c, there_from, &cli->err);
	show_progress(&c, true);
	cli_agent_close(&c.agent);
	return rc;
}

const struct verb verb_cp = {
	.name = "cp",
	.args = "SOURCE DESTINATION",
	.summary = "copy a file or a folder to or from a guest, by its agent",
	.text = "One of the two is NAME:PATH; the other one may be -, standard input or output. Where the destination\n"
		"is a folder, the file keeps its name. What arrived is compared by its checksum, where the guest has\n"
		"sha256sum or is a Windows with PowerShell, and takes its place only then; a copy that fails leaves\n"
		"nothing behind, but what has gone to standard output: an exit status of 1 says not to use it. (Where an\n"
		"agent may run no programs a file is written where it belongs, and not compared.) With -r a folder\n"
		"goes with all that is in it, by the guest's tar, which Windows does not lend: names, contents, modes\n"
		"and symbolic links as they are; owners are not kept. A folder that is there already is not replaced.\n"
		"What a guest says may hold anything, so nothing of it is a device or runs as somebody else here, and\n"
		"nothing is written elsewhere.",
	.options = options,
	.min_names = 2,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
