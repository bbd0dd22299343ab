/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A folder goes as a tar archive, so that names of any bytes, modes and links arrive as they
 * are: the agent's own JSON has room for UTF-8 only. The archive is never in one piece. A
 * small server, a shell script in the guest's background, has a tar at one end of a pipe and
 * a file "p" at the other, which holds one piece of at most PIECE_BYTES. The host writes or
 * reads that file by the agent and asks for the next step with a word into the FIFO "w"; the
 * server says "k" by the FIFO "d" when it is done with the piece, and "e" with tar's status and
 * what it complains of when that has ended. So neither side needs space for
 * the whole archive, and nobody waits for somebody who is not there: all FIFOs are opened for
 * reading and writing.
 *
 * To a guest, it is unpacked beside its place and moved there. Afterwards the names of all
 * regular files go into "l", and one checksum over their contents in this order says whether
 * what is there is what is here; the same the other way around.
 *
 * What comes from a guest may be any archive. It is unpacked by a tar that can write only
 * into one folder (jail/beneath.h), in which nobody else looks until it was gone through
 * (cli/cp_tree.h).
 */
#include "cli/cp_private.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "cli/cp_tar.h"
#include "cli/cp_tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { PIECE_BYTES = 8 * 1024 * 1024 };

/* $1: where to, $2: the folder's name, $3: a suffix. Says where it goes. What tar complains of
 * is in no file, for it may be that the disk is full. */
static const char unpack_script[] =
	"t=$1\n"
	"case $t in ?*/) t=${t%/};; esac\n"
	"if [ -d \"$t\" ]; then t=${t%/}/$2; fi\n"
	"if [ -e \"$t\" ] || [ -L \"$t\" ]; then echo \"$t is there already\" >&2; exit 1; fi\n"
	"p=${t%/*}\n"
	"[ \"$p\" = \"$t\" ] || [ -d \"$p/\" ] || { echo \"there is no folder $p\" >&2; exit 1; }\n"
	"umask 077\n"
	"x=$t.$3\n"
	"mkdir -- \"$x\" || exit 1\n"
	"(\n"
	"cd -- \"$x\" && mkdir f && : >p && mkfifo w d && exec 6<>w 7<>d || exit 1\n"
	"{\n"
	"\tm=$(while read -r k <&6 && [ \"$k\" = p ]; do\n"
	"\t\tcat p || break\n"
	"\t\t: >p\n"
	"\t\techo k >&7\n"
	"\tdone 2>/dev/null | { tar -x -p -o -f - -C f 2>&1; echo \"hv $?\"; } | sed -n '1p;$p')\n"
	"\tr=${m##*hv }\n"
	"\t[ \"$m\" != \"hv $r\" ] || m=\n"
	"\techo \"e $r $(echo \"$m\" | head -n 1)\" >&7\n"
	"} </dev/null >/dev/null 2>&1 &\n"
	") || exit 1\n"
	"printf %s \"$t\"\n";

/* $1: the folder, $2: a new one for what is needed. */
static const char pack_script[] =
	"umask 077\n"
	"x=$2\n"
	"[ -d \"$1\" ] || [ ! -e \"$1\" ] || { echo \"$1 is no folder\" >&2; exit 1; }\n"
	"cd -- \"$1\" && mkdir \"$x\" && : >\"$x/p\" && mkfifo \"$x/w\" \"$x/d\" || exit 1\n"
	"exec 6<>\"$x/w\" 7<>\"$x/d\"\n"
	"full=iflag=fullblock\n"
	"dd if=/dev/null $full 2>/dev/null || full=\n"
	"{\n"
	"\t{ tar -c -f - . 2>\"$x/e\"; echo $? >\"$x/r\"; } | {\n"
	"\t\twhile read -r k <&6 && [ \"$k\" = p ]; do\n"
	"\t\t\tdd bs=65536 count=128 $full of=\"$x/p\" || break\n"
	"\t\t\t[ -s \"$x/p\" ] || break\n"
	"\t\t\techo k >&7\n"
	"\t\tdone\n"
	"\t}\n"
	"\techo \"e $(cat \"$x/r\") $(head -n 1 \"$x/e\")\" >&7\n"
	"} </dev/null >/dev/null 2>&1 &\n";

/* $1: where the server is, $2: the word; says what the server said. $3: a status of tar that is
 * as good as 0. */
