/* SPDX-License-Identifier: MIT */
#include "jail/program.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Packages that bring their libraries along, by absolute paths. */
static const char *const stores[] = {"/nix/store", "/gnu/store"};

void jail_binds_free(struct jail_binds *b)
{
	strv_free(&b->paths);
	b->n = 0;
}

void jail_binds_add(struct jail_binds *b, const struct jail_bind *bind)
{
	if (b->n == JAIL_BINDS_MAX)
		b->failed = true;
	else
		b->v[b->n++] = *bind;
}

/* A copy that lives as long as the rows; NULL where it could not be made. */
static const char *keep(struct jail_binds *b, const char *path)
{
	strv_add(&b->paths, path);
	if (b->paths.failed)
		b->failed = true;
	return b->failed ? NULL : b->paths.v[b->paths.n - 1];
}

/* Whether a row shows it, or a folder that it lies in. */
static bool is_seen(const struct jail_binds *b, const char *path)
{
	for (size_t i = 0; i < b->n; i++) {
		const char *target = b->v[i].target ? b->v[i].target : b->v[i].source;
		const char *rest = b->v[i].link ? NULL : str_after(path, target);

		if (str_eq(path, target) || (rest && *rest == '/'))
			return true;
	}
	return false;
}

/* A folder as it is: a link stays one, so that paths through it lead where they do on
 * the host. One that is not there is passed over. */
static void add_folder(struct jail_binds *b, const char *path, bool executable)
{
	char target[PATH_MAX];
	struct stat st;
	ssize_t n;

	if (lstat(path, &st) < 0 || is_seen(b, path))
		return;
	path = keep(b, path);
	if (!path)
		return;
	if (S_ISDIR(st.st_mode)) {
		jail_binds_add(b, &(struct jail_bind){.source = path, .executable = executable});
		return;
	}
	n = readlink(path, target, sizeof(target) - 1);
	if (n <= 0)
		return;
	target[n] = '\0';
	jail_binds_add(b, &(struct jail_bind){.target = path, .link = keep(b, target)});
}

static void add_below(struct jail_binds *b, const char *prefix, const char *name, bool executable)
{
	cleanup_free char *path = str_printf("%s/%s", prefix, name);

	if (path)
		add_folder(b, path, executable);
	else
		b->failed = true;
}

/* The loader that the program's file asks for, which is executed with it. A file of
 * another kind has none. */
static void add_loader(struct jail_binds *b, const char *real)
{
	cleanup_close int fd = open(real, O_RDONLY | O_CLOEXEC);
	char loader[256] = "";
	Elf64_Ehdr header;
	const char *path;

	if (fd < 0 || pread(fd, &header, sizeof(header), 0) != sizeof(header) ||
	    memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_ident[EI_CLASS] != ELFCLASS64)
		return;
	for (unsigned i = 0; i < header.e_phnum && !*loader; i++) {
		off_t at = (off_t)(header.e_phoff + (Elf64_Off)i * header.e_phentsize);
		Elf64_Phdr segment;

		if (pread(fd, &segment, sizeof(segment), at) != sizeof(segment))
			return;
		if (segment.p_type == PT_INTERP && segment.p_filesz < sizeof(loader) &&
		    pread(fd, loader, segment.p_filesz, (off_t)segment.p_offset) !=
			    (ssize_t)segment.p_filesz)
			return;
	}
	if (*loader != '/')
		return;
	path = keep(b, loader);
	if (path)
		jail_binds_add(b, &(struct jail_bind){
					  .target = path,
					  .executable = true,
					  .runs = true,
					  .within = true,
				  });
}

/* "/opt/q" of "/opt/q/bin/x", "" of "/bin/x"; changes path. */
static const char *prefix_of(char *path)
{
	for (int i = 0; i < 2; i++) {
		char *slash = strrchr(path, '/');

		if (slash)
			*slash = '\0';
	}
	return path;
}

static bool in_store(struct jail_binds *b, const char *real)
{
	for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
		const char *rest = str_after(real, stores[i]);

		if (!rest || *rest != '/')
			continue;
		if (!is_seen(b, stores[i]))
			jail_binds_add(b, &(struct jail_bind){
						  .source = stores[i],
						  .executable = true,
						  .runs = true,
					  });
		return true;
	}
	return false;
}

int jail_binds_add_program(struct jail_binds *b, const char *program, const char *const *data,
			   struct error *err)
{
	static const char *const libraries[] = {"/lib", "/lib64", "/usr/lib", "/usr/lib64"};
	cleanup_free char *real = realpath(program, NULL);
	const char *kept, *prefix;

	if (!real)
		return error_errno(err, errno, "'%s'", program);
	kept = keep(b, real);
	if (!in_store(b, real)) {
		for (size_t i = 0; i < ARRAY_SIZE(libraries); i++)
			add_folder(b, libraries[i], true);
		jail_binds_add(b, &(struct jail_bind){
					  .source = "/etc/ld.so.cache",
					  .optional = true,
				  });
		add_loader(b, real);
	}
	jail_binds_add(b, &(struct jail_bind){
				  .source = kept,
				  .target = program,
				  .executable = true,
				  .runs = true,
				  .within = is_seen(b, program),
			  });
	prefix = prefix_of(real);
	if (*prefix && !str_eq(prefix, "/usr")) {
		add_below(b, prefix, "lib", true);
		add_below(b, prefix, "lib64", true);
	}
	for (size_t i = 0; data && data[i]; i++)
		add_below(b, *prefix ? prefix : "/usr", data[i], false);
	return b->failed ? error_set(err, E2BIG, "'%s' needs too many folders", program) : 0;
}
