/* SPDX-License-Identifier: MIT */
/*
 * The store of UEFI variables in an NVRAM, as EDK II lays it out: a firmware volume
 * with a header, and one variable after the other. Pure; the store is a guest's, and
 * read without trust.
 */
#ifndef HV_FIRMWARE_VARIABLES_H
#define HV_FIRMWARE_VARIABLES_H

#include <stddef.h>
#include <stdint.h>

/*
 * Deletes and wipes what tells one machine from another and would be in two after a copy:
 * the secret that systemd-boot mixes into random seeds, and the names that firmware
 * gives itself for DHCPv6 and iSCSI. Boot entries, keys and settings stay. Returns how
 * many there were; 0 also where it is no such store.
 */
size_t firmware_variables_forget(uint8_t *store, size_t len);

#endif
