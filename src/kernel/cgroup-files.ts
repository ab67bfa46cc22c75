import { addon } from "./addon.ts";
import { check } from "./errno.ts";
import type { Fd } from "./fd.ts";

/**
 * Sets the program (BPF_PROG_TYPE_CGROUP_DEVICE, an array of struct bpf_insn) that decides about
 * access to devices for all processes in a cgroup of version 2. It stays until the cgroup is
 * removed. `denied` without CAP_BPF or CAP_SYS_ADMIN.
 */
export function attachDeviceProgram(cgroup: Fd, program: Uint8Array): void {
  check(addon().attachDeviceProgram(cgroup.number, program), {
    call: "bpf",
    verb: "attach a device program to a cgroup",
  });
}

/**
 * Writes values to a file of a cgroup, each by a write(2) of its own, as those files want it. The
 * fault tells the value that was refused and the file.
 */
export function writeSetting(path: string, ...values: readonly string[]): void {
  const written = new Int32Array(1);
  const result = addon().writeSettings(path, Buffer.from(values.join("\n")), written);
  const verb = `write "${values[written[0] ?? 0]}" to`;
  check(result, { call: "write", verb, about: path });
}
