/* SPDX-License-Identifier: MIT */
/*
 * What is wanted: one lab as the configuration describes it, with profiles
 * merged, defaults filled in and derived values (uuid, MAC) made. Pure data;
 * nothing here has looked at the host.
 *
 * Ownership: struct lab owns everything below it; lab_free() frees it all.
 * Strings are never NULL unless the comment says so. Cross-references are
 * pointers into the same lab.
 */
#ifndef HV_LAB_SPEC_H
#define HV_LAB_SPEC_H

#include <net/if.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Each enum has a name table in lab/names.c; the words are those of the
 * configuration. */
enum spec_firmware {
	SPEC_FIRMWARE_UEFI, /* "uefi", the default */
	SPEC_FIRMWARE_SECURE_BOOT, /* "secure-boot" */
	SPEC_FIRMWARE_BIOS, /* "bios" */
	SPEC_FIRMWARE_NONE, /* "none": needs kernel: */
	SPEC_FIRMWARE_COUNT
};
enum spec_clock { SPEC_CLOCK_UTC, SPEC_CLOCK_LOCALTIME, SPEC_CLOCK_COUNT };
enum spec_accel { SPEC_ACCEL_AUTO, SPEC_ACCEL_KVM, SPEC_ACCEL_TCG, SPEC_ACCEL_COUNT };
enum spec_bus { SPEC_BUS_VIRTIO, SPEC_BUS_SATA, SPEC_BUS_SCSI, SPEC_BUS_NVME, SPEC_BUS_COUNT };
enum spec_format { SPEC_FORMAT_QCOW2, SPEC_FORMAT_RAW, SPEC_FORMAT_COUNT };
enum spec_cache { SPEC_CACHE_AUTO, SPEC_CACHE_NONE, SPEC_CACHE_WRITEBACK, SPEC_CACHE_COUNT };
enum spec_nic_model {
	SPEC_NIC_VIRTIO, /* "virtio", the default */
	SPEC_NIC_E1000E, /* "e1000e" */
	SPEC_NIC_E1000, /* "e1000" */
	SPEC_NIC_COUNT
};
enum spec_display {
	SPEC_DISPLAY_NONE, /* "none", the default: serial console only */
	SPEC_DISPLAY_VGA, /* "vga": standard VGA, which every system can drive */
	SPEC_DISPLAY_VIRTIO, /* "virtio": virtio-vga */
	SPEC_DISPLAY_COUNT
};
enum spec_on_shutdown { SPEC_ON_SHUTDOWN_SHUTDOWN, SPEC_ON_SHUTDOWN_SAVE, SPEC_ON_SHUTDOWN_COUNT };
enum spec_restart { SPEC_RESTART_NO, SPEC_RESTART_ON_FAILURE, SPEC_RESTART_COUNT };
enum spec_jail {
	SPEC_JAIL_AUTO, /* "auto", the default: every layer that the kernel has */
	SPEC_JAIL_REQUIRE, /* "require": no start where one is missing */
	SPEC_JAIL_COUNT
};

/* Where a credential's value comes from. */
enum spec_credential_source {
	SPEC_CREDENTIAL_FILE,
	SPEC_CREDENTIAL_TEXT,
	SPEC_CREDENTIAL_UNIT, /* of the supervisor's unit: $CREDENTIALS_DIRECTORY */
	SPEC_CREDENTIAL_ENCRYPTED, /* a file by systemd-creds */
	SPEC_CREDENTIAL_SOURCE_COUNT
};
enum spec_credential_from { SPEC_CREDENTIAL_FROM_UNIT, SPEC_CREDENTIAL_FROM_COUNT };
enum spec_vsock {
	SPEC_VSOCK_NO, /* "no", the default */
	SPEC_VSOCK_AUTO, /* "auto": where the host has vhost-vsock */
	SPEC_VSOCK_CID, /* a number: the host has to have it */
};

/* As systemd bounds one, and all of them together. */
enum { SPEC_CREDENTIAL_BYTES_MAX = 1024 * 1024, SPEC_CREDENTIAL_NAME_MAX = 64 };

const char *spec_firmware_name(enum spec_firmware v);
const char *spec_clock_name(enum spec_clock v);
const char *spec_accel_name(enum spec_accel v);
const char *spec_bus_name(enum spec_bus v);
const char *spec_format_name(enum spec_format v);
const char *spec_nic_model_name(enum spec_nic_model v);
const char *spec_display_name(enum spec_display v);
const char *spec_restart_name(enum spec_restart v);
const char *spec_jail_name(enum spec_jail v);

/* Where in the configuration a thing was said, for errors after the parsing. */
struct spec_where {
	const char *file; /* owned by the lab; NULL where it was not said */
	unsigned line, column; /* from 1 */
};

struct spec_network {
	char *name;
	struct spec_where where;
	char bridge[IFNAMSIZ];
	struct in_addr address; /* of the host on the bridge, network byte order */
	unsigned prefix; /* length, 8 to 30 */
	bool nat; /* false: guests reach each other and the host only */
	bool dhcp; /* false: no DHCP, and then no DNS either */
	struct in_addr dhcp_first, dhcp_last;
	char *domain; /* NULL: none */
	unsigned mtu; /* 0: the kernel's default */
	uint8_t mac[6]; /* of the bridge; derived from the name */
};

struct spec_pool {
	char *name;
	struct spec_where where;
	char *path; /* absolute folder */
};

