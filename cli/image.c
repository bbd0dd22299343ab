/* SPDX-License-Identifier: MIT */
#include "cli/image.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/str.h"
#include "cli/interrupt.h"
#include "vmm/volumes/images.h"

#include <errno.h>
#include <stdio.h>

enum { SHOWN_EVERY_MS = 200 };

struct line {
	const char *name;
	uint64_t due_usec;
	bool terminal, shown;
};

static void show(void *arg, const char *what, uint64_t done, uint64_t total)
{
	struct line *line = arg;
	uint64_t now = clock_now_usec();
	char have[32], all[32];

	if (!line->terminal || now < line->due_usec)
		return;
	line->due_usec = now + SHOWN_EVERY_MS * 1000;
	line->shown = true;
	str_format_size(have, sizeof(have), done);
	str_format_size(all, sizeof(all), total);
	(void)fprintf(stderr, "\r%s %s: %s%s%s\033[K", what, line->name, have, total ? " of " : "",
		      total ? all : "");
}

int cli_fetch_image(struct cli *cli, const struct spec_image *image)
{
	struct line line = {.name = image->name, .terminal = isatty(STDERR_FILENO)};
	const struct image_watch watch = {show, cli_interrupted(), &line};
	int rc;

	line.due_usec = clock_now_usec() + SHOWN_EVERY_MS * 1000;
	rc = image_fetch(&cli->paths, image, &watch, &cli->err);
	cli_interrupt_end();
	if (line.shown)
		(void)fputs("\r\033[K", stderr);
	return rc;
}

int cli_fetch_images_of(struct cli *cli, const struct spec_vm *vm)
{
	for (size_t i = 0; i < vm->n_disks; i++) {
		const struct spec_disk *disk = &vm->disks[i];
		int rc;

		if (!disk->image || access(disk->path, F_OK) == 0 ||
		    image_is_cached(&cli->paths, disk->image))
			continue;
		rc = cli_fetch_image(cli, disk->image);
		if (rc < 0)
			return error_wrap(&cli->err, rc, "vm '%s': disk '%s'", vm->name,
					  disk->name);
	}
	return 0;
}

int cli_find_image(struct cli *cli, const char *name, const struct spec_image **ret_image)
{
	cleanup_strbuf struct strbuf known = {0};

	for (size_t i = 0; i < cli->lab->n_images; i++) {
		*ret_image = &cli->lab->images[i];
		if (str_eq((*ret_image)->name, name))
			return 0;
		strbuf_addf(&known, "%s%s", i ? ", " : "", (*ret_image)->name);
	}
	return error_set(&cli->err, ENOENT, "there is no image '%s'; there %s: %s", name,
			 cli->lab->n_images == 1 ? "is" : "are", known.data ? known.data : "none");
}
