/* SPDX-License-Identifier: MIT */
/*
 * What is told goes in variables, in front of a script (vmm/guest_script.h), so no name is
 * ever part of what PowerShell reads as its own. Files are reached by .NET: of the cmdlets some
 * take a path for a pattern, also with -LiteralPath, where it is the second one. Texts go as bytes:
 * in the console's code page names would not arrive, and what is an error of PowerShell's own goes
 * as XML.
 *
 * A file is put in its place by ReplaceFile(), which keeps who may use what is there; it
 * does not take one that is read-only, so it is that afterwards.
 */
#include "cli/cp_windows.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/cp_private.h"
#include "vmm/guest_script.h"

#include <ctype.h>
#include <errno.h>

#define BEGIN                                                                      \
	"$ProgressPreference='SilentlyContinue';"                                  \
	"function say($s,$m){$b=[Text.Encoding]::UTF8.GetBytes($m);$s.Write($b,0," \
	"$b.Length);$s.Flush()}\n"                                                 \
	"try{\n"
#define END                                              \
	"\n}catch{say ([Console]::OpenStandardError()) " \
	"($env:HV_FILE+': '+$_.Exception.GetBaseException().Message);exit 1}"
#define SAY "say ([Console]::OpenStandardOutput()) "
#define HASH "(Get-FileHash -Algorithm SHA256 -LiteralPath $f -ErrorAction Stop).Hash"

static const char prepare_script[] =
	BEGIN "$t=[IO.Path]::GetFullPath($env:HV_FILE)\n"
	      "if([IO.Directory]::Exists($t)){\n"
	      "if($env:HV_NAME.IndexOfAny([IO.Path]::GetInvalidFileNameChars()) -ge 0){"
	      "throw 'Windows takes no file of the name '+$env:HV_NAME+' (say another)'}\n"
	      "$t=[IO.Path]::Combine($t,$env:HV_NAME)}\n"
	      "if([IO.Directory]::Exists($t)){throw 'a folder is there'}\n"
	      "[IO.File]::Open($t+'.'+$env:HV_SUFFIX,'CreateNew').Dispose()\n" SAY "$t" END;

static const char take_place_script[] =
	BEGIN "$f=$env:HV_FROM;$t=$env:HV_FILE\n"
	      "if($env:HV_SUM -and " HASH " -ne $env:HV_SUM){"
	      "throw 'what arrived is not what was sent (its checksum differs)'}\n"
	      "if([IO.File]::Exists($t)){\n"
	      "$a=[IO.File]::GetAttributes($t)\n"
	      "[IO.File]::SetAttributes($t,'Normal')\n"
	      "try{[IO.File]::Replace($f,$t,[NullString]::Value,$true)}"
	      "finally{[IO.File]::SetAttributes($t,$a)}\n"
	      "}else{[IO.File]::Move($f,$t)}" END;

static const char remove_script[] = BEGIN "[IO.File]::Delete($env:HV_FILE)" END;

static const char sum_script[] = BEGIN "$f=[IO.Path]::GetFullPath($env:HV_FILE)\n" SAY HASH END;

/* Of Windows, whose paths also take the others' slash. */
static bool is_separator(char c)
{
	return c == '/' || c == '\\';
}

const char *cp_windows_name_of(const char *path)
{
	bool has_drive = ((*path | 0x20) >= 'a' && (*path | 0x20) <= 'z') && path[1] == ':' &&
			 is_separator(path[2]);
	const char *name = path;

	if (!has_drive && !str_after(path, "\\\\"))
		return NULL;
	for (const char *p = path; *p; p++)
		if (is_separator(*p))
			name = p + 1;
	return name;
}

/* n variables "NAME=VALUE" and NULL; one of them is NULL where memory is out. */
static int begin_powershell(struct copy *c, const char *script, char *const *variables, size_t n,
			    json_int_t *ret_pid, struct error *err)
{
	static char program[] = "powershell";
	char *const argv[] = {program, (char *)script, NULL};
	const struct guest_command command = {.argv = argv, .env = variables};
	json_t *args;
	int rc;

	for (size_t i = 0; i < n; i++)
		if (!variables[i])
			return error_oom(err);
	rc = guest_windows_exec(&command, &args, err);
	if (rc < 0)
		return error_wrap(err, rc, "vm '%s'", c->agent.name);
	return cli_agent_begin_exec(&c->agent, args, ret_pid, err);
}

static int run_powershell(struct copy *c, const char *script, char *const *variables, size_t n,
			  char **ret_out, struct error *err)
{
	json_int_t pid;
	int rc = begin_powershell(c, script, variables, n, &pid, err);

	return rc < 0 ? rc : cp_finish_script(c, pid, ret_out, err);
}

int cp_windows_prepare(struct copy *c, const char *name, const char *suffix, char **ret_target,
		       struct error *err)
{
	cleanup_free char *file = str_printf("HV_FILE=%s", c->guest_path);
	cleanup_free char *named = str_printf("HV_NAME=%s", name);
	cleanup_free char *with = str_printf("HV_SUFFIX=%s", suffix);
	char *const variables[] = {file, named, with, NULL};
	json_int_t pid;
	int rc;

	/* Its agent's own folder is no place for it. */
	if (!cp_windows_name_of(c->guest_path))
		return error_set(err, EINVAL,
				 "vm '%s': '%s': a path of Windows begins with a drive, as in C:\\",
				 c->agent.name, c->guest_path);
	rc = begin_powershell(c, prepare_script, variables, 3, &pid, err);
	if (rc == -EREMOTEIO)
		return error_set(err, ENOTSUP,
				 "vm '%s': its agent cannot run PowerShell, which is to compare "
				 "the file and to move it into its place; --no-checksum writes it "
				 "there at once",
				 c->agent.name);
	return rc < 0 ? rc : cp_finish_script(c, pid, ret_target, err);
}

int cp_windows_take_place(struct copy *c, const char *temporary, const char *target,
			  const char *sum, struct error *err)
{
	cleanup_free char *from = str_printf("HV_FROM=%s", temporary);
	cleanup_free char *file = str_printf("HV_FILE=%s", target);
	cleanup_free char *wanted = str_printf("HV_SUM=%s", sum);
	char *const variables[] = {from, file, wanted, NULL};

	return run_powershell(c, take_place_script, variables, 3, NULL, err);
}

void cp_windows_remove(struct copy *c, const char *path)
{
	cleanup_free char *file = str_printf("HV_FILE=%s", path);
	char *const variables[] = {file, NULL};

	(void)run_powershell(c, remove_script, variables, 1, NULL, NULL);
}

int cp_windows_sum(struct copy *c, const char *path, char ret_sum[static SHA256_TEXT_BYTES],
		   struct error *err)
{
	cleanup_free char *file = str_printf("HV_FILE=%s", path), *out = NULL;
	char *const variables[] = {file, NULL};
	int rc = run_powershell(c, sum_script, variables, 1, &out, err);

	if (rc < 0)
		return rc;
	for (char *p = out; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	return str_format(ret_sum, SHA256_TEXT_BYTES, "%s", out)
		       ? 0
		       : error_set(err, EPROTO, "vm '%s': '%s': its PowerShell tells no checksum",
				   c->agent.name, path);
}