/* What volumes are made of; kept in a cache under its checksum. */
struct spec_image {
	char *name;
	struct spec_where where;
	char *url, *path; /* one of them is NULL */
	char sha256[65]; /* lower case */
	enum spec_format format;
};

struct spec_disk {
	struct spec_where where;
	const struct spec_pool *pool; /* NULL: path stands alone */
	const struct spec_image *image; /* what a missing one is made of; NULL: nothing */
	char *name; /* what the configuration calls it: "homelab/dc01.qcow2" or the path */
	char *path; /* absolute: pool path + "/" + file, or path */
	uint64_t size_bytes; /* 0: not given, the image has to exist */
	enum spec_bus bus;
	enum spec_format format;
	enum spec_cache cache; /* of the host */
	bool read_only;
};

struct spec_cdrom {
	struct spec_where where;
	char *path; /* absolute */
};

struct spec_nic {
	struct spec_where where;
	const struct spec_network *network;
	enum spec_nic_model model;
	uint8_t mac[6];
	bool mac_given; /* in the configuration; else derived from the uuid and index */
	bool has_address;
	struct in_addr address; /* fixed lease, network byte order */
};

/* What the processes of a VM may use together; 0: not limited. */
struct spec_limits {
	unsigned cpus_milli; /* thousandths of a CPU */
	uint64_t memory_max_bytes;
	uint64_t io_bytes; /* a second, read and written each, of each block device */
	unsigned pids; /* threads count */
	struct spec_where memory_max_where, pids_where; /* of the values */
};

/* A secret for the guest. Values are read where the machine starts. */
struct spec_credential {
	struct spec_where where;
	char *name;
	enum spec_credential_source source;
	char *file, *encrypted; /* absolute; NULL unless they are the source, as is text */
	char *text; /* a secret, if an open one: wiped when it is freed */
	enum spec_credential_from from;
};

struct spec_vm;
/* Overwrites the values that the configuration itself holds (text:); the rest stays as it is. */
void spec_credentials_wipe(const struct spec_vm *vm);

/* What listens to TCP for clients of the screen. */
#define SPEC_VNC_PASSWORD "vnc-password"
struct spec_vnc {
	struct spec_where where;
	char *address; /* as inet_pton() reads it; NULL: nothing does */
	uint16_t port;
	struct spec_credential password; /* name NULL: none is asked for */
};
bool spec_vnc_is_local(const struct spec_vnc *vnc); /* its address, which is there */

/* A machine that another one comes after. */
struct spec_after {
	struct spec_where where;
	char *name;
	const struct spec_vm *vm;
};

struct spec_vm {
	char *name;
	struct spec_where where;
	char *profile; /* NULL: none */
	char *like; /* the VM that the rest was taken over from; NULL: none */
	char uuid[37]; /* lower case */
	enum spec_firmware firmware;
	bool tpm; /* default: false */
	enum spec_clock clock;
	enum spec_accel accel;
	unsigned cpus; /* default 1 */
	uint64_t memory_bytes; /* default 1 GiB; a multiple of 1 MiB */
	char *cpu; /* NULL: host under KVM, max under TCG */
	char *machine; /* NULL: the newest q35 of the QEMU at the first start */
	char *kernel, *initrd, *cmdline; /* NULL: not direct boot */
	enum spec_display display;
	bool tablet; /* usb-tablet; default: true where there is a display */
	bool spice; /* the screen by SPICE, beside VNC */
	struct spec_vnc vnc;
	bool hyperv; /* enlightenments under KVM; default: false */
	bool agent; /* virtio-serial channel for the guest agent; default: true */
	bool autostart; /* default: false */
	struct spec_after *after; /* start before it, stop after it */
	size_t n_after;
	unsigned rank; /* how many start one after the other before it; 0: none */
	unsigned stop_timeout_s; /* default 90 */
	enum spec_on_shutdown on_shutdown;
	enum spec_restart restart;
	char *template_state; /* prepared state that it begins with; NULL: it boots */
	unsigned spares; /* of those that begin with it, so many wait; default 0 */
	char sum[65]; /* of what is said of it, in hexadecimal digits; "" where spares is 0 */
	enum spec_jail jail;
	struct spec_limits limits;
	struct spec_credential *credentials;
	size_t n_credentials;
	char **oem_strings;
	size_t n_oem_strings;
	enum spec_vsock vsock;
	uint32_t vsock_cid; /* given, or derived from the uuid; 0: no vsock */
	struct spec_disk *disks;
	size_t n_disks;
	struct spec_cdrom *cdroms;
	size_t n_cdroms;
	struct spec_nic *nics;
	size_t n_nics;
};

/* Networks, pools, images and VMs stand in the order of the configuration. */
struct lab {
	struct spec_network *networks;
	size_t n_networks;
	struct spec_pool *pools;
	size_t n_pools;
	struct spec_image *images;
	size_t n_images;
	struct spec_vm *vms;
	size_t n_vms;
	struct lab_source *sources; /* private to lab/: file names */
};

void lab_free(struct lab *lab); /* accepts NULL */

/* spec_credentials_wipe() of every machine but one (NULL: of all). Accepts NULL as lab. */
void lab_credentials_wipe(const struct lab *lab, const struct spec_vm *but);

/* NULL where there is none of that name. */
const struct spec_vm *lab_find_vm(const struct lab *lab, const char *name);
const struct spec_network *lab_find_network(const struct lab *lab, const char *name);

#endif
