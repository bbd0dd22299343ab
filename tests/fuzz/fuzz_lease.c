/* SPDX-License-Identifier: MIT */
/* dnsmasq's lease file: names are the guests' own words. */
#include "fuzz.h"

#include "base/cleanup.h"
#include "net/dnsmasq.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	cleanup_free struct net_lease *leases = NULL;
	size_t n = 0;

	fuzz_check(net_leases_parse((const char *)data, size, &leases, &n, NULL) == 0);
	for (size_t i = 0; i < n; i++)
		fuzz_check(fuzz_is_plain(leases[i].hostname));
	return 0;
}
