/* SPDX-License-Identifier: MIT */
#include "vmm/qemu_args.h"

#include "vmm/json.h"

#include <inttypes.h>

/* Takes j over; NULL counts as out of memory. */
static void add_json(struct strv *argv, const char *option, json_t *j)
{
	strv_add(argv, option);
	strv_take(argv, j ? json_dumps(j, JSON_COMPACT) : NULL);
	json_decref(j);
}

/* Hands QEMU a descriptor as /dev/fdset/NUMBER. */
static void add_fdset(struct strv *argv, int fd)
{
	strv_add(argv, "-add-fd");
	strv_addf(argv, "fd=%d,set=%d", fd, fd);
}

/* What a node is made of. */
struct node {
	const char *name;
	int fd;
	bool qcow2, read_only;
	bool discard; /* what a guest gives up, and writes of zeroes, become holes */
	bool direct; /* past the host's page cache */
	const char *backing; /* the node of the backing file; NULL: none */
};

/* below: what it takes its bytes from. */
static json_t *pack_node(const struct node *n, const char *driver, const char *name,
			 const char *below_key, const char *below)
{
	json_t *j = json_pack("{s:s s:s s:s s:b s:s}", "driver", driver, "node-name", name,
			      below_key, below, "read-only", n->read_only, "discard",
			      n->discard ? "unmap" : "ignore");

	if (j && n->direct)
		(void)json_object_set_new(j, "cache", json_pack("{s:b}", "direct", true));
	return j;
}

/* A node for an image: the file below and the format on top. A qcow2 header can name no other
 * file: its backing file is overruled, a data file was refused when the image was
 * examined. */
static void add_node(struct strv *argv, const struct node *n)
{
	char file_node[64], path[32];
	json_t *format;

	(void)str_format(file_node, sizeof(file_node), "%s-file", n->name);
	(void)str_format(path, sizeof(path), "/dev/fdset/%d", n->fd);
	add_fdset(argv, n->fd);
	add_json(argv, "-blockdev", pack_node(n, "file", file_node, "filename", path));
	format = pack_node(n, n->qcow2 ? "qcow2" : "raw", n->name, "file", file_node);
	if (format && n->qcow2)
		(void)json_object_set_new(format, "backing",
					  n->backing ? json_string(n->backing) : json_null());
	if (format && n->discard && !n->read_only)
		(void)json_object_set_new(format, "detect-zeroes", json_string("unmap"));
	add_json(argv, "-blockdev", format);
}

/* A listening socket that a new supervisor can connect to again. */
static void add_chardev(struct strv *argv, const char *id, int fd, int log_fd)
{
	strv_add(argv, "-chardev");
	if (log_fd >= 0)
		strv_addf(argv,
			  "socket,id=%s,fd=%d,server=on,wait=off,logfile=/dev/fdset/%d,"
			  "logappend=on",
			  id, fd, log_fd);
	else
		strv_addf(argv, "socket,id=%s,fd=%d,server=on,wait=off", id, fd);
}

static void add_pci_address(json_t *device, unsigned slot)
{
	char address[8];

	(void)str_format(address, sizeof(address), "0x%x", slot);
	if (device) {
		(void)json_object_set_new(device, "bus", json_string("pcie.0"));
		(void)json_object_set_new(device, "addr", json_string(address));
	}
}

static void add_pci(struct strv *argv, json_t *device, unsigned slot)
{
	add_pci_address(device, slot);
	add_json(argv, "-device", device);
}

