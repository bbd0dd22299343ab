/* SPDX-License-Identifier: MIT */
#include "vmm/units/generator.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/str.h"
#include "vmm/units/unit_files.h"

#include <errno.h>
#include <fcntl.h>

static int write_drop_in(int folder_fd, const struct spec_vm *vm, struct error *err)
{
	cleanup_free char *name = str_printf("hv@%s.service.d", vm->name);
	cleanup_strbuf struct strbuf text = {0};
	cleanup_close int dirfd = -1;
	int rc;

	unit_files_vm(vm, &text);
	if (!name || text.failed)
		return error_oom(err);
	rc = file_open_dir(folder_fd, name, 0755, &dirfd, err);
	if (rc < 0)
		return rc;
	return file_write_volatile(dirfd, UNIT_DROP_IN, text.data, text.len, 0644, err);
}

static int write_want(int folder_fd, const struct spec_vm *vm, struct error *err)
{
	cleanup_free char *name = str_printf("hv@%s.service", vm->name);
	cleanup_close int dirfd = -1;
	int rc;

	if (!name)
		return error_oom(err);
	rc = file_open_dir(folder_fd, "hv.target.wants", 0755, &dirfd, err);
	if (rc < 0)
		return rc;
	if (symlinkat(HV_UNIT_DIR "/hv@.service", dirfd, name) < 0 && errno != EEXIST)
		return error_errno(err, errno, "link '%s'", name);
	return 0;
}

int generator_write(const struct lab *lab, const char *folder,
		    void (*tell)(const struct error *err), struct error *err)
{
	cleanup_close int folder_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int failed = 0;

	if (folder_fd < 0)
		return error_errno(err, errno, "open folder '%s'", folder);
	for (size_t i = 0; i < lab->n_vms; i++) {
		const struct spec_vm *vm = &lab->vms[i];
		struct error one = ERROR_INIT;
		int rc;

		/* The name becomes a path; that it is a name was checked long ago. */
		rc = str_is_name(vm->name) ? write_drop_in(folder_fd, vm, &one)
					   : error_set(&one, EINVAL, "not a name");
		if (rc == 0 && vm->autostart)
			rc = write_want(folder_fd, vm, &one);
		if (rc < 0) {
			(void)error_wrap(&one, rc, "vm '%s'", vm->name);
			tell(&one);
			failed = failed ? failed : rc;
		}
	}
	return failed ? error_set(err, -failed, "not all units could be written") : 0;
}
