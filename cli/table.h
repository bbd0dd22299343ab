/* SPDX-License-Identifier: MIT */
/* Tables for people: cells are kept until the end, columns as wide as needed. */
#ifndef HV_CLI_TABLE_H
#define HV_CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct cli_table {
	char **cells;
	size_t n, columns;
	bool failed;
};

void cli_table_init(struct cli_table *t, size_t columns);

/* The next cell, made printable. */
void cli_table_add(struct cli_table *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Prints and frees it. */
void cli_table_print(struct cli_table *t, FILE *out);

#endif
