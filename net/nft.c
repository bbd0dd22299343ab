/* SPDX-License-Identifier: MIT */
/*
 * The table of a network, in nft's own language. Base chains of several tables
 * all see a packet, and one drop is final: so the table of each network guards
 * its own bridge and knows no other, and two networks are kept apart by both.
 *
 * libnftables is loaded when it is first needed: only the supervisor of a
 * network and nobody else pays for its libraries at start.
 */
#include "net/nft.h"

#include "base/cleanup.h"
#include "base/error.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <dlfcn.h>
#include <errno.h>
#include <nftables/libnftables.h>

struct nft_library {
	void *handle;
	struct nft_ctx *ctx;
	struct nft_ctx *(*ctx_new)(uint32_t flags);
	void (*ctx_free)(struct nft_ctx *ctx);
	int (*buffer_output)(struct nft_ctx *ctx);
	int (*buffer_error)(struct nft_ctx *ctx);
	const char *(*get_output)(struct nft_ctx *ctx);
	const char *(*get_error)(struct nft_ctx *ctx);
	int (*run)(struct nft_ctx *nft, const char *buf);
};

static void nft_close(struct nft_library *l)
{
	if (l->ctx)
		l->ctx_free(l->ctx);
	if (l->handle)
		(void)dlclose(l->handle);
}

static int nft_open(struct nft_library *l, struct error *err)
{
	*l = (struct nft_library){.handle = dlopen("libnftables.so.1", RTLD_NOW | RTLD_LOCAL)};
	if (!l->handle)
		return error_set(err, ENOENT, "libnftables: %s (apt install libnftables1)",
				 dlerror());
	l->ctx_new = (__typeof__(l->ctx_new))dlsym(l->handle, "nft_ctx_new");
	l->ctx_free = (__typeof__(l->ctx_free))dlsym(l->handle, "nft_ctx_free");
	l->buffer_output = (__typeof__(l->buffer_output))dlsym(l->handle, "nft_ctx_buffer_output");
	l->buffer_error = (__typeof__(l->buffer_error))dlsym(l->handle, "nft_ctx_buffer_error");
	l->get_output = (__typeof__(l->get_output))dlsym(l->handle, "nft_ctx_get_output_buffer");
	l->get_error = (__typeof__(l->get_error))dlsym(l->handle, "nft_ctx_get_error_buffer");
	l->run = (__typeof__(l->run))dlsym(l->handle, "nft_run_cmd_from_buffer");
	if (!l->ctx_new || !l->ctx_free || !l->buffer_output || !l->buffer_error ||
	    !l->get_output || !l->get_error || !l->run)
		return error_set(err, ENOTSUP, "libnftables is too old");
	l->ctx = l->ctx_new(NFT_CTX_DEFAULT);
	if (!l->ctx || l->buffer_output(l->ctx) || l->buffer_error(l->ctx))
		return error_oom(err);
	return 0;
}

/* Runs one transaction. */
static int nft_run(struct nft_library *l, const char *text, struct error *err)
{
	cleanup_strbuf struct strbuf shown = {0};
	const char *said;

	if (l->run(l->ctx, text) == 0)
		return 0;
	said = l->get_error(l->ctx);
	strbuf_add_printable(&shown, said, strcspn(said, "\n"), false);
	return error_set(err, EIO, "nftables: %s", shown.data ? shown.data : "refused");
}

/* Names go into nft's language: no byte may leave its quotes. */
static bool is_quotable(const char *s)
{
	return *s && strpbrk(s, "\"\\\n\r\t *") == NULL;
}

