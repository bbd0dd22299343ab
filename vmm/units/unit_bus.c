/* SPDX-License-Identifier: MIT */
#include "vmm/units/unit_bus.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>

#define DESTINATION "org.freedesktop.systemd1"
#define MANAGER_PATH "/org/freedesktop/systemd1"
#define MANAGER "org.freedesktop.systemd1.Manager"

static void unref_message(sd_bus_message **m)
{
	sd_bus_message_unref(*m);
}
#define cleanup_message __attribute__((cleanup(unref_message)))

static void free_bus_error(sd_bus_error *e)
{
	sd_bus_error_free(e);
}
#define cleanup_bus_error __attribute__((cleanup(free_bus_error)))

/* systemd's own socket is there before any bus is, and where none ever is. */
static int open_private(sd_bus **ret_bus)
{
	sd_bus *bus = NULL;
	int rc = sd_bus_new(&bus);

	if (rc >= 0)
		rc = sd_bus_set_address(bus, "unix:path=/run/systemd/private");
	if (rc >= 0)
		rc = sd_bus_start(bus);
	if (rc < 0) {
		sd_bus_unref(bus);
		return rc;
	}
	*ret_bus = bus;
	return 0;
}

static int call(struct unit_bus *b, const char *method, sd_bus_message **ret_reply,
		struct error *err, const char *types, ...)
{
	cleanup_bus_error sd_bus_error failure = SD_BUS_ERROR_NULL;
	cleanup_message sd_bus_message *m = NULL;
	va_list ap;
	int rc = sd_bus_message_new_method_call(b->bus, &m, DESTINATION, MANAGER_PATH, MANAGER,
						method);

	va_start(ap, types);
	if (rc >= 0)
		rc = sd_bus_message_appendv(m, types, ap);
	va_end(ap);
	if (rc >= 0)
		rc = sd_bus_call(b->bus, m, 0, &failure, ret_reply);
	if (rc < 0 && failure.message)
		return error_set(err, -rc, "%s: systemd: %s", b->unit, failure.message);
	return rc < 0 ? error_errno(err, -rc, "%s: systemd: %s", b->unit, method) : 0;
}

int unit_bus_open(enum paths_kind kind, const char *name, struct unit_bus *ret_bus,
		  struct error *err)
{
	struct unit_bus b = {
		.unit = str_printf("hv%s@%s.service", kind == PATHS_VM ? "" : "-net", name),
	};
	int rc = b.unit ? sd_bus_path_encode(MANAGER_PATH "/unit", b.unit, &b.path) : -ENOMEM;

	if (rc >= 0 && open_private(&b.bus) < 0)
		rc = sd_bus_open_system(&b.bus);
	if (rc < 0) {
		unit_bus_close(&b);
		return error_errno(err, -rc, "talk to systemd");
	}
	/* A bus passes signals on to those that asked; systemd's own socket to all. */
	(void)call(&b, "Subscribe", NULL, NULL, "");
	*ret_bus = b;
	return 0;
}

void unit_bus_close(struct unit_bus *b)
{
	sd_bus_flush_close_unref(b->bus);
	free(b->unit);
	free(b->path);
	*b = (struct unit_bus){0};
}

int unit_bus_queue(struct unit_bus *b, const char *method, char **ret_job, struct error *err)
{
	cleanup_message sd_bus_message *reply = NULL;
	const char *path;
	int rc = call(b, method, &reply, err, "ss", b->unit, "replace");

	if (rc < 0)
		return rc;
	rc = sd_bus_message_read(reply, "o", &path);
	if (rc < 0)
		return error_errno(err, -rc, "%s: systemd: %s", b->unit, method);
	*ret_job = strdup(path);
	return *ret_job ? 0 : error_oom(err);
}

int unit_bus_reload(struct unit_bus *b, struct error *err)
{
	return call(b, "Reload", NULL, err, "");
}

void unit_bus_reset(struct unit_bus *b)
{
	(void)call(b, "ResetFailedUnit", NULL, NULL, "s", b->unit);
}

static char *get_text(struct unit_bus *b, const char *property)
{
	char *text = NULL;

	if (sd_bus_get_property_string(b->bus, DESTINATION, b->path, DESTINATION ".Service",
				       property, NULL, &text) < 0)
		return NULL;
	return text;
}

int unit_bus_failure(struct unit_bus *b, const char *job_result, struct error *err)
{
	cleanup_free char *text = get_text(b, "StatusText"), *result = get_text(b, "Result");
	int code = 0;

	(void)sd_bus_get_property_trivial(b->bus, DESTINATION, b->path, DESTINATION ".Service",
					  "StatusErrno", NULL, 'i', &code);
	if (str_eq(job_result, "dependency"))
		return error_set(err, ENETDOWN,
				 "%s: what it requires did not start (systemctl list-dependencies "
				 "%s)",
				 b->unit, b->unit);
	if (code > 0 && text && *text)
		return error_set(err, code, "%s", text);
	return error_set(err, EPIPE, "%s: systemd: job %s, result %s (journalctl -u %s)", b->unit,
			 job_result, result && *result ? result : "unknown", b->unit);
}

char *unit_bus_job_type(struct unit_bus *b)
{
	cleanup_message sd_bus_message *reply = NULL;
	char *type = NULL;
	const char *job;
	uint32_t id;

	if (sd_bus_get_property(b->bus, DESTINATION, b->path, DESTINATION ".Unit", "Job", NULL,
				&reply, "(uo)") < 0 ||
	    sd_bus_message_read(reply, "(uo)", &id, &job) < 0 || !id)
		return NULL;
	if (sd_bus_get_property_string(b->bus, DESTINATION, job, DESTINATION ".Job", "JobType",
				       NULL, &type) < 0)
		return NULL;
	return type;
}
