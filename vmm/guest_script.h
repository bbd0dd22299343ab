/* SPDX-License-Identifier: MIT */
/*
 * Commands for a guest, as its agent starts them: arguments of guest-exec. Pure.
 *
 * On Linux a command runs below a small shell script, which keeps its output in files
 * that can be read while it runs (the agent itself gives output at the end only) and feeds
 * its standard input from
 * another. Arguments are never quoted: they go
 * as they are. The files lie in /tmp under a name that only this call knows and that
 * only the agent's user may open, and are gone with the command.
 */
#ifndef HV_VMM_GUEST_SCRIPT_H
#define HV_VMM_GUEST_SCRIPT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

struct error;

/* The files are BASE and one of these: */
#define GUEST_SCRIPT_STDOUT ".o"
#define GUEST_SCRIPT_STDERR ".e"
#define GUEST_SCRIPT_INPUT ".i" /* a piece of input; empty when it was taken */
#define GUEST_SCRIPT_WAKE ".w" /* a FIFO: a line for each piece of input, "q" for the last */
#define GUEST_SCRIPT_STREAM ".s" /* what is written here says that the host reads the files */

/* The first byte of what the script itself says on standard output, when it ends. */
enum guest_script_end {
	GUEST_SCRIPT_CAPTURED = 'C', /* all output follows, there and on standard error */
	GUEST_SCRIPT_STREAMED = 'S', /* the host has the files open: the rest is there */
	GUEST_SCRIPT_LEFT = 'L', /* the files are too large for an answer, and left */
};

enum { GUEST_SCRIPT_BASE_BYTES = 64 };

struct guest_command {
	char *const *argv; /* NULL at the end */
	char *const *env; /* "K=V", NULL at the end; may be NULL */
	const char *user; /* NULL: the agent's, which is root */
	const void *input; /* standard input, all of it; may be NULL */
	size_t input_len;
	bool streams_input; /* more comes by the files */
};

/* A new BASE. */
void guest_script_make_base(char base[static GUEST_SCRIPT_BASE_BYTES]);

/* "K=V" with a name that a shell takes, and not one of ours. */
bool guest_env_is_valid(const char *entry);
/* A name that useradd takes. */
bool guest_user_is_valid(const char *user);

/* Arguments for guest-exec; NULL: out of memory, or an argument that is not UTF-8, which
 * cannot go through JSON. */
json_t *guest_linux_exec(const struct guest_command *command, const char *base);

/* The same for Windows. The script of `powershell SCRIPT…` goes by -EncodedCommand, where
 * its first word is no option; env goes with such a script only. -E2BIG where it is longer than
 * a command line may be, -EINVAL where it is not UTF-8, -ENOTSUP for a user, or for env with
 * another command. */
int guest_windows_exec(const struct guest_command *command, json_t **ret_args, struct error *err);

/* Text as UTF-16LE in base64, as PowerShell wants its scripts. NULL where it is not UTF-8, or
 * memory is out. */
char *guest_encode_powershell(const char *script);

#endif
