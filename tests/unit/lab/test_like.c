/* SPDX-License-Identifier: MIT */
/* VMs that are like another one, and those that hvup made itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cleanup.h"
#include "tests/unit/base/scratch.h"
#include "tests/unit/lab/parse.h"

static const char source[] =
	"networks: {n: {bridge: b, address: 10.0.0.1/24, dhcp: 10.0.0.50-10.0.0.60}}\n"
	"profiles:\n"
	"  p: {memory: 2G, autostart: true, disks: [{path: /p}], display: vga}\n"
	"  q: {memory: 3G, autostart: true}\n"
	"vms:\n"
	"  src:\n"
	"    profile: p\n"
	"    uuid: 4c82c973-7299-468e-bf15-d442ee681475\n"
	"    cpus: 4\n"
	"    vsock: 77\n"
	"    disks: [{path: /a}, {path: /b}]\n"
	"    cdroms: [/c.iso]\n"
	"    oem-strings: [hello]\n"
	"    credentials: {k: {text: v}}\n"
	"    nics: [{network: n, mac: '52:54:00:11:22:33', address: 10.0.0.20}]\n";

static struct lab *parse_behind_source(const char *more)
{
	cleanup_free char *text = str_printf("%s%s", source, more);

	assert_non_null(text);
	return parse_lab(text);
}

static void test_what_is_taken_over(void **state)
{
	struct lab *lab = parse_behind_source("  dst: {like: src, disks: [{path: /d}]}\n");
	const struct spec_vm *src = &lab->vms[0], *dst = &lab->vms[1];

	(void)state;
	assert_string_equal(dst->like, "src");
	assert_null(src->like);
	assert_int_equal(dst->cpus, 4);
	assert_int_equal(dst->memory_bytes, 2ULL << 30);
	assert_int_equal(dst->n_cdroms, 1);
	assert_string_equal(dst->oem_strings[0], "hello");
	assert_string_equal(dst->credentials[0].text, "v");
	/* The profile's display is why there is a tablet. */
	assert_true(dst->display == SPEC_DISPLAY_VGA && dst->tablet);
	/* And what is its own. */
	assert_string_not_equal(dst->uuid, src->uuid);
	assert_true(src->autostart && !dst->autostart);
	assert_int_equal(dst->n_disks, 1);
	assert_string_equal(dst->disks[0].path, "/d");
	assert_int_equal(dst->n_nics, 1);
	assert_ptr_equal(dst->nics[0].network, src->nics[0].network);
	assert_false(dst->nics[0].mac_given);
	assert_memory_not_equal(dst->nics[0].mac, src->nics[0].mac, 6);
	assert_true(src->nics[0].has_address && !dst->nics[0].has_address);
	assert_int_equal(dst->vsock, SPEC_VSOCK_AUTO);
	assert_true(dst->vsock_cid && dst->vsock_cid != src->vsock_cid);
	lab_free(lab);
}

/* What is said at the machine itself counts, its profile's before its source's. */
/* What is said of a machine, wherever it stands, makes its checksum, and nothing else does. */
static void test_sum(void **state)
{
	static const char base[] = "profiles: {p: {memory: 2G}, q: {}}\n"
				   "vms: {a: {profile: p, template-state: s, spares: 1, cpus: 2},\n"
				   "      b: {like: a}, c: {like: b}, x: {}}\n";
	static const struct {
		const char *text;
		bool same;
	} rows[] = {
		{base, true},
		{"# told elsewhere\nvms: {x: {cpus: 3}, b: {like: a}, c: {like: b},\n"
		 "  a: {profile: p, template-state: s, spares: 1, cpus: 2}}\n"
		 "profiles: {q: {memory: 4G}, p: {memory: 2G}}\n",
		 true},
		{"profiles: {p: {memory: 3G}, q: {}}\n"
		 "vms: {a: {profile: p, template-state: s, spares: 1, cpus: 2},\n"
		 "      b: {like: a}, c: {like: b}, x: {}}\n",
		 false},
		{"profiles: {p: {memory: 2G}, q: {}}\n"
		 "vms: {a: {profile: p, template-state: s, spares: 1, cpus: 2},\n"
		 "      b: {like: a, agent: false}, c: {like: b}, x: {}}\n",
		 false},
		{"profiles: {p: {memory: 2G}, q: {}}\n"
		 "vms: {a: {profile: p, template-state: s, spares: 1, cpus: 2},\n"
		 "      b: {like: a}, c: {like: b, credentials: {k: {text: w}}}, x: {}}\n",
		 false},
	};
	struct lab *first = parse_lab(base);
	const char *sum = lab_find_vm(first, "c")->sum;

	(void)state;
	assert_int_equal(strlen(sum), 64);
	assert_string_equal(lab_find_vm(first, "x")->sum, "");
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct lab *lab = parse_lab(rows[i].text);

		assert_int_equal(str_eq(lab_find_vm(lab, "c")->sum, sum), rows[i].same);
		lab_free(lab);
	}
	lab_free(first);
}

