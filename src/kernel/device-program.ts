import { addon } from "./addon.ts";
import { check } from "./errno.ts";
import type { Fd } from "./fd.ts";

/**
 * Lets a program of type BPF_PROG_TYPE_CGROUP_DEVICE (an array of struct bpf_insn)
 * decide over devices for all processes in a cgroup of version 2. The cgroup keeps it
 * until it is removed. `denied` without CAP_BPF or CAP_SYS_ADMIN.
 */
export function attachDeviceProgram(cgroup: Fd, program: Uint8Array): void {
  check(addon().attachDeviceProgram(cgroup.number, program), {
    call: "bpf",
    verb: "attach a device program to a cgroup",
  });
}
