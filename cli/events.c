/* SPDX-License-Identifier: MIT */
/*
 * Theory of operation
 *
 * A watch lies on the run folder of the machines, which goes with the last of them and comes
 * with the next one, and a watch on each machine's own. Whatever changes there, a machine that we
 * are not connected to is tried: that may be before its socket listens, and then the next change
 * comes. A connection that ends is tried once more at once, for its supervisor may have been
 * replaced.
 *
 * That a machine has come or gone its supervisor tells as an event. One that came before we
 * were connected, or whose supervisor was killed with it, is found out by what hv-status says
 * on each connection, and told in the same words. A machine's folder goes before its supervisor
 * tells the end: it is let go with the connection.
 */
#include "base/cleanup.h"
#include "base/str.h"
#include "cli/common.h"
#include "qmp/client.h"
#include "qmp/pretty.h"
#include "qmp/text.h"
#include "vmm/json.h"
#include "vmm/life_events.h"
#include "vmm/names.h"
#include "vmm/rundir.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#define VM_FOLDER "vm"

enum { OPTION_JSON };
enum { CHANGES = IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_CLOSE_WRITE };

struct source {
	struct watch *watch;
	struct source *next;
	char name[64];
	sd_event_source *changes;
	struct qmp_client *client;
	bool ready; /* it has spoken to us */
	bool is_new; /* it came while we looked on: its start is told */
	bool has_gone; /* its folder has */
	bool is_up;
	json_int_t pid; /* of the QEMU that is up; 0: not known */
};

struct watch {
	struct cli *cli;
	sd_event *event;
	struct strbuf folder;
	struct source *sources;
	sd_event_source *run_changes, *changes; /* of the folder of all, and of the machines' */
	bool as_json;
};

static void try_source(struct source *s);

static void add_time(struct strbuf *into, json_t *message)
{
	json_t *stamp = json_object_get(message, "timestamp");
	time_t seconds = (time_t)json_integer_value(json_object_get(stamp, "seconds"));
	json_int_t micros = json_integer_value(json_object_get(stamp, "microseconds"));
	struct tm broken;
	char text[32];

	if (!localtime_r(&seconds, &broken) || !strftime(text, sizeof(text), "%F %T", &broken))
		return;
	strbuf_addf(into, "%s.%03d ", text, micros < 0 ? 0 : (int)(micros / 1000 % 1000));
}

static void print(const struct source *s, const char *name, json_t *message, const char *text,
		  size_t len)
{
	cleanup_strbuf struct strbuf line = {0};

	if (s->watch->as_json) {
		/* The message as it came, and whose it is. */
		text = memchr(text, '{', len);
		strbuf_addf(&line, "{\"vm\": \"%s\", %s", s->name, text ? text + 1 : "}");
		line.len = text ? strlen("{\"vm\": \"\", ") + strlen(s->name) + len - 1 : line.len;
	} else {
		struct qmp_span data = qmp_text_member(text, len, "data");

		add_time(&line, message);
		strbuf_addf(&line, "%s ", s->name);
		strbuf_add_printable(&line, name, strlen(name), false);
		if (data.at) {
			strbuf_addf(&line, " ");
			qmp_pretty_line(&line, data.at, data.len, false);
		}
	}
	if (fwrite(line.data, 1, line.len, stdout) != line.len || putchar('\n') == EOF ||
	    fflush(stdout) != 0)
		(void)sd_event_exit(s->watch->event, 0);
}

static void on_event(const char *name, json_t *message, void *arg)
{
	struct source *s = arg;
	size_t len;
	const char *text = qmp_client_text(s->client, &len);

	if (str_eq(name, LIFE_STARTED))
		s->is_up = true;
	else if (str_eq(name, LIFE_ENDED))
		s->is_up = false;
	print(s, name, message, text, len);
}

/* What its supervisor did not tell us, or nobody. The message is stolen. */
static void tell(const struct source *s, json_t *message)
{
	cleanup_free char *text = json_dumps(message, 0);

	if (text)
		print(s, json_get_string(message, "event"), message, text, strlen(text));
	json_decref(message);
}

