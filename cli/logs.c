/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "vmm/names.h"
#include "vmm/rundir.h"
#include "vmm/units/units.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OPT_FOLLOW, OPT_LINES, OPT_PREVIOUS, OPT_SUPERVISOR, OPT_RAW };

enum { CHUNK_BYTES = 64 * 1024, LINES_MAX = 10 * 1000 * 1000 };

static const struct cli_option options[] = {
	[OPT_FOLLOW] = {"follow", 'f', NULL, "go on with what is said from now on", false},
	[OPT_LINES] = {"lines", 'n', "N", "only the last N lines", false},
	[OPT_PREVIOUS] = {"previous", 'p', NULL, "of the start before", false},
	[OPT_SUPERVISOR] = {"supervisor", 's', NULL, "what hvup itself said, in place of the guest",
			    false},
	[OPT_RAW] = {"raw", 0, NULL, "every byte as the guest sent it, terminal sequences too",
		     false},
	{0},
};

struct reader {
	struct cli *cli;
	const char *name; /* of the file */
	int dirfd, fd;
	bool raw;
	struct strbuf kept; /* an unfinished line */
};

/* Everything but text is escaped: a guest must not write to the terminal of
 * whoever reads its log. Carriage returns at the ends of lines go. */
static int show(struct reader *r, const char *data, size_t len)
{
	cleanup_strbuf struct strbuf shown = {0};
	size_t start = 0;

	if (r->raw)
		return file_write_all(STDOUT_FILENO, data, len, &r->cli->err);
	for (size_t i = 0; i < len; i++)
		if (data[i] == '\r' &&
		    (i + 1 == len || data[i + 1] == '\n' || data[i + 1] == '\r')) {
			strbuf_add_printable(&shown, data + start, i - start, true);
			start = i + 1;
		}
	strbuf_add_printable(&shown, data + start, len - start, true);
	if (shown.failed)
		return error_oom(&r->cli->err);
	return shown.len ? file_write_all(STDOUT_FILENO, shown.data, shown.len, &r->cli->err) : 0;
}

/* Shows all that is there now, whole lines only where bytes get escaped: a
 * character may lie across two reads. */
static int show_rest(struct reader *r)
{
	char chunk[CHUNK_BYTES];
	ssize_t n;

	while ((n = read(r->fd, chunk, sizeof(chunk))) > 0) {
		const char *end;
		size_t len;
		int rc;

		strbuf_add(&r->kept, chunk, (size_t)n);
		if (r->kept.failed)
			return error_oom(&r->cli->err);
		end = memrchr(r->kept.data, '\n', r->kept.len);
		len = end && !r->raw ? (size_t)(end + 1 - r->kept.data) : 0;
		if (r->raw || r->kept.len > CHUNK_BYTES)
			len = r->kept.len;
		rc = len ? show(r, r->kept.data, len) : 0;
		if (rc < 0)
			return rc;
		strbuf_consume(&r->kept, len);
	}
	return n < 0 ? error_errno(&r->cli->err, errno, "read the log") : 0;
}

static int show_kept(struct reader *r)
{
	int rc = r->kept.len ? show(r, r->kept.data, r->kept.len) : 0;

	strbuf_consume(&r->kept, r->kept.len);
	return rc;
}

/* Moves the file's position to where its last n lines begin. */
static int seek_last_lines(struct reader *r, uint64_t n)
{
	off_t at = lseek(r->fd, 0, SEEK_END);
	bool at_end = true;
	char c;

	if (at >= 0 && n == 0)
		return 0;
	if (at < 0)
		return error_errno(&r->cli->err, errno, "seek in the log");
	while (at > 0) {
		char chunk[4096];
		size_t want = at < (off_t)sizeof(chunk) ? (size_t)at : sizeof(chunk);

		if (pread(r->fd, chunk, want, at - (off_t)want) != (ssize_t)want)
			break;
		for (size_t i = want; i-- > 0; at_end = false) {
			c = chunk[i];
			if (c != '\n' || at_end)
				continue;
			if (n-- == 1) {
				(void)lseek(r->fd, at - (off_t)want + (off_t)i + 1, SEEK_SET);
				return 0;
			}
		}
		at -= (off_t)want;
	}
	(void)lseek(r->fd, 0, SEEK_SET);
	return 0;
}

