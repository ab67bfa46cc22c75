/* Project quotas: quotactl_fd(2), and the project that a directory hands on to what is made in it. */
#define _GNU_SOURCE
#include "addon.h"

#include <linux/fs.h>
#include <linux/quota.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#ifndef SYS_quotactl_fd
#define SYS_quotactl_fd 443
#endif

/* setProject(fd, project): of a directory, and of all that will be made in it */
static long quota_set_project(struct call *call)
{
	int fd = take_fd(call, 0);
	long project = take_integer(call, 1, 0, UINT32_MAX);
	struct fsxattr attributes;
	if (call->failed)
		return 0;
	if (ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0)
		return -errno;
	attributes.fsx_projid = (uint32_t)project;
	attributes.fsx_xflags |= FS_XFLAG_PROJINHERIT;
	return result_of(ioctl(fd, FS_IOC_FSSETXATTR, &attributes));
}

/* getProject(fd) -> project, 0 for none */
static long quota_get_project(struct call *call)
{
	int fd = take_fd(call, 0);
	struct fsxattr attributes;
	if (call->failed)
		return 0;
	return ioctl(fd, FS_IOC_FSGETXATTR, &attributes) < 0 ? -errno : (long)attributes.fsx_projid;
}

/* setQuota(fd, project, limit): KiB that the project may have on the file system of fd, 0 for no limit */
static long quota_set(struct call *call)
{
	int fd = take_fd(call, 0);
	long project = take_integer(call, 1, 1, UINT32_MAX);
	long limit = take_integer(call, 2, 0, 1L << 50);
	struct if_dqblk block = { .dqb_bhardlimit = (uint64_t)limit, .dqb_valid = QIF_BLIMITS };
	if (call->failed)
		return 0;
	return result_of(syscall(SYS_quotactl_fd, fd, QCMD(Q_SETQUOTA, PRJQUOTA), (unsigned int)project, &block));
}

/* getQuota(fd, project, out) -> 0: as two int64 the limit in KiB and the bytes in use */
static long quota_get(struct call *call)
{
	int fd = take_fd(call, 0);
	long project = take_integer(call, 1, 1, UINT32_MAX);
	struct span out = take_bytes(call, 2);
	struct if_dqblk block;
	memset(&block, 0, sizeof(block));
	if (call->failed || out.size < 2 * sizeof(uint64_t))
		return -EINVAL;
	if (syscall(SYS_quotactl_fd, fd, QCMD(Q_GETQUOTA, PRJQUOTA), (unsigned int)project, &block) < 0)
		return -errno;
	uint64_t values[2] = { block.dqb_bhardlimit, block.dqb_curspace };
	memcpy(out.data, values, sizeof(values));
	return 0;
}

const struct function quota_functions[] = {
	{ "setProject", quota_set_project, 2 },
	{ "getProject", quota_get_project, 1 },
	{ "setQuota", quota_set, 3 },
	{ "getQuota", quota_get, 3 },
	{ 0 },
};