static void add_machine(struct strv *argv, const struct qemu_inputs *in)
{
	const struct spec_vm *vm = in->vm;
	bool flash = in->fds.code >= 0;

	strv_add(argv, "-name");
	strv_addf(argv, "guest=%s,debug-threads=on", vm->name);
	strv_add(argv, "-nodefaults");
	strv_add(argv, "-no-user-config");
	strv_add(argv, "-S");
	strv_add(argv, "-sandbox");
	strv_add(argv, "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny");
	strv_add(argv, "-machine");
	strv_addf(argv, "%s,smm=%s,memory-backend=ram%s%s%s", in->hw->machine,
		  in->smm ? "on" : "off", in->hw->sata ? "" : ",sata=off",
		  in->hw->smbus ? "" : ",smbus=off", flash ? ",pflash0=code,pflash1=vars" : "");
	if (in->smm) {
		strv_add(argv, "-global");
		strv_add(argv, "driver=cfi.pflash01,property=secure,value=on");
	}
	strv_add(argv, "-accel");
	strv_add(argv, in->kvm ? "kvm" : "tcg");
	strv_add(argv, "-cpu");
	strv_addf(argv, "%s%s", in->hw->cpu,
		  in->hyperv
			  ? ",hv-relaxed=on,hv-vapic=on,hv-spinlocks=0x1fff,hv-vpindex=on,"
			    "hv-runtime=on,hv-synic=on,hv-stimer=on,hv-frequencies=on,hv-time=on,"
			    "hv-tlbflush=on,hv-ipi=on,hv-reset=on"
			  : "");
	strv_add(argv, "-smp");
	strv_addf(argv, "cpus=%u,sockets=1,cores=%u,threads=1", vm->cpus, vm->cpus);
	strv_add(argv, "-m");
	strv_addf(argv, "size=%" PRIu64 "M", vm->memory_bytes >> 20);
	strv_add(argv, "-object");
	if (in->memory == QEMU_MEMORY_OWN)
		strv_addf(argv, "memory-backend-memfd,id=ram,size=%" PRIu64 "M,share=on",
			  vm->memory_bytes >> 20);
	else
		strv_addf(argv,
			  "memory-backend-file,id=ram,size=%" PRIu64
			  "M,share=%s,mem-path=" QEMU_MEMORY,
			  vm->memory_bytes >> 20, in->memory == QEMU_MEMORY_WRITE ? "on" : "off");
	/* From where, it hears when it is sealed: what comes is a guest's doing. */
	if (in->waits) {
		strv_add(argv, "-incoming");
		strv_add(argv, "defer");
		/* Events of it, without a command: QEMU takes some microseconds to read each byte
		 * of one. */
		strv_add(argv, "-global");
		strv_add(argv, "migration.x-events=on");
	}
	strv_add(argv, "-uuid");
	strv_add(argv, vm->uuid);
	/* Who sees that it is another one than it was renews its random numbers. It stays from
	 * start to start, for some systems take another one for a restored backup. */
	add_json(argv, "-device",
		 json_pack("{s:s s:s s:s}", "driver", "vmgenid", "id", "generation", "guid",
			   in->memory == QEMU_MEMORY_FORK ? "auto" : vm->uuid));
	strv_add(argv, "-rtc");
	strv_addf(argv, "base=%s,driftfix=slew", spec_clock_name(vm->clock));
	strv_add(argv, "-boot");
	strv_add(argv, "strict=on");
}

static void add_firmware(struct strv *argv, const struct qemu_inputs *in)
{
	if (in->fds.code >= 0) {
		add_node(argv, &(struct node){"code", in->fds.code, .qcow2 = in->code_qcow2,
					      .read_only = true});
		add_node(argv, &(struct node){"vars", in->fds.vars, .qcow2 = true});
	}
	/* -kernel and -initrd do not know fdsets. */
	if (in->vm->kernel) {
		strv_add(argv, "-kernel");
		strv_add(argv, QEMU_KERNEL);
	}
	if (in->vm->initrd) {
		strv_add(argv, "-initrd");
		strv_add(argv, QEMU_INITRD);
	}
	if (in->vm->kernel && in->vm->cmdline) {
		strv_add(argv, "-append");
		strv_add(argv, in->vm->cmdline);
	}
}

