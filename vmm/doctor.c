/* SPDX-License-Identifier: MIT */
#include "vmm/doctor.h"

#include "base/child.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"
#include "firmware/descriptor.h"
#include "jail/support.h"
#include "net/nft.h"
#include "vmm/host.h"
#include "vmm/json.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PROGRAM_MS = 10 * 1000 };

static void add(json_t *list, const char *name, const char *state, const char *detail,
		const char *remedy)
{
	(void)json_array_append_new(list, json_pack("{s:s s:s s:s s:s?}", "name", name, "state",
						    state, "detail", detail, "remedy", remedy));
}

/* The first line that a program says of its version. */
static char *version_of(const char *program)
{
	char *argv[] = {(char *)program, (char *)"--version", NULL};
	char *out = NULL, *end;

	if (child_run(program, argv, NULL, 0, PROGRAM_MS, &out, NULL) < 0)
		return NULL;
	end = strchr(out, '\n');
	if (end)
		*end = '\0';
	return out;
}

static void examine_program(json_t *list, const char *name, const char *path, const char *remedy)
{
	cleanup_free char *version = path ? version_of(path) : NULL;

	if (!path)
		add(list, name, "missing", "not installed", remedy);
	else
		add(list, name, "ok", version ? version : path, NULL);
}

static void examine_firmware(json_t *list, const char *name, bool secure_boot)
{
	struct firmware_want want = {
		.secure_boot = secure_boot, .arch = host_arch(), .machine = "pc-q35-0"};
	struct firmware_found found = {0};
	struct error err = ERROR_INIT;

	if (firmware_find(NULL, &want, &found, &err) < 0)
		add(list, name, "missing", err.text, "apt install ovmf");
	else
		add(list, name, "ok", found.code, NULL);
	firmware_found_free(&found);
}

static void examine_kvm(json_t *list, const struct host *host)
{
	if (host->kvm)
		add(list, "kvm", "ok", "/dev/kvm runs guests", NULL);
	else if (host->kvm_device)
		add(list, "kvm", "note",
		    "/dev/kvm opens, but the CPU has neither vmx nor svm: accel: auto takes TCG, "
		    "which is slower",
		    NULL);
	else
		add(list, "kvm", "note",
		    "/dev/kvm does not open: accel: auto takes TCG, which is slower",
		    "modprobe kvm_intel || modprobe kvm_amd");
}

static void examine_vsock(json_t *list, const struct host *host)
{
	if (host->vsock)
		add(list, "vsock", "ok", "/dev/vhost-vsock opens", NULL);
	else
		add(list, "vsock", "note",
		    "/dev/vhost-vsock does not open: machines with vsock: auto go without",
		    "modprobe vhost_vsock");
}

static void examine_root(json_t *list, const struct host *host)
{
	if (host->root)
		add(list, "root", "ok", "run as root", NULL);
	else
		add(list, "root", "missing", "machines are started by root", "sudo hv doctor");
}

static void examine_nft(json_t *list, const struct host *host)
{
	struct error err = ERROR_INIT;

	if (!host->root)
		add(list, "nftables", "note", "only root can tell", "sudo hv doctor");
	else if (net_rules_probe(&err) < 0)
		add(list, "nftables", "missing", err.text, "modprobe nf_tables");
	else
		add(list, "nftables", "ok", "the kernel takes tables", NULL);
}

/* A folder that is there or can be made. */
static void examine_folder(json_t *list, const char *name, const char *path)
{
	cleanup_free char *up = strdup(path);
	char detail[512];
	struct stat st;

	while (up && stat(up, &st) < 0 && strrchr(up, '/') > up)
		*strrchr(up, '/') = '\0';
	if (up && access(up, W_OK | X_OK) == 0) {
		add(list, name, "ok", path, NULL);
		return;
	}
	(void)str_format(detail, sizeof(detail), "'%s' is not writable: %s", up ? up : path,
			 strerror(errno));
	add(list, name, "missing", detail, NULL);
}

static void examine_init(json_t *list)
{
	if (access("/run/systemd/system", F_OK) == 0)
		add(list, "systemd", "ok", "is the init system", NULL);
	else
		add(list, "systemd", "note",
		    "is not the init system: supervisors run in the background", NULL);
}

/* Each layer of a machine's jail. */
static void examine_jail(json_t *list)
{
	struct jail_support support;

	jail_support_probe(&support);
	for (int i = 0; i < JAIL_SUPPORT_COUNT; i++) {
		cleanup_free char *detail = NULL;

		if (support.v[i].there || support.v[i].unknown) {
			add(list, jail_support_name(i), support.v[i].there ? "ok" : "note",
			    support.v[i].detail, support.v[i].unknown ? "sudo hv doctor" : NULL);
			continue;
		}
		detail = str_printf("%s: %s", support.v[i].detail, jail_support_loss(i));
		add(list, jail_support_name(i), "note", detail ? detail : "not there",
		    jail_support_remedy(i));
	}
}

int doctor_examine(const struct paths *paths, json_t **ret_list, struct error *err)
{
	json_t *list = json_array();
	struct host host;

	if (!list)
		return error_oom(err);
	host_probe(&host);
	examine_root(list, &host);
	examine_kvm(list, &host);
	examine_program(list, "qemu", host.qemu, "apt install qemu-system-x86");
	examine_program(list, "qemu-img", host.qemu_img, "apt install qemu-utils");
	examine_program(list, "swtpm", host.swtpm, "apt install swtpm");
	examine_program(list, "dnsmasq", host.dnsmasq, "apt install dnsmasq-base");
	examine_firmware(list, "uefi", false);
	examine_firmware(list, "secure-boot", true);
	if (host.tun)
		add(list, "tun", "ok", "/dev/net/tun", NULL);
	else
		add(list, "tun", "missing", "/dev/net/tun is not there", "modprobe tun");
	examine_vsock(list, &host);
	examine_nft(list, &host);
	examine_jail(list);
	examine_folder(list, "state", paths->state);
	examine_folder(list, "run", paths->run);
	examine_init(list);
	host_free(&host);
	*ret_list = list;
	return 0;
}