/* Its end, which nobody told us. reason: NULL where that is not known, either. */
static void tell_lost(struct source *s, const char *reason)
{
	s->is_up = false;
	tell(s, life_event_ended(reason ? "crashed" : "unknown", reason, false));
}

static void on_status(json_t *status, const char *class, const struct error *err, void *arg)
{
	struct source *s = arg;
	const char *state = json_get_string(status, "state");
	json_int_t pid = json_integer_value(json_object_get(status, "pid"));
	bool is_up;

	(void)class;
	if (err || !state)
		return;
	is_up = str_eq(state, "running") || str_eq(state, "paused") || str_eq(state, "stopping");
	if (s->is_up && s->pid && (!is_up || pid != s->pid))
		tell_lost(s, json_get_string(status, "error"));
	if (is_up && !s->is_up && s->is_new)
		tell(s, life_event_started());
	s->is_up = is_up;
	s->is_new = true;
	s->pid = pid;
}

static void on_ready(json_t *greeting, void *arg)
{
	struct source *s = arg;

	(void)greeting;
	s->ready = true;
	(void)qmp_client_call(s->client, "hv-status", NULL, NULL, 0, CLI_COMMAND_MS, on_status, s,
			      NULL);
}

static void source_free(struct source *s)
{
	sd_event_source_disable_unref(s->changes);
	qmp_client_free(s->client);
	free(s);
}

/* Its folder has gone, and it with it. */
static void drop(struct source *s)
{
	struct source **link = &s->watch->sources;

	if (s->is_up)
		tell_lost(s, NULL);
	while (*link != s)
		link = &(*link)->next;
	*link = s->next;
	source_free(s);
}

static void on_closed(const struct error *err, void *arg)
{
	struct source *s = arg;
	bool again = s->ready;

	(void)err;
	qmp_client_free(s->client);
	s->client = NULL;
	s->ready = false;
	if (s->has_gone)
		drop(s);
	else if (again)
		try_source(s);
}

static void try_source(struct source *s)
{
	const struct qmp_handlers handlers = {
		.ready = on_ready, .event = on_event, .closed = on_closed, .arg = s};
	int fd;

	if (s->client ||
	    rundir_connect(&s->watch->cli->paths, PATHS_VM, s->name, NAME_QMP, &fd, NULL) < 0)
		return;
	(void)qmp_client_new(s->watch->event, fd, &handlers, &s->client, NULL);
}

static int on_source_change(sd_event_source *source, const struct inotify_event *change,
			    void *userdata)
{
	struct source *s = userdata;

	(void)source;
	if (!(change->mask & (IN_IGNORED | IN_DELETE_SELF))) {
		if (!s->has_gone)
			try_source(s);
		return 0;
	}
	s->has_gone = true;
	if (!s->client)
		drop(s);
	return 0;
}

static bool is_wanted(const struct cli *cli, const char *name)
{
	for (size_t i = 0; i < cli->n_names; i++)
		if (str_eq(cli->names[i], name))
			return true;
	return cli->n_names == 0;
}

static void add_source(struct watch *w, const char *name, bool is_new)
{
	cleanup_free char *path = str_printf("%s/%s", w->folder.data, name);
	struct source *s;

	for (s = w->sources; s; s = s->next)
		if (!s->has_gone && str_eq(s->name, name))
			return;
	if (!path || !str_is_name(name) || !is_wanted(w->cli, name))
		return;
	s = calloc(1, sizeof(*s));
	if (!s)
		return;
	s->watch = w;
	s->is_new = is_new;
	(void)str_format(s->name, sizeof(s->name), "%s", name);
	if (sd_event_add_inotify(w->event, &s->changes, path, CHANGES | IN_DELETE_SELF,
				 on_source_change, s) < 0) {
		free(s);
		return;
	}
	s->next = w->sources;
	w->sources = s;
	try_source(s);
}

static int add_all(struct watch *w, bool are_new)
{
	cleanup_closedir DIR *folder = opendir(w->folder.data);
	const struct dirent *entry;

	if (!folder && errno == ENOENT)
		return 0;
	if (!folder)
		return error_errno(&w->cli->err, errno, "folder '%s'", w->folder.data);
	while ((entry = readdir(folder)) != NULL)
		add_source(w, entry->d_name, are_new);
	return 0;
}