static const char step_script[] =
	"cd -- \"$1\" && exec 7<>d && echo \"$2\" 1<>w || exit 1\n"
	"read -r k r m <&7\n"
	"if [ \"$k\" = e ] && [ \"$r\" != 0 ] && [ \"$r\" != \"$3\" ]; then\n"
	"\techo \"${m:-its tar ends with status $r}\" >&2; exit 1\n"
	"fi\n"
	"printf %s \"$k\"\n";

/* $1: the folder, $2: the names, $3: the sum. */
#define COMPARE                                                                          \
	"if [ \"$3\" ] && [ -s \"$2\" ] && command -v sha256sum >/dev/null &&\n"         \
	"\tcommand -v xargs >/dev/null; then\n"                                          \
	"\ts=$(exec <\"$2\" && cd -- \"$1\" && xargs -0 cat | sha256sum)\n"              \
	"\tif [ \"${s%% *}\" != \"$3\" ]; then\n"                                        \
	"\t\techo 'what arrived is not what was sent (its checksum differs)' >&2; exit " \
	"1\n"                                                                            \
	"\tfi\n"                                                                         \
	"fi\n"
static const char compare_script[] = COMPARE;

/* $4: the place, $5: what is to go. */
static const char take_place_script[] =
	COMPARE "if [ -e \"$4\" ] || [ -L \"$4\" ]; then echo \"$4 is there already\" >&2; exit 1; "
		"fi\n"
		"mv -- \"$1\" \"$4\" && rm -rf -- \"$5\"\n";

/* $1: where the server is, which ends then. */
static const char remove_script[] = "[ -d \"$1\" ] || exit 0\n"
				    "(cd -- \"$1\" && [ -p w ] && echo q 1<>w)\n"
				    "rm -rf -- \"$1\" 2>/dev/null || rm -rf -- \"$1\"\n";

static void end_server(struct copy *c, const char *where)
{
	(void)cp_run_script(c, remove_script, (const char *const[]){where, NULL}, NULL, NULL);
}

/* One step of the server: 1: it goes on; 0: tar has ended well. */
static int step(struct copy *c, const char *where, const char *word, struct error *err)
{
	cleanup_free char *said = NULL;
	int rc = cp_run_script(c, step_script,
			       (const char *const[]){where, word, c->checks ? "0" : "1", NULL},
			       &said, err);

	if (rc < 0)
		return rc;
	if (!str_eq(said, "k") && !str_eq(said, "e"))
		return error_set(err, EPROTO, "vm '%s': its shell says something else",
				 c->agent.name);
	return str_eq(said, "k");
}

static int no_shell(struct copy *c, struct error *err, int rc)
{
	if (rc == -EREMOTEIO && cli_agent_is_windows(&c->agent))
		return error_set(err, ENOTSUP,
				 "vm '%s': folders go by a shell and tar, and it is a Windows: "
				 "pack it into one file (tar, Compress-Archive), and copy that",
				 c->agent.name);
	if (rc == -ENOENT)
		return error_set(err, ENOTSUP,
				 "vm '%s': its agent runs no programs, and a folder needs its tar",
				 c->agent.name);
	return rc;
}

/* Opens WHERE/NAME in the guest. */
static int open_there(struct copy *c, const char *where, const char *name, const char *mode,
		      json_int_t *ret_handle, struct error *err)
{
	cleanup_free char *path = str_printf("%s/%s", where, name);

	return path ? cli_agent_open_file(&c->agent, path, mode, ret_handle, err) : error_oom(err);
}

/* Writes WHERE/NAME in the guest out of fd; how much goes to *ret_n. */
static int put(struct copy *c, const char *where, const char *name, int fd, uint64_t most,
	       uint64_t *ret_n, struct error *err)
{
	json_int_t handle;
	struct error late = ERROR_INIT;
	int rc = open_there(c, where, name, "w", &handle, err), closed;

	if (rc < 0)
		return rc;
	rc = cp_send(c, fd, handle, most, ret_n, err);
	/* What is buffered is written now, and fails now where it does. */
	closed = cli_agent_close_file(&c->agent, handle, &late);
	if (rc == 0 && closed < 0) {
		*err = late;
		rc = closed;
	}
	return rc;
}

static int send_archive(struct copy *c, const char *where, int fd, struct error *err)
{
	uint64_t n = PIECE_BYTES;
	int rc = 1;

	while (rc > 0 && n == PIECE_BYTES) {
		rc = put(c, where, "p", fd, PIECE_BYTES, &n, err);
		if (rc == 0)
			rc = n ? step(c, where, "p", err) : 1;
	}
	/* A tar that has seen the archive's end may have ended by itself. */
	if (rc > 0)
		rc = step(c, where, "q", err);
	return rc > 0 ? error_set(err, EPROTO, "vm '%s': its tar does not end", c->agent.name) : rc;
}

