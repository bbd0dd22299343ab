/* SPDX-License-Identifier: MIT */
/*
 * What was typed in the shell, in a file of the user's, as libedit writes it. A line is appended
 * when it is typed: it stays where the terminal is closed, and shells that run side by side do not
 * take each other's.
 */
#ifndef HV_CLI_QMP_HISTORY_H
#define HV_CLI_QMP_HISTORY_H

#include "cli/edit_library.h"

/* Gives history what the file holds, and trims that to about `most` lines. NULL where there is no
 * place for a file; what fails costs what was typed before, and nothing else. */
void qmp_history_open(const struct edit_library *lib, History *history, int most, char **ret_path);

/* Appends a line, without its end. path may be NULL. */
void qmp_history_add(const char *path, const char *line);

#endif
