/* SPDX-License-Identifier: MIT */
/* Bringing images into the cache, with a line on a terminal that says how far it is. */
#ifndef HV_CLI_IMAGE_H
#define HV_CLI_IMAGE_H

#include "cli/common.h"

int cli_fetch_image(struct cli *cli, const struct spec_image *image);

/* Those of disks of these machines that have yet to be made of one. */
int cli_fetch_images_of(struct cli *cli, const struct spec_vm *vm);

int cli_find_image(struct cli *cli, const char *name, const struct spec_image **ret_image);

#endif
