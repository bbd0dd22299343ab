/* SPDX-License-Identifier: MIT */
/* What the verbs of volumes share. */
#ifndef HV_CLI_VOL_H
#define HV_CLI_VOL_H

#include "cli/common.h"

struct volume;

/* A number of bytes for people; "-" where it is null. */
void cli_vol_size(json_t *volume, const char *key, char ret_text[static 32]);

/* The strings of an array, with blanks between. */
void cli_vol_names(json_t *names, struct strbuf *into);

/* -ENOENT, and which pools there are. */
int cli_vol_no_pool(struct cli *cli, const char *name);

/* A size as it is written in the configuration; -EINVAL says so. */
int cli_vol_parse_size(struct cli *cli, const char *text, uint64_t *ret_bytes);

/* What the configuration says of a volume's size, where that is less by now: a note. */
void cli_vol_note_size(struct cli *cli, const struct volume *volume, uint64_t bytes);

#endif
