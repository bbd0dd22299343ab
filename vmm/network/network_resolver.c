/* SPDX-License-Identifier: MIT */
#include "vmm/network/network_resolver.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "vmm/names.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#define RESOLV_CONF "/etc/resolv.conf"

enum { RESOLV_CONF_MAX_BYTES = 64 * 1024 };

struct network_resolver {
	int state_dirfd;
	/* Of the folder it lies in, and of the one that it is a link to. */
	sd_event_source *sources[2];
};

int network_resolver_copy(int state_dirfd, struct error *err)
{
	cleanup_free char *text = NULL;
	cleanup_close int dirfd = -1;
	struct error read_err = ERROR_INIT;
	size_t len = 0;
	int rc;

	rc = file_open_dir(state_dirfd, NAME_RESOLVER, 0755, &dirfd, err);
	if (rc < 0)
		return rc;
	if (file_read(AT_FDCWD, RESOLV_CONF, RESOLV_CONF_MAX_BYTES, &text, &len, &read_err) < 0)
		log_debug("%s", read_err.text);
	return file_write_volatile(dirfd, NETWORK_RESOLVER_FILE, text ? text : "", len, 0644, err);
}

static int on_change(sd_event_source *source, const struct inotify_event *event, void *userdata)
{
	const struct network_resolver *r = userdata;
	struct error err = ERROR_INIT;

	(void)source;
	(void)event;
	if (network_resolver_copy(r->state_dirfd, &err) < 0)
		log_warning("names for guests: %s", err.text);
	return 0;
}

static void watch_folder_of(sd_event *event, char *path, struct network_resolver *r,
			    sd_event_source **ret_source)
{
	char *slash = strrchr(path, '/');
	int rc;

	if (!slash)
		return;
	*slash = '\0';
	rc = sd_event_add_inotify(event, ret_source, *path ? path : "/",
				  IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_ONLYDIR,
				  on_change, r);
	/* What guests are told then stays as it is now. */
	if (rc < 0)
		log_warning("watch '%s': %s", path, strerror(-rc));
}

int network_resolver_watch(sd_event *event, int state_dirfd, struct network_resolver **ret_resolver,
			   struct error *err)
{
	cleanup_free char *real = realpath(RESOLV_CONF, NULL);
	struct network_resolver *r = calloc(1, sizeof(*r));
	char plain[] = RESOLV_CONF;

	if (!r)
		return error_oom(err);
	r->state_dirfd = state_dirfd;
	if (real && strcmp(real, RESOLV_CONF) != 0)
		watch_folder_of(event, real, r, &r->sources[1]);
	watch_folder_of(event, plain, r, &r->sources[0]);
	*ret_resolver = r;
	return 0;
}

void network_resolver_free(struct network_resolver *r)
{
	if (!r)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(r->sources); i++)
		sd_event_source_disable_unref(r->sources[i]);
	free(r);
}
