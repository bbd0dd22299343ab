/* SPDX-License-Identifier: MIT */
#include "vmm/jail_status.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "jail/look.h"
#include "jail/support.h"
#include "vmm/json.h"
#include "vmm/keeper/adopt.h"

#include <inttypes.h>

/* A root of its own holds what the plan binds into it, which is far below this. */
enum { MOUNTS_MAX = 64 };

/* Whose jail, and which layers it is meant to have. */
struct role {
	const char *key; /* in the status, and in what is missing */
	bool namespaces; /* and a root of its own, and a control group */
};

static const struct role roles[] = {
	{"qemu", true},
	{"swtpm", true},
	{"supervisor", false},
};

json_t *jail_status_started(const struct spec_limits *l, const char *cgroup, unsigned landlock_abi)
{
	return json_pack("{s:i s:s? s:{s:i s:I s:I s:i}}", "landlock_abi", (int)landlock_abi,
			 "cgroup", cgroup, "limits", "cpus_milli", (int)l->cpus_milli, "memory_max",
			 (json_int_t)l->memory_max_bytes, "io", (json_int_t)l->io_bytes, "pids",
			 (int)l->pids);
}

static void miss(json_t *missing, const char *who, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

static void miss(json_t *missing, const char *who, const char *fmt, ...)
{
	cleanup_free char *text = NULL, *all = NULL;
	va_list ap;

	va_start(ap, fmt);
	text = str_vprintf(fmt, ap);
	va_end(ap);
	all = text ? str_printf("%s: %s", who, text) : NULL;
	if (all)
		(void)json_array_append_new(missing, json_string(all));
}

static json_t *user_of(const struct jail_facts *f, const char *who, json_t *missing)
{
	bool ok = f->n_groups == 0;

	for (size_t i = 0; i < 4; i++)
		ok = ok && f->uid[i] == f->uid[0] && f->uid[i] != 0 && f->gid[i] == f->gid[0] &&
		     f->gid[i] != 0;
	if (!ok)
		miss(missing, who, "user: it is root, or not one user and group alone");
	return json_pack("{s:I s:I s:i s:b}", "uid", (json_int_t)f->uid[1], "gid",
			 (json_int_t)f->gid[1], "groups", (int)f->n_groups, "ok", ok);
}

static json_t *set_of(uint64_t set)
{
	char text[20];

	(void)str_format(text, sizeof(text), "%016" PRIx64, set);
	return json_string(text);
}

static json_t *capabilities_of(const struct jail_facts *f, const char *who, json_t *missing)
{
	bool none = !(f->cap_inheritable | f->cap_permitted | f->cap_effective | f->cap_bounding |
		      f->cap_ambient);

	if (!none)
		miss(missing, who, "capabilities: not every set is empty");
	if (!f->no_new_privs)
		miss(missing, who, "no_new_privs: not set");
	return json_pack("{s:o s:o s:o s:o s:o s:b}", "inheritable", set_of(f->cap_inheritable),
			 "permitted", set_of(f->cap_permitted), "effective",
			 set_of(f->cap_effective), "bounding", set_of(f->cap_bounding), "ambient",
			 set_of(f->cap_ambient), "none", none);
}

static json_t *seccomp_of(const struct jail_facts *f, const char *who, json_t *missing)
{
	static const char *const modes[] = {"none", "strict", "filter"};
	const char *mode = f->seccomp_mode < ARRAY_SIZE(modes) ? modes[f->seccomp_mode] : "unknown";

	if (f->seccomp_mode == 0)
		miss(missing, who, "seccomp: no filter");
	return json_pack("{s:s s:o}", "mode", mode, "filters",
			 f->seccomp_filters < 0 ? json_null() : json_integer(f->seccomp_filters));
}

static json_t *namespaces_of(const struct jail_facts *f, const struct role *role, json_t *missing)
{
	json_t *all = json_object();

	for (int i = 0; i < JAIL_NS_COUNT; i++) {
		const char *name = jail_namespace_name(i);

		(void)json_object_set_new(all, name, json_boolean(f->own_namespace[i]));
		/* A user namespace is no part of the jail: root's work is done outside. */
		if (role->namespaces && i != JAIL_NS_USER && !f->own_namespace[i])
			miss(missing, role->key, "namespace %s: it is the host's", name);
	}
	return all;
}

static json_t *root_of(const struct jail_facts *f, const struct role *role, json_t *missing)
{
	if (role->namespaces && (!f->own_namespace[JAIL_NS_MOUNT] || f->mounts > MOUNTS_MAX))
		miss(missing, role->key, "root: it is the host's, with %u mounts", f->mounts);
	return json_pack("{s:i s:i}", "mounts", (int)f->mounts, "writable",
			 (int)f->writable_mounts);
}

static json_t *limit_of(uint64_t value)
{
	return value == JAIL_UNLIMITED ? json_null() : json_integer((json_int_t)value);
}

static json_t *rlimits_of(const struct jail_facts *f, const char *who, json_t *missing)
{
	if (f->core_max)
		miss(missing, who, "limits: it may write core dumps");
	return json_pack("{s:o s:o}", "core", limit_of(f->core_max), "files",
			 limit_of(f->files_max));
}

/* Whether a limit that was asked for is in force. "max" is how the kernel says that
 * there is none; io.max then is empty. */
static void check_limit(json_t *limits, const char *key, const char *name, const char *value,
			json_t *missing)
{
	bool wanted = json_integer_value(json_object_get(limits, key)) > 0;

	if (wanted && (!value || !*value || strncmp(value, "max", 3) == 0))
		miss(missing, "cgroup", "%s is not in force", name);
}

static json_t *group_of(const struct jail_facts *f)
{
	return json_pack("{s:o s:s? s:{s:s? s:s? s:s? s:s?}}", "version",
			 f->cgroup_version ? json_integer(f->cgroup_version) : json_null(), "path",
			 f->cgroup_path, "limits", "cpu_max", f->cgroup_cpu_max, "memory_max",
			 f->cgroup_memory_max, "pids_max", f->cgroup_pids_max, "io_max",
			 f->cgroup_io_max);
}

/* Why there is no group of its own, or no limit; told once, by QEMU's. */
static void check_group(const struct jail_facts *f, json_t *started, json_t *missing)
{
	json_t *limits = json_object_get(started, "limits");
	struct jail_support support;

	jail_support_probe(&support);
	if (!support.v[JAIL_SUPPORT_CGROUP].there || !support.v[JAIL_SUPPORT_LIMITS].there) {
		miss(missing, "cgroup", "%s",
		     support.v[support.v[JAIL_SUPPORT_CGROUP].there ? JAIL_SUPPORT_LIMITS
								    : JAIL_SUPPORT_CGROUP]
			     .detail);
		return;
	}
	check_limit(limits, "cpus_milli", "cpus", f->cgroup_cpu_max, missing);
	check_limit(limits, "memory_max", "memory_max", f->cgroup_memory_max, missing);
	check_limit(limits, "pids", "pids", f->cgroup_pids_max, missing);
	check_limit(limits, "io", "io", f->cgroup_io_max, missing);
}

/* One process. Landlock leaves no trace in /proc: what is known of it is what the
 * kernel had when the jail was made. */
static json_t *describe(const struct jail_facts *f, const struct role *role, json_t *started,
			json_t *missing)
{
	json_t *abi = json_object_get(started, "landlock_abi");
	json_t *o =
		json_pack("{s:o s:o s:b s:o s:n s:n s:o s:o s:O? s:n}", "user",
			  user_of(f, role->key, missing), "capabilities",
			  capabilities_of(f, role->key, missing), "no_new_privs", f->no_new_privs,
			  "seccomp", seccomp_of(f, role->key, missing), "namespaces", "root",
			  "limits", rlimits_of(f, role->key, missing), "cgroup", group_of(f),
			  "landlock_abi_at_start", role->namespaces ? abi : NULL, "reason");

	if (role->namespaces && json_integer_value(abi) == 0)
		miss(missing, role->key, "landlock: not there when it started");
	if (f->deep) {
		(void)json_object_set_new(o, "namespaces", namespaces_of(f, role, missing));
		(void)json_object_set_new(o, "root", root_of(f, role, missing));
	} else {
		miss(missing, role->key, "namespaces and root: only root can tell");
		(void)json_object_set_new(o, "reason",
					  json_string("namespaces and root are for root to know"));
	}
	return o;
}

static json_t *look(json_t *status, const struct role *role, json_t *started, json_t *missing)
{
	struct child process = CHILD_INIT;
	struct jail_facts facts;
	json_t *found = NULL;

	/* By pid and start time, so that it is the process that is meant. */
	if (adopt_find(json_object_get(status, role->key), &process) < 0)
		return json_null();
	if (jail_look(process.pid, &facts, NULL) == 0) {
		found = describe(&facts, role, started, missing);
		if (str_eq(role->key, "qemu"))
			check_group(&facts, started, missing);
		jail_facts_free(&facts);
	}
	close_fd(&process.pidfd);
	return found ? found : json_null();
}

void jail_status_add(json_t *status)
{
	json_t *started = json_object_get(status, "jail_at_start");
	json_t *jail, *missing;

	if (!json_is_integer(json_object_get(status, "pid"))) {
		(void)json_object_set_new(status, "jail", json_null());
		return;
	}
	jail = json_object();
	missing = json_array();
	for (size_t i = 0; i < ARRAY_SIZE(roles); i++)
		(void)json_object_set_new(jail, roles[i].key,
					  look(status, &roles[i], started, missing));
	(void)json_object_set_new(jail, "missing", missing);
	(void)json_object_set_new(status, "jail", jail);
}
