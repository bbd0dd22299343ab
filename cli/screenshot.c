/* SPDX-License-Identifier: MIT */
#include "base/cleanup.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/common.h"
#include "qmp/sync.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A picture that is being taken: a file beside the one that it becomes, or one in memory on its
 * way to standard output. */
struct picture {
	int dirfd, fd;
	int memory; /* -1: a file */
	const char *name;
	char temporary[NAME_MAX + 1];
};

/* An end before QEMU is done would leave it a descriptor for good. */
static void hold_signals(sigset_t *ret_before)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &set, ret_before);
}

static int picture_open(struct picture *p, const char *folder, const char *name, struct error *err)
{
	struct stat st;

	p->name = name;
	p->dirfd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (p->dirfd < 0)
		return error_errno(err, errno, "folder '%s'", folder);
	if (fstatat(p->dirfd, name, &st, 0) == 0 && !S_ISREG(st.st_mode))
		return error_set(err, EINVAL, "'%s' is there and is no plain file", name);
	if (!str_format(p->temporary, sizeof(p->temporary), ".%s.%d", name, (int)getpid()))
		return error_set(err, ENAMETOOLONG, "'%s'", name);
	/* QEMU writes and does not read: it looks that its descriptor can just that. */
	p->fd = openat(p->dirfd, p->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		       0666);
	return p->fd < 0 ? error_errno(err, errno, "create '%s/%s'", folder, p->temporary) : 0;
}

/* QEMU writes into no pipe, for whoever does not read that would keep it waiting. */
static int picture_open_stream(struct picture *p, struct error *err)
{
	char path[32];

	if (isatty(STDOUT_FILENO))
		return error_set(
			err, EINVAL,
			"standard output is a terminal, which shows no PNG (name a file, or "
			"a pipe)");
	p->memory = memfd_create("hv-screenshot", MFD_CLOEXEC);
	if (p->memory >= 0) {
		(void)str_format(path, sizeof(path), "/proc/self/fd/%d", p->memory);
		p->fd = open(path, O_WRONLY | O_CLOEXEC);
	}
	return p->fd < 0 ? error_errno(err, errno, "memory for it") : 0;
}

static void picture_close(struct picture *p)
{
	if (p->fd >= 0 && p->memory < 0)
		(void)unlinkat(p->dirfd, p->temporary, 0);
	close_fd(&p->fd);
	close_fd(&p->dirfd);
	close_fd(&p->memory);
}

static int dump(struct cli *cli, struct qmp_sync *sync, int fd)
{
	json_t *result = NULL;
	char path[48];
	json_int_t set;
	int rc;

	rc = qmp_sync_call_fds(sync, "add-fd", json_pack("{s:s}", "opaque", "hv screenshot"), &fd,
			       1, CLI_COMMAND_MS, &result, &cli->err);
	if (rc < 0)
		return rc;
	set = json_integer_value(json_object_get(result, "fdset-id"));
	json_decref(result);
	(void)str_format(path, sizeof(path), "/dev/fdset/%" JSON_INTEGER_FORMAT, set);
	rc = qmp_sync_call(sync, "screendump",
			   json_pack("{s:s s:s}", "filename", path, "format", "png"),
			   CLI_COMMAND_MS, NULL, &cli->err);
	(void)qmp_sync_call(sync, "remove-fd", json_pack("{s:I}", "fdset-id", set), CLI_COMMAND_MS,
			    NULL, NULL);
	return rc;
}

static uint32_t number_at(const unsigned char *data)
{
	uint32_t v;

	memcpy(&v, data, sizeof(v));
	return ntohl(v);
}

