/* SPDX-License-Identifier: MIT */
#include "lab/schema.h"

#include "base/cleanup.h"
#include "base/str.h"
#include "lab/names.h"
#include "lab/spec.h"

#include <assert.h>

static const char *const section_names[] = {
	[LAB_SECTION_NETWORK] = "networks", [LAB_SECTION_POOL] = "pools",
	[LAB_SECTION_IMAGE] = "images",

	[LAB_SECTION_VM] = "vms",           [LAB_SECTION_DISK] = "disks",
	[LAB_SECTION_CDROM] = "cdroms",     [LAB_SECTION_NIC] = "nics",
	[LAB_SECTION_LIMITS] = "limits",    [LAB_SECTION_CREDENTIAL] = "credentials",
	[LAB_SECTION_VNC] = "vnc",
};
static_assert(ARRAY_SIZE(section_names) == LAB_SECTION_COUNT, "a name each");

static const char *const type_names[] = {
	[LAB_TYPE_TEXT] = "text",
	[LAB_TYPE_WORD] = "word",
	[LAB_TYPE_NAME] = "name",
	[LAB_TYPE_PATH] = "absolute path",
	[LAB_TYPE_BOOL] = "true or false",
	[LAB_TYPE_UINT] = "number",
	[LAB_TYPE_DECIMAL] = "decimal number",
	[LAB_TYPE_SIZE] = "size",
	[LAB_TYPE_ENUM] = "one of",
	[LAB_TYPE_INTERFACE] = "interface name",
	[LAB_TYPE_CIDR] = "address/prefix",
	[LAB_TYPE_RANGE] = "address-address",
	[LAB_TYPE_ADDRESS] = "IPv4 address",
	[LAB_TYPE_MAC] = "MAC",
	[LAB_TYPE_UUID] = "UUID",
	[LAB_TYPE_DOMAIN] = "domain name",
	[LAB_TYPE_NETWORK] = "name of a network",
	[LAB_TYPE_PROFILE] = "name of a profile",
	[LAB_TYPE_MACHINE] = "name of a VM",
	[LAB_TYPE_VOLUME] = "POOL/FILE",
	[LAB_TYPE_IMAGE] = "name of an image",
	[LAB_TYPE_URL] = "URL",
	[LAB_TYPE_SHA256] = "SHA-256",
	[LAB_TYPE_VSOCK] = "no, auto or number",
	[LAB_TYPE_DISKS] = "list",
	[LAB_TYPE_CDROMS] = "list",
	[LAB_TYPE_NICS] = "list",
	[LAB_TYPE_LIMITS] = "map",
	[LAB_TYPE_AFTER] = "list of names",
	[LAB_TYPE_CREDENTIALS] = "map",
	[LAB_TYPE_STRINGS] = "list of text",
	[LAB_TYPE_VNC] = "address:port or map",
	[LAB_TYPE_ENDPOINT] = "address:port",
	[LAB_TYPE_SECRET] = "map",
};
static_assert(ARRAY_SIZE(type_names) == LAB_TYPE_COUNT, "a name each");

#define NET(k, t, member, ...)                                                                \
	{                                                                                     \
		LAB_SECTION_NETWORK, k, t, offsetof(struct spec_network, member), __VA_ARGS__ \
	}
#define POOL(k, t, member, ...)                                                         \
	{                                                                               \
		LAB_SECTION_POOL, k, t, offsetof(struct spec_pool, member), __VA_ARGS__ \
	}
#define IMAGE(k, t, member, ...)                                                          \
	{                                                                                 \
		LAB_SECTION_IMAGE, k, t, offsetof(struct spec_image, member), __VA_ARGS__ \
	}
#define VM(k, t, member, ...)                                                       \
	{                                                                           \
		LAB_SECTION_VM, k, t, offsetof(struct spec_vm, member), __VA_ARGS__ \
	}