static void add_tables(struct strv *argv, const struct qemu_inputs *in)
{
	for (size_t i = 0; i < in->n_tables; i++) {
		const char *fw_cfg = in->tables[i].fw_cfg;

		strv_add(argv, *fw_cfg ? "-fw_cfg" : "-smbios");
		if (*fw_cfg)
			strv_addf(argv, "name=%s,file=" QEMU_TABLE, fw_cfg, i);
		else
			strv_addf(argv, "type=11,path=" QEMU_TABLE, i);
	}
}

static void add_vsock(struct strv *argv, const struct qemu_inputs *in)
{
	char fd[16];

	if (in->fds.vsock < 0)
		return;
	(void)str_format(fd, sizeof(fd), "%d", in->fds.vsock);
	add_pci(argv,
		json_pack("{s:s s:s s:I s:s}", "driver", "vhost-vsock-pci", "id", "vsock0",
			  "guest-cid", (json_int_t)in->vm->vsock_cid, "vhostfd", fd),
		HARDWARE_SLOT_VSOCK);
}

static void add_channels(struct strv *argv, const struct qemu_inputs *in)
{
	add_chardev(argv, "monitor", in->fds.monitor, -1);
	strv_add(argv, "-mon");
	strv_add(argv, "chardev=monitor,mode=control");
	add_fdset(argv, in->fds.serial_log);
	add_chardev(argv, "serial", in->fds.serial, in->fds.serial_log);
	add_json(argv, "-device",
		 json_pack("{s:s s:s s:s}", "driver", "isa-serial", "id", "serial0", "chardev",
			   "serial"));
	if (in->fds.agent >= 0 || in->vm->spice)
		add_pci(argv,
			json_pack("{s:s s:s}", "driver", "virtio-serial-pci", "id", "vserial"),
			HARDWARE_SLOT_SERIAL);
	if (in->fds.agent >= 0) {
		add_chardev(argv, "agent", in->fds.agent, -1);
		add_json(argv, "-device",
			 json_pack("{s:s s:s s:s s:s s:s}", "driver", "virtserialport", "id",
				   "agent0", "bus", "vserial.0", "chardev", "agent", "name",
				   "org.qemu.guest_agent.0"));
	}
	if (in->fds.tpm >= 0) {
		strv_add(argv, "-chardev");
		strv_addf(argv, "socket,id=tpm,fd=%d", in->fds.tpm);
		strv_add(argv, "-tpmdev");
		strv_add(argv, "emulator,id=tpm0,chardev=tpm");
		add_json(argv, "-device",
			 json_pack("{s:s s:s}", "driver", "tpm-crb", "tpmdev", "tpm0"));
	}
}

/* Its clients are on this host: what would make pictures smaller for a slow line is code that
 * nobody needs. No migration of clients, no files from the viewer into the guest. */
static void add_spice(struct strv *argv)
{
	strv_add(argv, "-spice");
	strv_add(argv, "port=0,disable-ticketing=on,image-compression=off,"
		       "jpeg-wan-compression=never,zlib-glz-wan-compression=never,"
		       "streaming-video=off,playback-compression=off,seamless-migration=off,"
		       "disable-agent-file-xfer=on");
	strv_add(argv, "-chardev");
	strv_add(argv, "spicevmc,id=vdagent,name=vdagent");
	add_json(argv, "-device",
		 json_pack("{s:s s:s s:s s:s s:s}", "driver", "virtserialport", "id", "vdagent0",
			   "bus", "vserial.0", "chardev", "vdagent", "name", "com.redhat.spice.0"));
}

