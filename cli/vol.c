/* SPDX-License-Identifier: MIT */
#include "cli/vol.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "vmm/volumes/volume_users.h"
#include "vmm/volumes/volumes.h"

#include <errno.h>
#include <inttypes.h>

enum { SIZE_MIN = 1 << 20 };

static const uint64_t size_max = 64ULL << 40;

void cli_vol_size(json_t *volume, const char *key, char ret_text[static 32])
{
	json_t *bytes = json_object_get(volume, key);

	if (json_is_integer(bytes))
		str_format_size(ret_text, 32, (uint64_t)json_integer_value(bytes));
	else
		(void)str_format(ret_text, 32, "-");
}

void cli_vol_names(json_t *names, struct strbuf *into)
{
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name)
		strbuf_addf(into, "%s%s", into->len ? " " : "", json_string_value(name));
}

int cli_vol_no_pool(struct cli *cli, const char *name)
{
	cleanup_strbuf struct strbuf known = {0};

	for (size_t i = 0; i < cli->lab->n_pools; i++)
		strbuf_addf(&known, "%s%s", i ? ", " : "", cli->lab->pools[i].name);
	return error_set(&cli->err, ENOENT, "there is no pool '%s'; there %s: %s", name,
			 cli->lab->n_pools == 1 ? "is" : "are", known.data ? known.data : "none");
}

int cli_vol_parse_size(struct cli *cli, const char *text, uint64_t *ret_bytes)
{
	uint64_t bytes;

	if (!str_parse_size(text, &bytes) || bytes < SIZE_MIN || bytes > size_max)
		return error_set(&cli->err, EINVAL, "'%s' is not a size from 1M to 64T, as in 60G",
				 text);
	*ret_bytes = bytes;
	return 0;
}

void cli_vol_note_size(struct cli *cli, const struct volume *volume, uint64_t bytes)
{
	for (size_t i = 0; i < cli->lab->n_vms; i++) {
		const struct spec_vm *vm = &cli->lab->vms[i];

		for (size_t j = 0; j < vm->n_disks; j++) {
			const struct spec_disk *disk = &vm->disks[j];

			if (disk->size_bytes && disk->size_bytes < bytes &&
			    volume_is_same(disk->path, volume->path))
				(void)fprintf(stderr,
					      "hv: note: vm '%s' says size: for it (%s:%u), which "
					      "is less now: set it to %" PRIu64 "\n",
					      vm->name, disk->where.file, disk->where.line, bytes);
		}
	}
}
