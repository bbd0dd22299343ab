/* SPDX-License-Identifier: MIT */
/* Decoders of scalars: value.c, and value_net.c (addresses and names of networks). */
#ifndef HV_LAB_VALUE_PRIVATE_H
#define HV_LAB_VALUE_PRIVATE_H

#include "lab/decode.h"

/* field: where the row's value goes. One that is not right is a fault. */
typedef void value_fn(struct lab_decoder *d, const struct lab_schema_row *row,
		      const struct lab_node *value, void *field);

/* Replaces an allocated text. */
void value_set_text(struct lab_decoder *d, char **field, const char *text);

value_fn value_take_interface, value_take_cidr, value_take_range, value_take_address,
	value_take_mac, value_take_domain;

#endif