static void add_display(struct strv *argv, const struct qemu_inputs *in)
{
	strv_add(argv, "-display");
	strv_add(argv, "none");
	/* It listens nowhere: clients come by the monitor, one by one, as descriptors. */
	if (in->vm->display != SPEC_DISPLAY_NONE) {
		strv_add(argv, "-vnc");
		strv_add(argv, in->vm->vnc.password.name ? "none,password=on" : "none");
		if (in->vm->spice)
			add_spice(argv);
		add_pci(argv,
			json_pack("{s:s s:s}", "driver",
				  in->vm->display == SPEC_DISPLAY_VIRTIO ? "virtio-vga" : "VGA",
				  "id", "video0"),
			HARDWARE_SLOT_DISPLAY);
	}
	if (in->vm->tablet) {
		add_pci(argv, json_pack("{s:s s:s}", "driver", "qemu-xhci", "id", "usb"),
			HARDWARE_SLOT_USB);
		add_json(argv, "-device",
			 json_pack("{s:s s:s s:s}", "driver", "usb-tablet", "id", "tablet0", "bus",
				   "usb.0"));
	}
	add_pci(argv, json_pack("{s:s s:s}", "driver", "virtio-rng-pci", "id", "rng0"),
		HARDWARE_SLOT_RNG);
	/* Empty PCIe ports: what is plugged into a running machine goes here. */
	for (unsigned i = 0; i < HARDWARE_SPARE_PORTS; i++) {
		char id[16], address[16];

		(void)str_format(id, sizeof(id), "spare%u", i);
		(void)str_format(address, sizeof(address), "0x%x.%u", HARDWARE_SLOT_PORTS, i);
		add_json(argv, "-device",
			 json_pack("{s:s s:s s:s s:s s:b s:i}", "driver", "pcie-root-port", "id",
				   id, "bus", "pcie.0", "addr", address, "multifunction", true,
				   "chassis", (int)i + 1));
	}
}

/* The image of disk i and what lies below it, the lowest first: a node has to be there
 * before one names it. */
static void add_image(struct strv *argv, const struct qemu_inputs *in, size_t i, const char *node)
{
	const struct qemu_layers *below = in->fds.below ? &in->fds.below[i] : NULL;
	const struct spec_disk *disk = &in->vm->disks[i];
	char names[2][48], *at = NULL;

	if (in->stand_ins) {
		add_json(argv, "-blockdev",
			 json_pack("{s:s s:s s:I s:b s:b}", "driver", "null-co", "node-name", node,
				   "size", (json_int_t)in->stand_ins[i], "read-zeroes", true,
				   "read-only", disk->read_only));
		return;
	}
	for (size_t k = below ? below->n : 0; k > 0; k--) {
		char *next = names[k % 2];

		(void)str_format(next, sizeof(names[0]), "%s-%zu", node, k);
		add_node(argv,
			 &(struct node){next, below->v[k - 1].fd, .qcow2 = below->v[k - 1].qcow2,
					.read_only = true, .backing = at});
		at = next;
	}
	add_node(argv,
		 &(struct node){node, in->fds.disks[i], .qcow2 = disk->format == SPEC_FORMAT_QCOW2,
				.read_only = disk->read_only, .discard = true,
				.direct = below && below->direct, .backing = at});
}

static void add_disk(struct strv *argv, const struct qemu_inputs *in, size_t i)
{
	const struct spec_disk *disk = &in->vm->disks[i];
	unsigned place = in->hw->disks[i];
	char node[32], id[32], bus[16];
	json_t *device = NULL;

	(void)str_format(node, sizeof(node), "disk%zu", i);
	(void)str_format(id, sizeof(id), "disk%zu-dev", i);
	add_image(argv, in, i, node);
	switch (disk->bus) {
	case SPEC_BUS_SATA:
		(void)str_format(bus, sizeof(bus), "ide.%u", place);
		device = json_pack("{s:s s:s}", "driver", "ide-hd", "bus", bus);
		break;
	case SPEC_BUS_SCSI:
		device = json_pack("{s:s s:s s:i s:i s:i}", "driver", "scsi-hd", "bus", "scsi0.0",
				   "channel", 0, "scsi-id", 0, "lun", (int)place);
		break;
	case SPEC_BUS_NVME:
		(void)str_format(bus, sizeof(bus), "hv-nvme-%u", place);
		device = json_pack("{s:s s:s}", "driver", "nvme", "serial", bus);
		add_pci_address(device, place);
		break;
	case SPEC_BUS_VIRTIO:
	case SPEC_BUS_COUNT:
		device = json_pack("{s:s}", "driver", "virtio-blk-pci");
		add_pci_address(device, place);
		break;
	}
	if (device) {
		(void)json_object_set_new(device, "id", json_string(id));
		(void)json_object_set_new(device, "drive", json_string(node));
		(void)json_object_set_new(device, "bootindex", json_integer((json_int_t)i + 1));
	}
	add_json(argv, "-device", device);
}

