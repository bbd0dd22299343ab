/* SPDX-License-Identifier: MIT */
#include "vmm/supervisor/guest_fork.h"

#include "base/cleanup.h"
#include "base/mac.h"
#include "base/str.h"

#include <sys/random.h>

enum { SEED_BYTES = 32 };

/*
 * $1 name, $2 machine id, $3 bytes for the random numbers, then SLOT=MAC for each NIC: an interface
 * is known by where it is plugged in. A client for DHCP is ended without a word, for what it would
 * give back is the other machine's, and started again as it was.
 */
static const char script[] =
	"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n"
	"name=$1 id=$2 seed=$3 links=\n"
	"shift 3\n"
	"printf %s \"$seed\" >/dev/urandom\n"
	"for nic in \"$@\"; do\n"
	"\tfor d in /sys/class/net/*; do\n"
	"\t\tcase $(readlink -f \"$d/device\") in\n"
	"\t\t*/0000:${nic%%=*} | */0000:${nic%%=*}/*) ;;\n"
	"\t\t*) continue ;;\n"
	"\t\tesac\n"
	"\t\ti=${d##*/}\n"
	"\t\tlinks=\"$links $i\"\n"
	"\t\tip link set dev \"$i\" down\n"
	"\t\tip -4 addr flush dev \"$i\"\n"
	"\t\tip link set dev \"$i\" address \"${nic#*=}\"\n"
	"\t\tip link set dev \"$i\" up\n"
	"\tdone\n"
	"done\n"
	"[ ! -s /etc/machine-id ] || echo \"$id\" >/etc/machine-id\n"
	"if command -v hostnamectl; then hostnamectl set-hostname \"$name\" || hostname \"$name\"\n"
	"else hostname \"$name\"; fi\n"
	"[ ! -x /etc/hv/forked ] || /etc/hv/forked \"$name\" $links\n"
	"(\n"
	"\tfor i in $links; do\n"
	"\t\tn=0\n"
	"\t\twhile [ \"$(cat /sys/class/net/$i/carrier)\" != 1 ] && [ $n -lt 300 ]; do\n"
	"\t\t\tn=$((n + 1))\n"
	"\t\t\tsleep 0.1\n"
	"\t\tdone\n"
	"\tdone\n"
	"\tfor p in /proc/[0-9]*; do\n"
	"\t\tcase $(cat $p/comm) in udhcpc | dhclient | dhcpcd) ;; *) continue ;; esac\n"
	"\t\tcat $p/cmdline >/tmp/hv-fork.$$ && kill -KILL ${p#/proc/}\n"
	"\t\txargs -0 sh -c '\"$@\" &' hv </tmp/hv-fork.$$\n"
	"\tdone\n"
	"\trm -f /tmp/hv-fork.$$\n"
	"\tif systemctl is-active systemd-networkd; then systemctl restart systemd-networkd; fi\n"
	"\tif systemctl is-active NetworkManager; then systemctl restart NetworkManager; fi\n"
	") </dev/null &\n";

/* As /etc/machine-id has it. */
static void format_id(char buf[static 33], const char *uuid)
{
	size_t n = 0;

	for (; *uuid && n < 32; uuid++)
		if (*uuid != '-')
			buf[n++] = *uuid;
	buf[n] = '\0';
}

static void format_seed(char buf[static 2 * SEED_BYTES + 1])
{
	unsigned char seed[SEED_BYTES];

	if (getrandom(seed, sizeof(seed), 0) != sizeof(seed))
		memset(seed, 0, sizeof(seed));
	for (size_t i = 0; i < sizeof(seed); i++)
		(void)str_format(buf + 2 * i, 3, "%02x", seed[i]);
}

json_t *guest_fork_exec(const struct spec_vm *vm, const struct hardware *hw)
{
	char id[33], seed[2 * SEED_BYTES + 1];
	json_t *args;

	format_id(id, vm->uuid);
	format_seed(seed);
	args = json_pack("[s s s s s s]", "-c", script, "hv", vm->name, id, seed);
	for (size_t i = 0; args && i < vm->n_nics; i++) {
		char nic[64], mac[MAC_TEXT_SIZE];

		mac_format(mac, hw->nics[i].mac);
		(void)str_format(nic, sizeof(nic), "00:%02x.0=%s", hw->nics[i].slot, mac);
		(void)json_array_append_new(args, json_string(nic));
	}
	return args ? json_pack("{s:s s:o s:b}", "path", "/bin/sh", "arg", args, "capture-output",
				false)
		    : NULL;
}