static int on_folder_change(sd_event_source *source, const struct inotify_event *change,
			    void *userdata)
{
	struct watch *w = userdata;

	(void)source;
	/* Of changes that were too many for the queue nobody knows which they were. */
	if (change->mask & IN_Q_OVERFLOW)
		(void)add_all(w, true);
	else if (change->len)
		add_source(w, change->name, true);
	return 0;
}

static int watch_machines(struct watch *w, bool are_new)
{
	int rc;

	w->changes = sd_event_source_disable_unref(w->changes);
	rc = sd_event_add_inotify(w->event, &w->changes, w->folder.data, IN_CREATE | IN_MOVED_TO,
				  on_folder_change, w);
	if (rc == -ENOENT)
		return 0;
	return rc < 0 ? error_errno(&w->cli->err, -rc, "watch folder '%s'", w->folder.data)
		      : add_all(w, are_new);
}

static int on_run_change(sd_event_source *source, const struct inotify_event *change,
			 void *userdata)
{
	struct watch *w = userdata;

	(void)source;
	if (change->mask & IN_Q_OVERFLOW || (change->len && str_eq(change->name, VM_FOLDER)))
		(void)watch_machines(w, true);
	return 0;
}

static int open_watch(struct watch *w)
{
	static const int signals[] = {SIGINT, SIGTERM};
	sigset_t set;
	int rc = sd_event_new(&w->event);

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_SIZE(signals); i++)
		sigaddset(&set, signals[i]);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(signals) && rc >= 0; i++)
		rc = sd_event_add_signal(w->event, NULL, signals[i], NULL, NULL);
	/* There may have been no machine yet since the boot. */
	(void)mkdir(w->cli->paths.run, 0755);
	strbuf_addf(&w->folder, "%s/" VM_FOLDER, w->cli->paths.run);
	if (w->folder.failed)
		return error_oom(&w->cli->err);
	if (rc >= 0)
		rc = sd_event_add_inotify(w->event, &w->run_changes, w->cli->paths.run,
					  IN_CREATE | IN_MOVED_TO, on_run_change, w);
	if (rc < 0)
		return error_errno(&w->cli->err, -rc, "watch folder '%s'", w->cli->paths.run);
	return watch_machines(w, false);
}

static int run(struct cli *cli)
{
	struct watch w = {.cli = cli, .as_json = cli->values[OPTION_JSON] != NULL};
	const struct spec_vm *vm;
	int rc = 0;

	for (size_t i = 0; i < cli->n_names && rc == 0; i++)
		rc = cli_find_any_vm(cli, cli->names[i], &vm);
	if (rc == 0)
		rc = open_watch(&w);
	if (rc == 0) {
		rc = sd_event_loop(w.event);
		if (rc < 0)
			(void)error_errno(&cli->err, -rc, "event loop");
	}
	while (w.sources) {
		struct source *s = w.sources;

		w.sources = s->next;
		source_free(s);
	}
	sd_event_source_disable_unref(w.run_changes);
	sd_event_source_disable_unref(w.changes);
	strbuf_free(&w.folder);
	sd_event_unref(w.event);
	return rc < 0 ? rc : 0;
}

static const struct cli_option options[] = {
	[OPTION_JSON] = {"json", 0, NULL, "the message as it came, with the machine as \"vm\"",
			 false},
	{0},
};

const struct verb verb_events = {
	.name = "events",
	.args = "[NAME…]",
	.summary = "what happens to machines, as it happens, until Ctrl-C",
	.text = "Without names those of all machines; ones that start later are among them. What QEMU tells has\n"
		"QEMU's names. HV_STARTED is hvup's: its guest runs, or may; and HV_ENDED: it has gone, with how\n"
		"(in-order, killed or crashed), the reason where there is one, and whether it restarts by itself.",
	.options = options,
	.max_names = 256,
	.names = CLI_NAMES_VM,
	.lab = CLI_LAB_OPTIONAL,
	.run = run,
};