static void test_own_words(void **state)
{
	struct lab *lab = parse_behind_source(
		"  dst: {like: src, profile: q, cpus: 1, vsock: 78, tablet: false,\n"
		"    nics: [{network: n, address: 10.0.0.21}]}\n"
		"  third: {like: dst, cpus: 2}\n");
	const struct spec_vm *dst = &lab->vms[1], *third = &lab->vms[2];

	(void)state;
	assert_int_equal(dst->memory_bytes, 3ULL << 30);
	assert_true(dst->autostart);
	assert_int_equal(dst->cpus, 1);
	assert_int_equal(dst->vsock_cid, 78);
	assert_false(dst->tablet);
	assert_true(dst->nics[0].has_address);
	assert_int_equal(dst->n_disks, 0);
	/* A chain: the nearest word counts. */
	assert_int_equal(third->memory_bytes, 3ULL << 30);
	assert_int_equal(third->cpus, 2);
	assert_int_equal(third->n_cdroms, 1);
	assert_false(third->tablet);
	assert_false(third->autostart);
	assert_false(third->nics[0].has_address);
	lab_free(lab);
}

/* Derived from the new name, so the same on every host. */
static void test_identity_follows_from_the_name(void **state)
{
	struct lab *lab = parse_behind_source("  dst: {like: src}\n  plain: {}\n");
	struct lab *alone = parse_lab("vms: {dst: {}}\n");

	(void)state;
	assert_string_equal(lab->vms[1].uuid, alone->vms[0].uuid);
	lab_free(alone);
	lab_free(lab);
}

static void test_faults(void **state)
{
	static const struct fault_row rows[] = {
		{"vms: {a: {like: b}}", "1:17: like: there is no vm 'b'; there is: a\n"},
		{"vms: {a: {like: a}}", "1:17: like: goes round in a circle: 'a' like 'a'\n"},
		{"vms: {c: {like: a}, a: {like: b}, b: {like: a}}",
		 "1:31: like: goes round in a circle: 'a' like 'b' like 'a'\n"},
		{"vms: {a: {like: [b]}}", "1:17: like: has to be name of a VM, not a list\n"},
		{"profiles: {p: {like: a}}\nvms: {a: {}}",
		 "1:16: 'like' cannot stand in a profile\n"},
		/* A fault of the source is told there, once. */
		{"vms: {a: {cpus: 0, nonsense: 1}, b: {like: a}}",
		 "1:17: cpus: '0' is not a number from 1 to 255\n"
		 "1:20: unknown key 'nonsense' in vms (hv.yaml(5) lists them)\n"},
	};

	(void)state;
	assert_fault_rows(rows, ARRAY_SIZE(rows));
}

static void test_long_chain(void **state)
{
	cleanup_strbuf struct strbuf text = {0};
	cleanup_free char *faults = NULL;

	(void)state;
	strbuf_addf(&text, "vms:\n  v0: {cpus: 3}\n");
	for (int i = 1; i <= 65; i++)
		strbuf_addf(&text, "  v%d: {like: v%d}\n", i, i - 1);
	faults = parse_faults(text.data);
	assert_string_equal(faults, "67:15: like: a chain of more than 64 machines\n");
}

static void put(int dirfd, const char *name, const char *text)
{
	assert_int_equal(file_write_volatile(dirfd, name, text, strlen(text), 0600, NULL), 0);
}

/* The machines that hvup made come from a folder of their own. */
static void test_made(void **state)
{
	const struct scratch *s = *state;
	cleanup_free char *config = str_printf("%s/lab.yaml", s->path);
	cleanup_free char *made = str_printf("%s/machines", s->path), *twice = NULL;
	const struct lab_extra extra = {"new.yaml", "{\"vms\": {\"n\": {\"like\": \"m\"}}}"};
	struct lab_faults faults = {0};
	struct error err = ERROR_INIT;
	struct lab *lab = NULL;
	cleanup_close int fd = -1;

	put(s->fd, "lab.yaml", "vms: {a: {cpus: 2}}\n");
	assert_int_equal(lab_load_all(config, made, NULL, &lab, &faults, &err), 0);
	assert_int_equal(lab->n_vms, 1);
	lab_free(lab);
	assert_int_equal(file_open_dir(s->fd, "machines", 0700, &fd, NULL), 0);
	assert_int_equal(lab_load_all(config, made, NULL, &lab, &faults, &err), 0);
	lab_free(lab);
	put(fd, "m.yaml", "{\"vms\": {\"m\": {\"like\": \"a\"}}}\n");
	put(fd, ".half.part", "[");
	assert_int_equal(lab_load_all(config, made, &extra, &lab, &faults, &err), 0);
	assert_int_equal(lab->n_vms, 3);
	assert_int_equal(lab_find_vm(lab, "m")->cpus, 2);
	assert_int_equal(lab_find_vm(lab, "n")->cpus, 2);
	assert_non_null(strstr(lab_find_vm(lab, "m")->where.file, "/machines/m.yaml"));
	lab_free(lab);
	/* The same name in both is a fault that names both places. */
	put(s->fd, "lab.yaml", "vms:\n  a: {}\n  m: {}\n");
	assert_int_equal(lab_load_all(config, made, NULL, &lab, &faults, &err), -EINVAL);
	assert_int_equal(faults.n, 1);
	twice = str_printf("'m' is in vms twice; the first is in %s:3", config);
	assert_string_equal(faults.v[0].text, twice);
	assert_non_null(strstr(faults.v[0].file, "/machines/m.yaml"));
	lab_faults_free(&faults);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_taken_over),
		cmocka_unit_test(test_sum),
		cmocka_unit_test(test_own_words),
		cmocka_unit_test(test_identity_follows_from_the_name),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_long_chain),
		scratch_test(test_made),
	};

	return cmocka_run_group_tests_name("lab/like", tests, NULL, NULL);
}
