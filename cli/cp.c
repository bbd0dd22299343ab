/* SPDX-License-Identifier: MIT */
/*
 * A file goes to a temporary name beside its place, is compared by its SHA-256 with what was
 * sent, and takes its place by a rename: who looks there finds the old file or the new one,
 * and a copy that fails leaves nothing. In a guest without a shell (Windows) there is no
 * rename by the agent: the file is written where it belongs, and what its checksum is
 * nobody says.
 */
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "cli/cp_private.h"

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

static volatile sig_atomic_t interrupted;

static void on_signal(int signal)
{
	(void)signal;
	interrupted = 1;
}

/* The first one ends the copy, and removes what there is of it; the second one, us. */
static void catch_signals(void)
{
	struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};

	(void)sigaction(SIGINT, &action, NULL);
	(void)sigaction(SIGTERM, &action, NULL);
	(void)sigaction(SIGHUP, &action, NULL);
	/* Of a tar that has ended, that tells more. */
	(void)signal(SIGPIPE, SIG_IGN);
}

bool cp_is_interrupted(struct error *err)
{
	if (interrupted)
		(void)error_set(err, EINTR, "interrupted");
	return interrupted;
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

static void count(struct copy *c, const void *data, size_t len)
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

static int begin_script(struct copy *c, const char *script, const char *const *words,
			json_int_t *ret_pid, struct error *err)
{
	const char *argv[10] = {"/bin/sh", "-c", script, "hv-cp"};

	for (size_t i = 0; words[i]; i++)
		argv[4 + i] = words[i];
	return cli_agent_begin_run(&c->agent, argv, NULL, 0, ret_pid, err);
}

static int finish_script(struct copy *c, json_int_t pid, char **ret_out, struct error *err)
{
	cleanup_ran struct cli_agent_ran ran = {0};
	int rc = cli_agent_finish_run(&c->agent, pid, SUM_MS, &ran, err);

	if (rc < 0)
		return rc;
	if (ran.status) {
		cleanup_strbuf struct strbuf said = {0};

		strbuf_add_printable(&said, ran.err, strcspn(ran.err, "\n"), false);
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
	int rc = begin_script(c, script, words, &pid, err);

	return rc < 0 ? rc : finish_script(c, pid, ret_out, err);
}

static void remove_there(struct copy *c, const char *path)
{
	if (c->has_shell)
		(void)cp_run_script(c, "rm -f -- \"$1\"", (const char *const[]){path, NULL}, NULL,
				    NULL);
}

/* Where the file goes to, and an empty one under the temporary name, which others cannot read. */
static int prepare_there(struct copy *c, char **ret_target, char **ret_temporary, struct error *err)
{
	static const char script[] =
		"t=$1\n"
		"if [ -d \"$t\" ]; then t=${t%/}/$2; fi\n"
		"if [ -d \"$t\" ]; then echo \"$t is a folder\" >&2; exit 1; fi\n"
		"umask 077\n"
		": >\"$t.$3\" || exit 1\n"
		"printf %s \"$t\"\n";
	cleanup_free char *name = cp_name_of(c->path);
	char suffix[CP_SUFFIX_BYTES];
	int rc;

	if (!name)
		return error_oom(err);
	cp_make_suffix(suffix);
	c->has_shell = true;
	rc = cp_run_script(c, script, (const char *const[]){c->guest_path, name, suffix, NULL},
			   ret_target, err);
	if (rc == -EREMOTEIO || rc == -ENOENT) {
		c->has_shell = false;
		*ret_target = strdup(c->guest_path);
		*ret_temporary = strdup(c->guest_path);
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

		rc = cp_is_interrupted(err) ? -EINTR : 0;
		if (rc == 0 && len)
			rc = read_piece(c, fd, piece,
					left < CLI_AGENT_WRITE_BYTES ? (size_t)left
								     : CLI_AGENT_WRITE_BYTES,
					&len, err);
		if (rc == 0 && len)
			rc = cli_agent_begin_write(&c->agent, handle, piece, len, &next, err);
		if (rc == 0)
			count(c, piece, len);
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
	if (!c->has_shell)
		return 0;
	(void)str_format(octal, sizeof(octal), "%o", (unsigned)mode & 0777);
	return cp_run_script(
		c, script,
		(const char *const[]){temporary, target, octal, c->checks ? sum : "", NULL}, NULL,
		err);
}

static int copy_to_guest(struct copy *c, struct error *err)
{
	cleanup_close int fd = open(c->path, O_RDONLY | O_CLOEXEC);
	cleanup_free char *target = NULL, *temporary = NULL;
	struct stat st;
	int rc;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "open '%s'", c->path);
	if (S_ISDIR(st.st_mode))
		return error_set(err, EISDIR, "'%s' is a folder (hv cp -r)", c->path);
	c->n_all = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
	rc = prepare_there(c, &target, &temporary, err);
	if (rc < 0)
		return rc;
	rc = send_file(c, fd, temporary, err);
	if (rc == 0)
		rc = take_place(c, st.st_mode, temporary, target, err);
	if (rc < 0)
		remove_there(c, temporary);
	return rc;
}

int cp_receive(struct copy *c, json_int_t handle, int fd, struct error *err)
{
	struct qmp_sync_pending *next = NULL;
	size_t len = 1;
	int rc = cli_agent_begin_read(&c->agent, handle, CLI_AGENT_READ_BYTES, &next, err);

	while (rc == 0 && len) {
		struct qmp_sync_pending *now = steal_ptr(&next);
		cleanup_free char *data = NULL;
		int begun;

		/* Two are under way: the guest is at one while the other one is read here. */
		begun = cli_agent_begin_read(&c->agent, handle, CLI_AGENT_READ_BYTES, &next, err);
		rc = cli_agent_finish_read(&c->agent, now, CLI_AGENT_READ_BYTES, &data, &len,
					   begun < 0 ? NULL : err);
		rc = begun < 0 ? begun : rc;
		if (rc == 0 && cp_is_interrupted(err))
			rc = -EINTR;
		if (rc == 0 && len)
			rc = file_write_all(fd, data, len, err);
		if (rc == 0)
			count(c, data, len);
	}
	if (next) {
		cleanup_free char *beyond = NULL;

		(void)cli_agent_finish_read(&c->agent, next, CLI_AGENT_READ_BYTES, &beyond, &len,
					    NULL);
	}
	return rc;
}

static int compare(struct copy *c, json_int_t pid, struct error *err)
{
	cleanup_free char *out = NULL;
	char sum[SHA256_TEXT_BYTES];
	int rc = finish_script(c, pid, &out, err);

	sha256_finish(&c->sum, sum);
	if (rc == 0 && *out && strncmp(out, sum, SHA256_TEXT_BYTES - 1) != 0)
		rc = error_set(err, EREMOTEIO,
			       "vm '%s': '%s': what arrived is not what is there (its checksum "
			       "differs; where the file changes, --no-checksum)",
			       c->agent.name, c->guest_path);
	return rc;
}

/* The guest makes the checksum while the file is on its way; one that cannot is believed. */
static int receive_file(struct copy *c, int fd, struct error *err)
{
	static const char script[] = "command -v sha256sum >/dev/null || exit 0\n"
				     "sha256sum <\"$1\"\n";
	json_int_t handle, pid = -1;
	int rc = cli_agent_open_file(&c->agent, c->guest_path, "r", &handle, err);

	if (rc < 0)
		return rc;
	if (c->checks)
		rc = begin_script(c, script, (const char *const[]){c->guest_path, NULL}, &pid, err);
	if (rc == -EREMOTEIO || rc == -ENOENT)
		rc = 0;
	if (rc == 0)
		rc = cp_receive(c, handle, fd, err);
	(void)cli_agent_close_file(&c->agent, handle, NULL);
	return rc == 0 && pid >= 0 ? compare(c, pid, err) : rc;
}

static int copy_from_guest(struct copy *c, struct error *err)
{
	cleanup_free char *name = cp_name_of(c->guest_path), *target = NULL, *temporary = NULL;
	cleanup_close int fd = -1;
	mode_t mask = umask(0);
	struct stat st;
	int rc;

	(void)umask(mask);
	target = stat(c->path, &st) == 0 && S_ISDIR(st.st_mode)
			 ? str_printf("%s/%s", c->path, name ? name : "")
			 : strdup(c->path);
	temporary = target && name ? str_printf("%s.hv-XXXXXX", target) : NULL;
	if (!temporary)
		return error_oom(err);
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "make '%s'", target);
	rc = receive_file(c, fd, err);
	if (rc == 0 && (fchmod(fd, 0666 & ~mask) < 0 || rename(temporary, target) < 0))
		rc = error_errno(err, errno, "make '%s'", target);
	if (rc < 0)
		(void)unlink(temporary);
	return rc;
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
	return from_guest ? copy_from_guest(c, err) : copy_to_guest(c, err);
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
		.checks = !cli->values[OPT_NO_CHECKSUM],
		.terminal = isatty(STDERR_FILENO),
	};
	int rc;

	if (!there_from == !there_to)
		return cli_usage(cli, &verb_cp, "one of the two has to be NAME:PATH");
	if (!from && !to)
		return error_oom(&cli->err);
	sha256_init(&c.sum);
	catch_signals();
	rc = cli_agent_open(cli, from ? from : to, &c.agent, &cli->err);
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
	.text = "One of the two is NAME:PATH. Where the destination is a folder, the file keeps its "
		"name. What\narrived is compared by its checksum, where the guest has sha256sum, and "
		"takes its place only\nthen; a copy that fails leaves nothing behind. With -r a folder "
		"goes with all that is in it,\nby the guest's tar: names, contents, modes and symbolic "
		"links as they are; owners are not\nkept. A folder that is there already is not "
		"replaced. What a guest says may hold anything,\nso nothing of it is a device or runs "
		"as somebody else here, and nothing is written elsewhere.",
	.options = options,
	.min_names = 2,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
