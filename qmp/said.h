/* SPDX-License-Identifier: MIT */
/*
 * What QEMU and its guest agent tell by words alone: their errors of these kinds are of the class
 * GenericError, and a job's is a text and nothing else. The words are the C library's for errno,
 * in English, for neither program sets a language for messages. Read off QEMU and agent 7.2; the
 * agent of Windows has others. So whoever asks here has to do without an answer, too. Pure.
 */
#ifndef HV_QMP_SAID_H
#define HV_QMP_SAID_H

#include <stdbool.h>

bool qmp_said_no_space(const char *text); /* ENOSPC */
bool qmp_said_is_folder(const char *text); /* EISDIR */

#endif