char *net_rules_text(const struct net_rules *r)
{
	cleanup_strbuf struct strbuf b = {0};
	char subnet[INET_ADDRSTRLEN];
	struct in_addr base = {
		.s_addr = r->address.s_addr & htonl((uint32_t)(0xffffffffULL << (32 - r->prefix))),
	};

	(void)inet_ntop(AF_INET, &base, subnet, sizeof(subnet));
	/* Added first, so that the deletion always has something to delete. */
	strbuf_addf(&b, "add table inet hv_%s\n", r->network);
	strbuf_addf(&b, "delete table inet hv_%s\n", r->network);
	strbuf_addf(&b, "table inet hv_%s {\n", r->network);
	strbuf_addf(&b, "\tcomment \"hvup:%s\"\n", r->owner);
	strbuf_addf(&b, "\tchain forward {\n");
	strbuf_addf(&b, "\t\ttype filter hook forward priority filter; policy accept;\n");
	strbuf_addf(&b, "\t\tiifname \"%s\" oifname \"%s\" accept\n", r->bridge, r->bridge);
	if (r->nat) {
		strbuf_addf(&b, "\t\toifname \"%s\" ct state established,related accept\n",
			    r->bridge);
		strbuf_addf(&b, "\t\tiifname \"%s\" ip saddr %s/%u accept\n", r->bridge, subnet,
			    r->prefix);
	}
	strbuf_addf(&b, "\t\tiifname \"%s\" drop\n", r->bridge);
	strbuf_addf(&b, "\t\toifname \"%s\" drop\n", r->bridge);
	strbuf_addf(&b, "\t}\n");
	if (r->nat) {
		strbuf_addf(&b, "\tchain postrouting {\n");
		strbuf_addf(&b, "\t\ttype nat hook postrouting priority srcnat; policy accept;\n");
		strbuf_addf(
			&b,
			"\t\tip saddr %s/%u ip daddr { 224.0.0.0/24, 255.255.255.255 } return\n",
			subnet, r->prefix);
		strbuf_addf(&b,
			    "\t\tip saddr %s/%u ip daddr != %s/%u oifname != \"%s\" masquerade\n",
			    subnet, r->prefix, subnet, r->prefix, r->bridge);
		strbuf_addf(&b, "\t}\n");
	}
	strbuf_addf(&b, "}\n");
	return strbuf_steal(&b);
}

/* 1: our table is there; 0: none of that name; -EEXIST: somebody else's. */
static int find_table(struct nft_library *l, const char *network, const char *owner,
		      struct error *err)
{
	cleanup_free char *list = str_printf("list table inet hv_%s\n", network);
	cleanup_free char *mark = str_printf("comment \"hvup:%s\"", owner);

	if (!list || !mark)
		return error_oom(err);
	if (l->run(l->ctx, list) != 0) {
		/* What it says of that is no error of ours. */
		l->ctx_free(l->ctx);
		l->ctx = l->ctx_new(NFT_CTX_DEFAULT);
		return !l->ctx || l->buffer_output(l->ctx) || l->buffer_error(l->ctx)
			       ? error_oom(err)
			       : 0;
	}
	if (strstr(l->get_output(l->ctx), mark))
		return 1;
	return error_set(err, EEXIST,
			 "an nftables table 'inet hv_%s' exists already and is not ours; remove it "
			 "if nobody needs it (nft delete table inet hv_%s)",
			 network, network);
}

int net_rules_apply(const struct net_rules *rules, struct error *err)
{
	cleanup_free char *text = net_rules_text(rules);
	struct nft_library l;
	int rc;

	if (!text)
		return error_oom(err);
	if (!str_is_name(rules->network) || !is_quotable(rules->bridge) ||
	    !is_quotable(rules->owner))
		return error_set(err, EINVAL,
				 "network '%s': bridge or run folder has characters that nftables "
				 "cannot quote",
				 rules->network);
	rc = nft_open(&l, err);
	if (rc == 0)
		rc = find_table(&l, rules->network, rules->owner, err);
	if (rc >= 0)
		rc = nft_run(&l, text, err);
	nft_close(&l);
	return rc;
}

int net_rules_remove(const char *network, const char *owner, struct error *err)
{
	cleanup_free char *text = str_printf("delete table inet hv_%s\n", network);
	struct nft_library l;
	int rc;

	if (!text)
		return error_oom(err);
	rc = nft_open(&l, err);
	if (rc == 0)
		rc = find_table(&l, network, owner, err);
	if (rc > 0)
		rc = nft_run(&l, text, err);
	nft_close(&l);
	return rc < 0 ? rc : 0;
}

int net_rules_probe(struct error *err)
{
	void (*set_dry_run)(struct nft_ctx * ctx, bool dry);
	struct nft_library l;
	int rc = nft_open(&l, err);

	if (rc == 0) {
		set_dry_run = (__typeof__(set_dry_run))dlsym(l.handle, "nft_ctx_set_dry_run");
		if (set_dry_run) {
			set_dry_run(l.ctx, true);
			rc = nft_run(&l, "add table inet hv_probe\n", err);
		}
	}
	nft_close(&l);
	return rc;
}
