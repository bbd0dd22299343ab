/* SPDX-License-Identifier: MIT */
/*
 * The program is a comparison for each device, written out:
 *
 *	r2 = type of the device; where it is no character device: refuse
 *	r3 = major, r4 = minor
 *	for each device: where both are its own: allow
 *	refuse
 */
#include "jail/device_filter.h"

#include "base/cleanup.h"
#include "base/error.h"

#include <errno.h>
#include <linux/bpf.h>
#include <stdint.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* Before the list, for each device, and behind it. */
enum { HEAD = 5, EACH = 4, TAIL = 2 };

static struct bpf_insn load_field(uint8_t to, size_t offset)
{
	return (struct bpf_insn){.code = BPF_LDX | BPF_MEM | BPF_W,
				 .dst_reg = to,
				 .src_reg = BPF_REG_1,
				 .off = (int16_t)offset};
}

static struct bpf_insn jump_if_not(uint8_t reg, uint32_t value, int16_t over)
{
	return (struct bpf_insn){.code = BPF_JMP | BPF_JNE | BPF_K,
				 .dst_reg = reg,
				 .off = over,
				 .imm = (int32_t)value};
}

static struct bpf_insn set_result(int32_t allowed)
{
	return (struct bpf_insn){
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = allowed};
}

static const struct bpf_insn leave = {.code = BPF_JMP | BPF_EXIT};

static size_t write_program(struct bpf_insn *p, const dev_t *devices, size_t n)
{
	size_t len = 0;

	p[len++] = load_field(BPF_REG_2, offsetof(struct bpf_cgroup_dev_ctx, access_type));
	/* The upper half is what is to be done with it, the lower one its type. */
	p[len++] = (struct bpf_insn){
		.code = BPF_ALU | BPF_AND | BPF_K, .dst_reg = BPF_REG_2, .imm = 0xffff};
	p[len++] = load_field(BPF_REG_3, offsetof(struct bpf_cgroup_dev_ctx, major));
	p[len++] = load_field(BPF_REG_4, offsetof(struct bpf_cgroup_dev_ctx, minor));
	p[len++] = jump_if_not(BPF_REG_2, BPF_DEVCG_DEV_CHAR, (int16_t)(EACH * n));
	for (size_t i = 0; i < n; i++) {
		p[len++] = jump_if_not(BPF_REG_3, major(devices[i]), 3);
		p[len++] = jump_if_not(BPF_REG_4, minor(devices[i]), 2);
		p[len++] = set_result(1);
		p[len++] = leave;
	}
	p[len++] = set_result(0);
	p[len++] = leave;
	return len;
}

static int sys_bpf(int command, union bpf_attr *attr)
{
	return (int)syscall(SYS_bpf, command, attr, sizeof(*attr));
}

static int load(const dev_t *devices, size_t n, int *ret_fd, struct error *err)
{
	struct bpf_insn program[HEAD + EACH * DEVICE_FILTER_MAX + TAIL];
	union bpf_attr attr;
	int fd;

	if (n > DEVICE_FILTER_MAX)
		return error_set(err, E2BIG, "device filter: more than %d devices",
				 DEVICE_FILTER_MAX);
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insn_cnt = (uint32_t)write_program(program, devices, n);
	attr.insns = (uint64_t)(uintptr_t)program;
	attr.license = (uint64_t)(uintptr_t) "GPL";
	fd = sys_bpf(BPF_PROG_LOAD, &attr);
	if (fd < 0)
		return error_errno(err, errno, "device filter: load the program");
	*ret_fd = fd;
	return 0;
}

int device_filter_attach(int cgroup_fd, const dev_t *devices, size_t n, struct error *err)
{
	cleanup_close int fd = -1;
	union bpf_attr attr;
	int rc = load(devices, n, &fd, err);

	if (rc < 0)
		return rc;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup_fd;
	attr.attach_bpf_fd = (uint32_t)fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	if (sys_bpf(BPF_PROG_ATTACH, &attr) < 0)
		return error_errno(err, errno, "device filter: attach the program");
	return 0;
}

int device_filter_probe(struct error *err)
{
	cleanup_close int fd = -1;

	return load(NULL, 0, &fd, err);
}