static int send_names(struct copy *c, const char *where, const struct cp_tree *tree,
		      struct error *err)
{
	cleanup_close int fd = -1;
	uint64_t n;
	int rc;

	if (!c->checks || !tree->names.len)
		return 0;
	fd = memfd_create("hv-names", MFD_CLOEXEC);
	if (fd < 0)
		return error_errno(err, errno, "memfd_create");
	rc = file_write_all(fd, tree->names.data, tree->names.len, err);
	if (rc == 0 && lseek(fd, 0, SEEK_SET) < 0)
		rc = error_errno(err, errno, "lseek");
	return rc < 0 ? rc : put(c, where, "l", fd, UINT64_MAX, &n, err);
}

static int unpack_there(struct copy *c, int folder_fd, struct cp_tree *tree, const char *where,
			const char *target, struct error *err)
{
	cleanup_free char *files = str_printf("%s/f", where), *names = str_printf("%s/l", where);
	char sum[SHA256_TEXT_BYTES];
	struct cp_tar tar;
	int rc;

	if (!files || !names)
		return error_oom(err);
	rc = cp_tar_pack(folder_fd, &tar, err);
	if (rc < 0)
		return rc;
	rc = send_archive(c, where, tar.fd, err);
	if (rc < 0)
		rc = cp_name_file(c, target, rc, err);
	else
		rc = cp_tar_finish(&tar, !c->checks, err);
	cp_tar_destroy(&tar);
	if (rc == 0)
		rc = send_names(c, where, tree, err);
	if (rc < 0)
		return rc;
	sha256_finish(&tree->sum, sum);
	return cp_run_script(
		c, take_place_script,
		(const char *const[]){files, names, c->checks ? sum : "", target, where, NULL},
		NULL, err);
}

