/* bpf(2), as far as cgroup v2 needs it: there a program decides which devices may be used. */
#define _GNU_SOURCE
#include "addon.h"

#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_INSTRUCTIONS 4096

static long sys_bpf(int command, union bpf_attr *attr)
{
	return result_of(syscall(SYS_bpf, command, attr, sizeof(*attr)));
}

/* attachDeviceProgram(cgroup directory, struct bpf_insn...): the cgroup holds the program from then on. */
static long cgroup_attach_device_program(struct call *call)
{
	int cgroup = take_fd(call, 0);
	struct span program = take_bytes(call, 1);
	if (call->failed)
		return 0;
	if (program.size == 0 || program.size % sizeof(struct bpf_insn) != 0 ||
	    program.size / sizeof(struct bpf_insn) > MAX_INSTRUCTIONS)
		return -EINVAL;
	union bpf_attr attr;
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uintptr_t)program.data;
	attr.insn_cnt = (uint32_t)(program.size / sizeof(struct bpf_insn));
	attr.license = (uintptr_t) "Apache-2.0";
	long loaded = sys_bpf(BPF_PROG_LOAD, &attr);
	if (loaded < 0)
		return loaded;
	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)cgroup;
	attr.attach_bpf_fd = (uint32_t)loaded;
	attr.attach_type = BPF_CGROUP_DEVICE;
	/* Programs of other managers on the way up are asked as well, and all must allow. */
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	long attached = sys_bpf(BPF_PROG_ATTACH, &attr);
	close((int)loaded);
	return attached < 0 ? attached : 0;
}

const struct function cgroup_functions[] = {
	{ "attachDeviceProgram", cgroup_attach_device_program, 2 },
	{ 0 },
};