#define DISK(k, t, member, ...)                                                         \
	{                                                                               \
		LAB_SECTION_DISK, k, t, offsetof(struct spec_disk, member), __VA_ARGS__ \
	}
#define CDROM(k, t, member, ...)                                                          \
	{                                                                                 \
		LAB_SECTION_CDROM, k, t, offsetof(struct spec_cdrom, member), __VA_ARGS__ \
	}
#define NIC(k, t, member, ...)                                                        \
	{                                                                             \
		LAB_SECTION_NIC, k, t, offsetof(struct spec_nic, member), __VA_ARGS__ \
	}
#define LIMITS(k, t, member, ...)                                                           \
	{                                                                                   \
		LAB_SECTION_LIMITS, k, t, offsetof(struct spec_limits, member), __VA_ARGS__ \
	}
#define CREDENTIAL(k, t, member, ...)                                                   \
	{                                                                               \
		LAB_SECTION_CREDENTIAL, k, t, offsetof(struct spec_credential, member), \
			__VA_ARGS__                                                     \
	}

#define VNC(k, t, ...)                                \
	{                                             \
		LAB_SECTION_VNC, k, t, 0, __VA_ARGS__ \
	}

static const struct lab_schema_row rows[] = {
	NET("bridge", LAB_TYPE_INTERFACE, bridge, .required = true,
	    .help = "Name of the bridge that is made for this network; it must not exist already."),
	NET("address", LAB_TYPE_CIDR, address, .required = true,
	    .help = "The host's address on the bridge with the length of the prefix (8 to 30); "
		    "guests use it as gateway and name server."),
	NET("nat", LAB_TYPE_BOOL, nat, .default_text = "false",
	    .help = "Whether guests reach the outside by NAT. Without, they reach each other and "
		    "the host only."),
	NET("dhcp", LAB_TYPE_RANGE, dhcp_first, .default_note = "no DHCP and no DNS",
	    .help = "Addresses that are given out, both ends included."),
	NET("domain", LAB_TYPE_DOMAIN, domain,
	    .help = "Guests resolve each other by name within this domain."),
	NET("mtu", LAB_TYPE_UINT, mtu, .min = 576, .max = 65535, .default_note = "the kernel's",
	    .help = "MTU of the bridge and its TAPs, in bytes."),

	POOL("path", LAB_TYPE_PATH, path, .required = true,
	     .help = "Folder for the pool's volumes; made with its first volume."),

	IMAGE("url", LAB_TYPE_URL, url,
	      .help = "Where it is fetched from, by http or https, when it is needed first; either "
		      "this or path:."),
	IMAGE("path", LAB_TYPE_PATH, path, .help = "A file, which is copied then."),
	IMAGE("sha256", LAB_TYPE_SHA256, sha256, .required = true,
	      .help = "Its checksum, as sha256sum prints it: what is not that is not used."),
	IMAGE("format", LAB_TYPE_ENUM, format, .words = lab_format_words, .default_text = "qcow2",
	      .help = "Its format."),

	VM("profile", LAB_TYPE_PROFILE, profile, .not_in_profile = true,
	   .help = "Profile to take keys from that are not given here; lists and maps are "
		   "replaced, not merged."),
	VM("like", LAB_TYPE_MACHINE, like, .not_in_profile = true, .own = true,
	   .help = "VM to take over what is said neither here nor in a profile that is named here: "
		   "all but its uuid, disks, MACs, fixed addresses, autostart and vsock context id. "
		   "It may be like another one itself."),
	VM("uuid", LAB_TYPE_UUID, uuid, .not_in_profile = true, .own = true,
	   .default_note = "derived from the name",
	   .help = "The machine's identity, as its firmware tells the guest."),
	VM("firmware", LAB_TYPE_ENUM, firmware, .words = lab_firmware_words, .default_text = "uefi",
	   .help = "What boots the machine; `secure-boot` is UEFI with Microsoft's keys enrolled, "
		   "`none` boots kernel: directly."),
	VM("tpm", LAB_TYPE_BOOL, tpm, .default_text = "false",
	   .help = "A TPM 2.0 (CRB) of its own."),
	VM("clock", LAB_TYPE_ENUM, clock, .words = lab_clock_words, .default_text = "utc",
	   .help = "What the hardware clock shows; Windows expects `localtime`."),
	VM("cpus", LAB_TYPE_UINT, cpus, .min = 1, .max = 255, .default_text = "1",
	   .help = "Number of virtual CPUs."),
	VM("memory", LAB_TYPE_SIZE, memory_bytes, .min = 16ULL << 20, .max = 16ULL << 40,
	   .default_text = "1G", .help = "Memory, a multiple of 1M."),
	VM("accel", LAB_TYPE_ENUM, accel, .words = lab_accel_words, .default_text = "auto",
	   .help = "`auto` takes KVM where it really runs guests, else TCG."),
	VM("cpu", LAB_TYPE_WORD, cpu, .default_note = "`host` under KVM, `max` under TCG",
	   .help = "QEMU's CPU model."),
	VM("machine", LAB_TYPE_WORD, machine,
	   .default_note = "the newest q35 at the first start, then kept",
	   .help = "QEMU's machine type."),
	VM("kernel", LAB_TYPE_PATH, kernel, .help = "Kernel to boot directly."),
	VM("initrd", LAB_TYPE_PATH, initrd, .help = "Initial RAM disk for kernel:."),
	VM("cmdline", LAB_TYPE_TEXT, cmdline, .help = "Command line for kernel:."),
	VM("display", LAB_TYPE_ENUM, display, .words = lab_display_words, .default_text = "none",
	   .help = "Graphics adapter; `vga` is one that every system has a driver for."),
	VM("tablet", LAB_TYPE_BOOL, tablet, .default_note = "true where there is a display",
	   .help = "A USB tablet, so that the pointer follows."),
	VM("vnc", LAB_TYPE_VNC, vnc, .default_note = "no TCP",
	   .help = "Where the screen is reached by TCP, beside its unix socket: an address and a "
		   "port, or a map with a password, without which only this host's own addresses "
		   "are taken; `no` for none."),
	VM("spice", LAB_TYPE_BOOL, spice, .default_text = "false",
	   .help = "The screen by SPICE, too, on a unix socket: it follows the viewer's size and "
		   "shares its clipboard, where the guest runs a SPICE agent."),
	VM("hyperv", LAB_TYPE_BOOL, hyperv, .default_text = "false",
	   .help = "Hyper-V enlightenments for Windows, where KVM runs."),
	VM("agent", LAB_TYPE_BOOL, agent, .default_text = "true",
	   .help = "A channel for QEMU's guest agent."),
	VM("autostart", LAB_TYPE_BOOL, autostart, .default_text = "false", .own = true,
	   .help = "Whether `hv up` without names, and hv.target, start it."),
	VM("after", LAB_TYPE_AFTER, after, .not_in_profile = true,
	   .help = "Machines that start before this one, and stop after it, where both do; one "
		   "that is not to start is not waited for."),
	VM("template-state", LAB_TYPE_NAME, template_state,
	   .help = "A prepared state (`hv state`) that the machine begins with in place of booting: "
		   "each time where it keeps nothing, once where it has a TPM or a disk that it "
		   "writes to. Such disks are made then, as overlays on the state's; `size:` counts "
		   "from the next start on."),
	VM("spares", LAB_TYPE_UINT, spares, .min = 0, .max = 64, .default_text = "0",
	   .help = "How many of the machines that begin with the same template-state:, have this "
		   "key and are not up wait as spares (hv(1)): `hv up` of such a one has only to "
		   "let its guest run. `hv up` of one of these machines starts what is missing, in "
		   "the background."),
	VM("restart", LAB_TYPE_ENUM, restart, .words = lab_restart_words, .default_text = "no",
	   .help = "Whether the machine is started again when its QEMU or TPM ends by a failure."),
	VM("jail", LAB_TYPE_ENUM, jail, .words = lab_jail_words, .default_text = "auto",
	   .help = "`auto` confines the machine by every layer that this host's kernel has; "
		   "`require` refuses to start it where one is missing."),
	VM("limits", LAB_TYPE_LIMITS, limits, .default_note = "no limits",
	   .help = "What the machine's processes may use of the host together."),
	VM("credentials", LAB_TYPE_CREDENTIALS, credentials,
	   .help = "Secrets for the guest, by name, of at most 1M together; systemd in the guest "
		   "hands them to its services."),
	VM("oem-strings", LAB_TYPE_STRINGS, oem_strings,
	   .help = "OEM strings (SMBIOS type 11) for whatever in the guest reads them."),
	VM("vsock", LAB_TYPE_VSOCK, vsock, .default_text = "no",
	   .help = "A socket between host and guest without a network: `auto` gives one with a "
		   "context id derived from the uuid where the host has vhost-vsock, a number from "
		   "3 to 4294967294 is the context id."),
	VM("stop_timeout", LAB_TYPE_UINT, stop_timeout_s, .min = 1, .max = 86400,
	   .default_text = "90",
	   .help = "Seconds that the guest has to shut down when its supervisor is asked to end, as "
		   "by `systemctl stop`; then it is ended."),
	VM("on-shutdown", LAB_TYPE_ENUM, on_shutdown, .words = lab_on_shutdown_words,
	   .default_text = "shutdown",
	   .help = "What becomes of the guest when its supervisor is asked to end, as by `systemctl "
		   "stop` and when the host shuts down: `save` suspends it to disk, and the next "
		   "`hv up` resumes it."),
	VM("disks", LAB_TYPE_DISKS, disks, .own = true, .help = "Disks, in the order of booting."),
	VM("cdroms", LAB_TYPE_CDROMS, cdroms,
	   .help = "ISO images, each a path, in CD drives on SATA."),
	VM("nics", LAB_TYPE_NICS, nics, .help = "Network interfaces."),

	DISK("volume", LAB_TYPE_VOLUME, pool, .help = "A volume in a pool; either this or path:."),
	DISK("path", LAB_TYPE_PATH, path, .help = "An image or block device anywhere."),
	DISK("size", LAB_TYPE_SIZE, size_bytes, .min = 1ULL << 20, .max = 64ULL << 40,
	     .default_note = "the image has to exist",
	     .help = "Virtual size. A missing image is created sparse, one that is smaller is "
		     "grown; none is ever shrunk."),
	DISK("image", LAB_TYPE_IMAGE, image,
	     .help = "What a missing image is made of, at the first start: an overlay of this one "
		     "from images:, or where both are raw a copy."),
	DISK("bus", LAB_TYPE_ENUM, bus, .words = lab_bus_words, .default_text = "virtio",
	     .help = "How the guest sees it."),
	DISK("format", LAB_TYPE_ENUM, format, .words = lab_format_words, .default_text = "qcow2",
	     .help = "Format of the image."),
	DISK("cache", LAB_TYPE_ENUM, cache, .words = lab_cache_words, .default_text = "auto",
	     .help = "Whether the host's page cache holds it: `none` goes past it, `writeback` "
		     "uses it, and flushes when the guest does; `auto` takes `none` on block "
		     "devices and network file systems."),
	DISK("read_only", LAB_TYPE_BOOL, read_only, .default_text = "false",
	     .help = "Whether the guest cannot write to it (not on SATA)."),

	CDROM("path", LAB_TYPE_PATH, path, .required = true, .help = "The ISO image."),

	NIC("network", LAB_TYPE_NETWORK, network, .required = true, .help = "Network to join."),
	NIC("model", LAB_TYPE_ENUM, model, .words = lab_nic_words, .default_text = "virtio",
	    .help = "How the guest sees it; Windows has a driver for `e1000e`."),
	NIC("mac", LAB_TYPE_MAC, mac, .default_note = "derived from the uuid and the NIC's index",
	    .help = "Its address on the link."),
	NIC("address", LAB_TYPE_ADDRESS, address, .default_note = "one from the network's range",
	    .help = "The address that the network's DHCP gives to it."),

	LIMITS("cpus", LAB_TYPE_DECIMAL, cpus_milli, .min = 10, .max = 1024 * 1000,
	       .help = "CPU time, in CPUs of the host, as in 1.5."),
	LIMITS("memory_max", LAB_TYPE_SIZE, memory_max_bytes, .min = 16ULL << 20,
	       .max = 64ULL << 40,
	       .help = "Memory, at least that of the guest and 128M for QEMU itself; beyond it "
		       "the machine is killed by the kernel."),
	LIMITS("io", LAB_TYPE_SIZE, io_bytes, .min = 64ULL << 10, .max = 1ULL << 40,
	       .help = "Bytes per second to read, and as many to write, on each block device "
		       "below its disks."),
	LIMITS("pids", LAB_TYPE_UINT, pids, .min = 16, .max = 4194304,
	       .help = "Threads and processes, at least 80 and one for each virtual CPU."),

	CREDENTIAL("file", LAB_TYPE_PATH, file,
		   .help = "A file whose contents are the value, read at each start."),
	CREDENTIAL("text", LAB_TYPE_TEXT, text,
		   .help = "The value itself, for what whoever reads the configuration may know."),
	CREDENTIAL("from", LAB_TYPE_ENUM, from, .words = lab_credential_from_words,
		   .help = "`unit` takes the credential of this name that the machine's own unit "
			   "got from systemd, or its `hv.NAME`."),
	CREDENTIAL("encrypted", LAB_TYPE_PATH, encrypted,
		   .help = "A file that `systemd-creds encrypt` made for this name and host."),

	VNC("listen", LAB_TYPE_ENDPOINT, .required = true,
	    .help = "Address and port, as in 127.0.0.1:5901 or [::1]:5901."),
	VNC("password-credential", LAB_TYPE_SECRET, .default_note = "no password",
	    .help = "Where the password comes from, which clients by TCP are asked for: a map like "
		    "an entry of credentials, of the name `vnc-password`. VNC has at most 8 bytes."),
};

