/* SPDX-License-Identifier: MIT */
/* The words of the configuration for each enum of lab/spec.h. */
#include "lab/names.h"

#include "base/cleanup.h"
#include "lab/spec.h"

#include <assert.h>

const char *const lab_firmware_words[] = {
	[SPEC_FIRMWARE_UEFI] = "uefi",
	[SPEC_FIRMWARE_SECURE_BOOT] = "secure-boot",
	[SPEC_FIRMWARE_BIOS] = "bios",
	[SPEC_FIRMWARE_NONE] = "none",
	NULL,
};
static_assert(ARRAY_SIZE(lab_firmware_words) == SPEC_FIRMWARE_COUNT + 1, "a word each");

const char *const lab_clock_words[] = {
	[SPEC_CLOCK_UTC] = "utc",
	[SPEC_CLOCK_LOCALTIME] = "localtime",
	NULL,
};
static_assert(ARRAY_SIZE(lab_clock_words) == SPEC_CLOCK_COUNT + 1, "a word each");

const char *const lab_accel_words[] = {
	[SPEC_ACCEL_AUTO] = "auto",
	[SPEC_ACCEL_KVM] = "kvm",
	[SPEC_ACCEL_TCG] = "tcg",
	NULL,
};
static_assert(ARRAY_SIZE(lab_accel_words) == SPEC_ACCEL_COUNT + 1, "a word each");

const char *const lab_bus_words[] = {
	[SPEC_BUS_VIRTIO] = "virtio",
	[SPEC_BUS_SATA] = "sata",
	[SPEC_BUS_SCSI] = "scsi",
	[SPEC_BUS_NVME] = "nvme",
	NULL,
};
static_assert(ARRAY_SIZE(lab_bus_words) == SPEC_BUS_COUNT + 1, "a word each");

const char *const lab_format_words[] = {
	[SPEC_FORMAT_QCOW2] = "qcow2",
	[SPEC_FORMAT_RAW] = "raw",
	NULL,
};
static_assert(ARRAY_SIZE(lab_format_words) == SPEC_FORMAT_COUNT + 1, "a word each");

const char *const lab_cache_words[] = {
	[SPEC_CACHE_AUTO] = "auto",
	[SPEC_CACHE_NONE] = "none",
	[SPEC_CACHE_WRITEBACK] = "writeback",
	NULL,
};
static_assert(ARRAY_SIZE(lab_cache_words) == SPEC_CACHE_COUNT + 1, "a word each");

const char *const lab_nic_words[] = {
	[SPEC_NIC_VIRTIO] = "virtio",
	[SPEC_NIC_E1000E] = "e1000e",
	[SPEC_NIC_E1000] = "e1000",
	NULL,
};
static_assert(ARRAY_SIZE(lab_nic_words) == SPEC_NIC_COUNT + 1, "a word each");

const char *const lab_display_words[] = {
	[SPEC_DISPLAY_NONE] = "none",
	[SPEC_DISPLAY_VGA] = "vga",
	[SPEC_DISPLAY_VIRTIO] = "virtio",
	NULL,
};
static_assert(ARRAY_SIZE(lab_display_words) == SPEC_DISPLAY_COUNT + 1, "a word each");

const char *const lab_restart_words[] = {
	[SPEC_RESTART_NO] = "no",
	[SPEC_RESTART_ON_FAILURE] = "on-failure",
	NULL,
};
static_assert(ARRAY_SIZE(lab_restart_words) == SPEC_RESTART_COUNT + 1, "a word each");

const char *const lab_on_shutdown_words[] = {
	[SPEC_ON_SHUTDOWN_SHUTDOWN] = "shutdown",
	[SPEC_ON_SHUTDOWN_SAVE] = "save",
	NULL,
};
static_assert(ARRAY_SIZE(lab_on_shutdown_words) == SPEC_ON_SHUTDOWN_COUNT + 1, "a word each");

const char *const lab_jail_words[] = {
	[SPEC_JAIL_AUTO] = "auto",
	[SPEC_JAIL_REQUIRE] = "require",
	NULL,
};
static_assert(ARRAY_SIZE(lab_jail_words) == SPEC_JAIL_COUNT + 1, "a word each");

const char *const lab_credential_from_words[] = {
	[SPEC_CREDENTIAL_FROM_UNIT] = "unit",
	NULL,
};
static_assert(ARRAY_SIZE(lab_credential_from_words) == SPEC_CREDENTIAL_FROM_COUNT + 1,
	      "a word each");

const char *spec_firmware_name(enum spec_firmware v)
{
	return lab_firmware_words[v];
}

const char *spec_clock_name(enum spec_clock v)
{
	return lab_clock_words[v];
}

const char *spec_accel_name(enum spec_accel v)
{
	return lab_accel_words[v];
}

const char *spec_bus_name(enum spec_bus v)
{
	return lab_bus_words[v];
}

const char *spec_format_name(enum spec_format v)
{
	return lab_format_words[v];
}

const char *spec_nic_model_name(enum spec_nic_model v)
{
	return lab_nic_words[v];
}

const char *spec_display_name(enum spec_display v)
{
	return lab_display_words[v];
}

const char *spec_restart_name(enum spec_restart v)
{
	return lab_restart_words[v];
}

const char *spec_jail_name(enum spec_jail v)
{
	return lab_jail_words[v];
}
