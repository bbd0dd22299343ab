/* SPDX-License-Identifier: MIT */
#include "vmm/host.h"

#include "base/cleanup.h"
#include "base/file.h"
#include "base/str.h"

#include <fcntl.h>
#include <linux/kvm.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#if defined(__x86_64__)
#define ARCH "x86_64"
#elif defined(__aarch64__)
#define ARCH "aarch64"
#else
#error "hvup knows x86-64 and aarch64"
#endif

const char *host_arch(void)
{
	return ARCH;
}

const char *host_qemu_name(void)
{
	return "qemu-system-" ARCH;
}

/* Opening /dev/kvm is no proof: nested hosts may offer a KVM that cannot run a
 * stock 64-bit guest. The CPU's own flag is. */
static bool cpu_runs_guests(void)
{
	cleanup_fclose FILE *f = NULL;
	char line[8192];

	if (str_eq(ARCH, "aarch64"))
		return true;
	f = fopen("/proc/cpuinfo", "re");
	while (f && fgets(line, sizeof(line), f)) {
		if (!str_after(line, "flags"))
			continue;
		return strstr(line, " vmx") || strstr(line, " svm");
	}
	return false;
}

/* Every kernel since 5.0 has them; a KVM that is not the kernel's may not. */
static bool kvm_has_hyperv(int kvm_fd)
{
#if defined(__x86_64__)
	static const int needed[] = {KVM_CAP_HYPERV_SYNIC2, KVM_CAP_HYPERV_VP_INDEX,
				     KVM_CAP_HYPERV_TLBFLUSH, KVM_CAP_HYPERV_SEND_IPI};

	for (size_t i = 0; i < ARRAY_SIZE(needed); i++)
		if (ioctl(kvm_fd, KVM_CHECK_EXTENSION, needed[i]) <= 0)
			return false;
	return true;
#else
	(void)kvm_fd;
	return false;
#endif
}

static void probe_kvm(struct host *host)
{
	cleanup_close int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);

	host->kvm_device = fd >= 0;
	host->kvm = fd >= 0 && cpu_runs_guests();
	host->hyperv = fd >= 0 && kvm_has_hyperv(fd);
}

static bool device_opens(const char *path)
{
	cleanup_close int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd >= 0;
}

void host_probe(struct host *ret_host)
{
	struct host host = {0};
	struct sysinfo info;

	host.qemu = file_find_program(host_qemu_name());
	host.qemu_img = file_find_program("qemu-img");
	host.swtpm = file_find_program("swtpm");
	host.dnsmasq = file_find_program("dnsmasq");
	host.root = geteuid() == 0;
	host.tun = access("/dev/net/tun", F_OK) == 0;
	host.vsock = device_opens("/dev/vhost-vsock");
	probe_kvm(&host);
	if (sysinfo(&info) == 0)
		host.memory_bytes = (uint64_t)info.totalram * info.mem_unit;
	*ret_host = host;
}

void host_free(struct host *host)
{
	free(host->qemu);
	free(host->qemu_img);
	free(host->swtpm);
	free(host->dnsmasq);
	*host = (struct host){0};
}