const struct lab_schema_row *lab_schema_rows(size_t *ret_n)
{
	*ret_n = ARRAY_SIZE(rows);
	return rows;
}

const struct lab_schema_row *lab_schema_find(enum lab_section section, const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (rows[i].section == section && str_eq(rows[i].key, key))
			return &rows[i];
	return NULL;
}

enum { WORD_MAX = 24 };

/* Edits (insert, delete, replace) between two short words. */
static size_t distance(const char *a, const char *b)
{
	size_t row[WORD_MAX + 1], la = strlen(a), lb = strlen(b);

	if (la > WORD_MAX || lb > WORD_MAX)
		return WORD_MAX;
	for (size_t j = 0; j <= lb; j++)
		row[j] = j;
	for (size_t i = 1; i <= la; i++) {
		size_t diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= lb; j++) {
			size_t best = diagonal + (a[i - 1] != b[j - 1]);

			diagonal = row[j];
			best = best < row[j] + 1 ? best : row[j] + 1;
			row[j] = best < row[j - 1] + 1 ? best : row[j - 1] + 1;
		}
	}
	return row[lb];
}

const char *lab_schema_suggest(enum lab_section section, const char *key)
{
	const char *best = NULL;
	size_t least = 3;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		size_t d = rows[i].section == section ? distance(key, rows[i].key) : least;

		if (d < least) {
			least = d;
			best = rows[i].key;
		}
	}
	return best;
}

const char *lab_section_name(enum lab_section section)
{
	return section_names[section];
}

const char *lab_type_name(enum lab_type type)
{
	return type_names[type];
}
