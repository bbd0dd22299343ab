/* SPDX-License-Identifier: MIT */
/* Firmware descriptors as the distributions write them, with parts to exchange. */
#ifndef HV_TESTS_DESCRIPTORS_H
#define HV_TESTS_DESCRIPTORS_H

#define CODE "/usr/share/OVMF/CODE.fd"
#define VARS "/usr/share/OVMF/VARS.fd"

#define EXECUTABLE "{\"filename\": \"" CODE "\", \"format\": \"raw\"}"
#define TEMPLATE "{\"filename\": \"" VARS "\", \"format\": \"raw\"}"
#define MAPPING                                                                    \
	"{\"device\": \"flash\", \"mode\": \"split\", \"executable\": " EXECUTABLE \
	", \"nvram-template\": " TEMPLATE "}"
#define Q35 "[{\"architecture\": \"x86_64\", \"machines\": [\"pc-i440fx-*\", \"pc-q35-*\"]}]"
#define SECURE_BOOT "[\"acpi-s3\", \"enrolled-keys\", \"requires-smm\", \"secure-boot\"]"

#define DESCRIPTOR(types, mapping, targets, features)                                       \
	"{\"description\": \"UEFI\", \"interface-types\": " types ", \"mapping\": " mapping \
	", \"targets\": " targets ", \"features\": " features ", \"tags\": []}"

#define PLAIN DESCRIPTOR("[\"uefi\"]", MAPPING, Q35, "[\"acpi-s3\", \"verbose-dynamic\"]")
#define SECURE DESCRIPTOR("[\"uefi\"]", MAPPING, Q35, SECURE_BOOT)

#endif