static void add_storage(struct strv *argv, const struct qemu_inputs *in)
{
	bool scsi = false;

	for (size_t i = 0; i < in->vm->n_disks; i++)
		scsi = scsi || in->vm->disks[i].bus == SPEC_BUS_SCSI;
	if (scsi)
		add_pci(argv, json_pack("{s:s s:s}", "driver", "virtio-scsi-pci", "id", "scsi0"),
			HARDWARE_SLOT_SCSI);
	for (size_t i = 0; i < in->vm->n_disks; i++)
		add_disk(argv, in, i);
	for (size_t i = 0; i < in->vm->n_cdroms; i++) {
		char node[32], id[32], bus[16];

		(void)str_format(node, sizeof(node), "cdrom%zu", i);
		(void)str_format(id, sizeof(id), "cdrom%zu-dev", i);
		(void)str_format(bus, sizeof(bus), "ide.%u", in->hw->cdroms[i]);
		add_node(argv, &(struct node){node, in->fds.cdroms[i], .read_only = true});
		add_json(argv, "-device",
			 json_pack("{s:s s:s s:s s:s s:i}", "driver", "ide-cd", "id", id, "bus",
				   bus, "drive", node, "bootindex",
				   (int)(in->vm->n_disks + i + 1)));
	}
}

static void add_nics(struct strv *argv, const struct qemu_inputs *in)
{
	static const char *const drivers[] = {
		[SPEC_NIC_VIRTIO] = "virtio-net-pci",
		[SPEC_NIC_E1000E] = "e1000e",
		[SPEC_NIC_E1000] = "e1000",
	};

	_Static_assert(sizeof(drivers) / sizeof(drivers[0]) == SPEC_NIC_COUNT, "a driver each");
	for (size_t i = 0; i < in->vm->n_nics; i++) {
		char netdev[16], id[16], mac[MAC_TEXT_SIZE];
		json_t *device;

		(void)str_format(netdev, sizeof(netdev), "net%zu", i);
		(void)str_format(id, sizeof(id), "nic%zu", i);
		mac_format(mac, in->first_macs && in->vm->nics[i].model == SPEC_NIC_E1000E
					? in->first_macs[i]
					: in->hw->nics[i].mac);
		strv_add(argv, "-netdev");
		strv_addf(argv, "tap,id=%s,fd=%d", netdev, in->fds.taps[i]);
		/* Without an option ROM: QEMU would open it by path, and UEFI has
		 * drivers of its own. */
		device =
			json_pack("{s:s s:s s:s s:s s:s}", "driver", drivers[in->vm->nics[i].model],
				  "id", id, "netdev", netdev, "mac", mac, "romfile", "");
		add_pci(argv, device, in->hw->nics[i].slot);
	}
}

void qemu_args_build(const struct qemu_inputs *in, const char *program, struct strv *ret_argv)
{
	strv_add(ret_argv, program);
	add_machine(ret_argv, in);
	add_firmware(ret_argv, in);
	add_tables(ret_argv, in);
	add_channels(ret_argv, in);
	add_display(ret_argv, in);
	add_storage(ret_argv, in);
	add_nics(ret_argv, in);
	add_vsock(ret_argv, in);
}