static int open_file(struct reader *r)
{
	r->fd = openat(r->dirfd, r->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	return r->fd < 0 ? -errno : 0;
}

/* The log was moved aside and begun anew. */
static int reopen_if_replaced(struct reader *r)
{
	struct stat ours, named;
	int rc;

	if (fstat(r->fd, &ours) < 0 || fstatat(r->dirfd, r->name, &named, 0) < 0)
		return 0;
	/* It is cut when it has grown too long. */
	if (lseek(r->fd, 0, SEEK_CUR) > ours.st_size)
		(void)lseek(r->fd, 0, SEEK_SET);
	if (ours.st_ino == named.st_ino)
		return 0;
	rc = show_rest(r);
	if (rc < 0)
		return rc;
	close_fd(&r->fd);
	return open_file(r);
}

static int follow(struct reader *r)
{
	cleanup_close int inotify = inotify_init1(IN_CLOEXEC);
	char path[64], events[4096] __attribute__((aligned(8)));
	int rc = 0;

	(void)str_format(path, sizeof(path), "/proc/self/fd/%d", r->dirfd);
	if (inotify < 0 ||
	    inotify_add_watch(inotify, path, IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return error_errno(&r->cli->err, errno, "watch the log");
	while (rc == 0) {
		rc = show_rest(r);
		if (rc == 0)
			rc = show_kept(r);
		if (rc == 0 && read(inotify, events, sizeof(events)) < 0 && errno != EINTR)
			rc = error_errno(&r->cli->err, errno, "watch the log");
		if (rc == 0)
			rc = reopen_if_replaced(r);
	}
	return rc;
}

static int read_log(struct reader *r, const char *vm)
{
	struct cli *cli = r->cli;
	uint64_t lines;
	int rc;

	if (!cli_number(cli, &verb_logs, OPT_LINES, LINES_MAX, 0, &lines))
		return 0;
	rc = open_file(r);
	if (rc < 0)
		return error_set(&cli->err, -rc, "vm '%s': there is no %s yet", vm, r->name);
	if (cli->values[OPT_LINES])
		rc = seek_last_lines(r, lines);
	if (rc == 0)
		rc = show_rest(r);
	if (rc == 0)
		rc = show_kept(r);
	if (rc == 0 && cli->values[OPT_FOLLOW])
		rc = follow(r);
	return rc;
}

static int run(struct cli *cli)
{
	bool supervisor = cli->values[OPT_SUPERVISOR] != NULL;
	bool previous = cli->values[OPT_PREVIOUS] != NULL;
	struct reader r = {.cli = cli, .dirfd = -1, .fd = -1, .raw = cli->values[OPT_RAW] != NULL};
	const struct spec_vm *vm;
	int rc;

	r.name = supervisor ? (previous ? NAME_SUPERVISOR_LOG ".1" : NAME_SUPERVISOR_LOG)
			    : (previous ? NAME_CONSOLE_LOG ".1" : NAME_CONSOLE_LOG);
	rc = cli_find_any_vm(cli, cli->names[0], &vm);
	if (rc < 0)
		return rc;
	rc = paths_open_state(&cli->paths, PATHS_VM, vm->name, 0, &r.dirfd, &cli->err);
	if (rc == -ENOENT)
		return error_set(&cli->err, ENOENT, "vm '%s' was never up", vm->name);
	if (rc == 0)
		rc = read_log(&r, vm->name);
	if (rc == -ENOENT && supervisor && units_wanted(&cli->paths))
		rc = error_set(&cli->err, ENOENT,
			       "vm '%s': its supervisor is a unit and speaks to the journal "
			       "(journalctl -u hv@%s)",
			       vm->name, vm->name);
	close_fd(&r.fd);
	close_fd(&r.dirfd);
	strbuf_free(&r.kept);
	return rc == -EPIPE ? 0 : rc;
}

const struct verb verb_logs = {
	.name = "logs",
	.args = "NAME",
	.summary = "what the guest said on its serial console",
	.text = "From the first byte of the last start on. Control bytes are shown as \\xNN.",
	.options = options,
	.min_names = 1,
	.max_names = 1,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
