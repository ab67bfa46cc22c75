/* The files of a cgroup, and the program that decides in v2 which devices may be used (bpf(2)). */
#define _GNU_SOURCE
#include "addon.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define MAX_INSTRUCTIONS 4096
#define MAX_SETTINGS	 65536

static ssize_t write_setting(int fd, const char *line, size_t size)
{
	ssize_t put;
	do
		put = write(fd, line, size);
	while (put < 0 && errno == EINTR);
	return put;
}

/* writeSettings(path, lines, out one): each line by a write of its own; out: how many were written */
static long cgroup_write_settings(struct call *call)
{
	char path[MAX_PATH];
	size_t length = 0;
	take_text(call, 0, path, sizeof(path));
	struct span lines = take_bytes(call, 1);
	int32_t *written = take_i32_array(call, 2, &length);
	if (call->failed)
		return 0;
	if (length < 1 || lines.size > MAX_SETTINGS)
		return -EINVAL;
	*written = 0;
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	long result = 0;
	const char *line = (const char *)lines.data, *end = line + lines.size;
	while (line < end) {
		const char *stop = memchr(line, '\n', (size_t)(end - line));
		if (!stop)
			stop = end;
		if (write_setting(fd, line, (size_t)(stop - line)) < 0) {
			result = -errno;
			break;
		}
		++*written;
		line = stop + 1;
	}
	close(fd);
	return result;
}

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
	{ "writeSettings", cgroup_write_settings, 3 },
	{ "attachDeviceProgram", cgroup_attach_device_program, 2 },
	{ 0 },
};