/* That it is a picture, by its first and its last chunk. */
static int check(const struct picture *p, uint32_t *ret_width, uint32_t *ret_height,
		 struct error *err)
{
	static const unsigned char begin[] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n',
					      0,    0,   0,   13,  'I',  'H',  'D',  'R'};
	static const unsigned char end[] = {0, 0, 0, 0, 'I', 'E', 'N', 'D', 0xae, 0x42, 0x60, 0x82};
	unsigned char head[24], tail[sizeof(end)];
	cleanup_close int fd =
		p->memory >= 0 ? fcntl(p->memory, F_DUPFD_CLOEXEC, 0)
			       : openat(p->dirfd, p->temporary, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return error_errno(err, errno, "read it again");
	if (st.st_size < (off_t)(sizeof(head) + sizeof(tail)) ||
	    pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head) ||
	    pread(fd, tail, sizeof(tail), st.st_size - (off_t)sizeof(tail)) !=
		    (ssize_t)sizeof(tail) ||
	    memcmp(head, begin, sizeof(begin)) != 0 || memcmp(tail, end, sizeof(end)) != 0)
		return error_set(err, EIO, "QEMU wrote no whole PNG (%jd bytes)",
				 (intmax_t)st.st_size);
	*ret_width = number_at(head + sizeof(begin));
	*ret_height = number_at(head + sizeof(begin) + 4);
	return 0;
}

static bool has_screen(const struct cli *cli, const char *name)
{
	cleanup_close int fd = -1;

	return rundir_connect(&cli->paths, PATHS_VM, name, NAME_VNC, &fd, NULL) != -ENOENT;
}

static int take(struct cli *cli, const struct spec_vm *vm, struct picture *p)
{
	struct qmp_sync *sync = NULL;
	int fd = -1, rc;

	rc = rundir_connect_vm(&cli->paths, vm->name, &fd, &cli->err);
	if (rc == 0)
		rc = qmp_sync_open(fd, &sync, &cli->err);
	if (rc == 0)
		rc = dump(cli, sync, p->fd);
	qmp_sync_close(sync);
	/* A QEMU that refuses has no class for that; hvup knows what it gave it. */
	if (rc == -EREMOTEIO && !has_screen(cli, vm->name))
		rc = error_set(&cli->err, ENODEV,
			       "it has no screen (display: vga gives it one at its next start)");
	return rc;
}

/* Only now, as it is whole, does it replace a file or go out. */
static int hand_over(const struct picture *p, struct error *err)
{
	char chunk[65536];
	off_t at = 0;
	ssize_t n;
	int rc = 0;

	if (p->memory < 0)
		return renameat(p->dirfd, p->temporary, p->dirfd, p->name) < 0
			       ? error_errno(err, errno, "rename '%s'", p->temporary)
			       : 0;
	while (rc == 0 && (n = pread(p->memory, chunk, sizeof(chunk), at)) > 0) {
		rc = file_write_all(STDOUT_FILENO, chunk, (size_t)n, err);
		at += n;
	}
	return error_wrap_if(err, rc, "standard output");
}

static int run(struct cli *cli)
{
	cleanup_free char *one = strdup(cli->names[1]), *two = strdup(cli->names[1]);
	bool to_stream = str_eq(cli->names[1], "-");
	struct picture p = {.dirfd = -1, .fd = -1, .memory = -1};
	uint32_t width = 0, height = 0;
	const struct spec_vm *vm;
	sigset_t before;
	int rc;

	if (!one || !two)
		return error_oom(&cli->err);
	rc = cli_find_any_vm(cli, cli->names[0], &vm);
	if (rc < 0)
		return rc;
	hold_signals(&before);
	rc = to_stream ? picture_open_stream(&p, &cli->err)
		       : picture_open(&p, dirname(one), basename(two), &cli->err);
	if (rc == 0)
		rc = take(cli, vm, &p);
	if (rc == 0)
		rc = check(&p, &width, &height, &cli->err);
	if (rc == 0)
		rc = hand_over(&p, &cli->err);
	if (rc == 0)
		close_fd(&p.fd);
	picture_close(&p);
	(void)sigprocmask(SIG_SETMASK, &before, NULL);
	if (rc == 0 && !to_stream)
		(void)printf("%s: %" PRIu32 "x%" PRIu32 "\n", cli->names[1], width, height);
	return error_wrap_if(&cli->err, rc, "vm '%s': screenshot", vm->name);
}

const struct verb verb_screenshot = {
	.name = "screenshot",
	.args = "NAME FILE.png",
	.summary = "what is on the screen, as a PNG",
	.text = "The machine has to have a display:. FILE.png is written whole or not at all, and "
		"replaces one\nthat is there; - is standard output. Needs QEMU 7.1 or later.",
	.min_names = 2,
	.max_names = 2,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
