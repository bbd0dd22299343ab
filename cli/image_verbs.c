/* SPDX-License-Identifier: MIT */
/* The verbs of images: ls, fetch, rm. */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/image.h"
#include "vmm/volumes/images.h"

#include <errno.h>

enum { OPT_JSON };

static const struct cli_option options[] = {
	[OPT_JSON] = {"json", 'j', NULL, "as a JSON array", false},
	{0},
};

static void print(json_t *list)
{
	static const char *const heads[] = {"NAME", "STATE", "SIZE", "FORMAT", "SOURCE"};
	struct cli_table t;
	json_t *image;
	size_t i;

	cli_table_init(&t, ARRAY_SIZE(heads));
	for (i = 0; i < ARRAY_SIZE(heads); i++)
		cli_table_add(&t, "%s", heads[i]);
	json_array_foreach (list, i, image) {
		const char *name = json_get_string(image, "name");
		char size[32];

		str_format_size(size, sizeof(size),
				(uint64_t)json_integer_value(json_object_get(image, "bytes")));
		cli_table_add(&t, "%s", name ? name : cli_text(image, "sha256"));
		cli_table_add(&t, "%s", name ? cli_text(image, "state") : "unused");
		cli_table_add(&t, "%s", size);
		cli_table_add(&t, "%s", cli_text(image, "format"));
		cli_table_add(&t, "%s", cli_text(image, "source"));
	}
	cli_table_print(&t, stdout);
}

static int run_ls(struct cli *cli)
{
	cleanup_json json_t *list = NULL;
	int rc = images_list(&cli->paths, cli->lab, &list, &cli->err);

	return rc < 0 ? rc : cli_show(cli, list, cli->values[OPT_JSON] != NULL, print);
}

const struct verb verb_image_ls = {
	.name = "image ls",
	.args = "",
	.summary = "list the images that volumes are made of",
	.options = options,
	.lab = CLI_LAB_NEEDED,
	.run = run_ls,
};

/* Whether the next one is to be fetched. */
static bool fetch(struct cli *cli, const struct spec_image *image)
{
	int rc = cli_fetch_image(cli, image);

	if (rc == 0) {
		(void)printf("%s is in the cache\n", image->name);
		return true;
	}
	cli_tell(&cli->err);
	cli->exit_code = CLI_FAILED;
	return rc != -ECANCELED;
}

static int run_fetch(struct cli *cli)
{
	const struct spec_image *image;

	for (size_t i = 0; i < cli->n_names; i++) {
		int rc = cli_find_image(cli, cli->names[i], &image);

		if (rc < 0)
			return rc;
	}
	for (size_t i = 0; i < cli->n_names; i++)
		if (cli_find_image(cli, cli->names[i], &image) == 0 && !fetch(cli, image))
			return 0;
	for (size_t i = 0; !cli->n_names && i < cli->lab->n_images; i++)
		if (!fetch(cli, &cli->lab->images[i]))
			return 0;
	return 0;
}

const struct verb verb_image_fetch = {
	.name = "image fetch",
	.args = "[IMAGE…]",
	.summary = "bring images into the cache, all where none is named",
	.text = "What an earlier try brought is not fetched again. An image that is not what its "
		"checksum says\nis thrown away. A twentieth of the disk, at most 1 GiB, stays "
		"free. hv up does the same for a\nmachine whose volumes have yet to be made.",
	.max_names = SIZE_MAX,
	.lab = CLI_LAB_NEEDED,
	.run = run_fetch,
};

/* By name, or by checksum where it is in no configuration any more. */
static int find(struct cli *cli, const char *name, struct spec_image *stray,
		const struct spec_image **ret_image)
{
	if (strlen(name) == sizeof(stray->sha256) - 1 &&
	    strspn(name, "0123456789abcdef") == strlen(name)) {
		*stray = (struct spec_image){.name = (char *)name};
		(void)str_format(stray->sha256, sizeof(stray->sha256), "%s", name);
		*ret_image = stray;
		return 0;
	}
	return cli_find_image(cli, name, ret_image);
}

static int run_rm(struct cli *cli)
{
	for (size_t i = 0; i < cli->n_names; i++) {
		const struct spec_image *image;
		struct spec_image stray;
		int rc = find(cli, cli->names[i], &stray, &image);

		if (rc == 0)
			rc = image_remove(&cli->paths, cli->lab, image, &cli->err);
		if (rc < 0)
			return rc;
		(void)printf("%s is not in the cache any more\n", cli->names[i]);
	}
	return 0;
}

const struct verb verb_image_rm = {
	.name = "image rm",
	.args = "IMAGE…",
	.summary = "remove images from the cache that no volume lies on",
	.min_names = 1,
	.max_names = SIZE_MAX,
	.lab = CLI_LAB_NEEDED,
	.run = run_rm,
};