int cp_folder_to_guest(struct copy *c, struct error *err)
{
	cleanup_close int folder_fd = open(c->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	cleanup_free char *real = NULL, *name = NULL, *target = NULL, *where = NULL;
	char suffix[CP_SUFFIX_BYTES];
	struct cp_tree tree;
	int rc;

	/* "." has a name, too. */
	real = folder_fd < 0 ? NULL : realpath(c->path, NULL);
	name = real ? cp_name_of(real) : NULL;
	if (!name)
		return error_errno(err, errno, "open folder '%s'", c->path);
	rc = cp_tree_look(c->path, false, c->checks, &tree, err);
	if (rc < 0)
		return rc;
	c->n_all = tree.n_bytes;
	cp_make_suffix(suffix);
	rc = cp_run_script(c, unpack_script,
			   (const char *const[]){c->guest_path, name, suffix, NULL}, &target, err);
	where = rc == 0 ? str_printf("%s.%s", target, suffix) : NULL;
	if (where) {
		rc = unpack_there(c, folder_fd, &tree, where, target, err);
		if (rc < 0)
			end_server(c, where);
	} else {
		rc = rc < 0 ? no_shell(c, err, rc) : error_oom(err);
	}
	cp_tree_free(&tree);
	return rc;
}

static int receive_archive(struct copy *c, const char *where, int fd, struct error *err)
{
	int rc;

	while ((rc = step(c, where, "p", err)) > 0) {
		json_int_t handle;

		rc = open_there(c, where, "p", "r", &handle, err);
		if (rc == 0) {
			rc = cp_receive(c, handle, fd, err);
			(void)cli_agent_close_file(&c->agent, handle, NULL);
		}
		if (rc < 0)
			break;
	}
	return rc;
}

/* Into a folder that is there; what tar says of a bad archive tells more than a broken pipe. */
static int unpack_here(struct copy *c, const char *where, int folder_fd, struct error *err)
{
	struct error complaint = ERROR_INIT;
	struct statvfs fs;
	struct cp_tar tar;
	int rc = cp_tar_unpack(folder_fd, &tar, err), ended;

	if (rc < 0)
		return rc;
	rc = receive_archive(c, where, tar.fd, err);
	if (rc == 0 || rc == -EPIPE) {
		ended = cp_tar_finish(&tar, false, &complaint);
		if (ended < 0) {
			/* tar's words do not say so where a part was written. */
			bool full = fstatvfs(folder_fd, &fs) == 0 && fs.f_bavail == 0;

			*err = complaint;
			rc = full ? error_wrap(err, ended, "'%s': no space left", c->path)
				  : error_wrap(err, ended, "vm '%s': what it sent", c->agent.name);
		} else if (rc < 0) {
			rc = error_set(err, EPROTO, "vm '%s': it sends more than an archive",
				       c->agent.name);
		}
	}
	cp_tar_destroy(&tar);
	return rc;
}

static int compare_here(struct copy *c, const char *where, struct cp_tree *tree, struct error *err)
{
	cleanup_free char *names = str_printf("%s/l", where);
	char sum[SHA256_TEXT_BYTES];
	int rc = names ? send_names(c, where, tree, err) : error_oom(err);

	if (rc < 0 || !c->checks)
		return rc;
	sha256_finish(&tree->sum, sum);
	return cp_run_script(c, compare_script,
			     (const char *const[]){c->guest_path, names, sum, NULL}, NULL, err);
}

/* Where a folder's name may not be changed by its owner its parent cannot change, either. */
static int take_place_here(int folder_fd, const char *from, const char *target, struct error *err)
{
	struct stat st;

	if (fstat(folder_fd, &st) < 0 || fchmod(folder_fd, (st.st_mode & 0777) | 0700) < 0 ||
	    renameat2(AT_FDCWD, from, AT_FDCWD, target, RENAME_NOREPLACE) < 0 ||
	    fchmod(folder_fd, st.st_mode & 0777) < 0)
		return error_errno(err, errno, "make '%s'", target);
	return 0;
}

static int receive_folder(struct copy *c, const char *where, const char *quarantine,
			  const char *target, struct error *err)
{
	cleanup_free char *folder = str_printf("%s/f", quarantine);
	cleanup_close int fd = -1;
	struct cp_tree tree;
	int rc;

	if (!folder)
		return error_oom(err);
	if (mkdir(folder, 0700) < 0 ||
	    (fd = open(folder, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)) < 0)
		return error_errno(err, errno, "make folder '%s'", folder);
	rc = unpack_here(c, where, fd, err);
	if (rc < 0)
		return rc;
	rc = cp_tree_look(folder, true, c->checks, &tree, err);
	if (rc < 0)
		return error_wrap(err, rc, "vm '%s'", c->agent.name);
	rc = compare_here(c, where, &tree, err);
	cp_tree_free(&tree);
	return rc < 0 ? rc : take_place_here(fd, folder, target, err);
}

/* Where it is to be: the caller frees it. */
static int choose_target(const struct copy *c, char **ret_target, struct error *err)
{
	cleanup_free char *name = cp_name_of(c->guest_path), *here = strdup(c->path);
	struct stat st;

	if (!name || !here)
		return error_oom(err);
	if (stat(here, &st) == 0 && S_ISDIR(st.st_mode)) {
		if (strspn(name, "./") == strlen(name))
			return error_set(err, EINVAL, "'%s' has no name of its own: say which",
					 c->guest_path);
		*ret_target = str_printf("%s/%s", here, name);
	} else {
		for (size_t n = strlen(here); n > 1 && here[n - 1] == '/'; n--)
			here[n - 1] = '\0';
		*ret_target = steal_ptr(&here);
	}
	if (!*ret_target)
		return error_oom(err);
	if (lstat(*ret_target, &st) == 0)
		return error_set(err, EEXIST, "'%s' is there already", *ret_target);
	return 0;
}

int cp_folder_from_guest(struct copy *c, struct error *err)
{
	cleanup_free char *target = NULL, *quarantine = NULL, *where = NULL;
	char suffix[CP_SUFFIX_BYTES];
	int rc = choose_target(c, &target, err);

	if (rc < 0)
		return rc;
	cp_make_suffix(suffix);
	/* Not in what is packed. */
	where = str_printf("%s/%s",
			   str_after(c->guest_path, "/tmp") && strlen(c->guest_path) < 6 ? "/run"
											 : "/tmp",
			   suffix);
	quarantine = str_printf("%s.hv-XXXXXX", target);
	if (!where || !quarantine)
		return error_oom(err);
	if (!mkdtemp(quarantine))
		return error_errno(err, errno, "make '%s'", target);
	rc = cp_run_script(c, pack_script, (const char *const[]){c->guest_path, where, NULL}, NULL,
			   err);
	if (rc == 0) {
		rc = receive_folder(c, where, quarantine, target, err);
		end_server(c, where);
	} else {
		rc = no_shell(c, err, rc);
	}
	cp_tree_remove(quarantine);
	return rc;
}
