/* SPDX-License-Identifier: MIT */
/* Private to lab/: the words of each enum, ended by NULL. */
#ifndef HV_LAB_NAMES_H
#define HV_LAB_NAMES_H

extern const char *const lab_firmware_words[],
	*const lab_clock_words[], *const lab_accel_words[],
					  *const lab_bus_words[],
						  *const lab_format_words[],
							  *const lab_nic_words[],
								  *const lab_display_words[];
extern const char *const lab_restart_words[];
extern const char *const lab_jail_words[];
extern const char *const lab_credential_from_words[];
extern const char *const lab_cache_words[];
extern const char *const lab_on_shutdown_words[];

#endif
