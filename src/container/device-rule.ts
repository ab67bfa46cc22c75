import { Fault } from "#base";
import type { OciDeviceRule } from "#runtime";

const form = /^([abc]) (\d{1,10}|\*):(\d{1,10}|\*) ([rwm]{1,3})$/;

/**
 * "TYPE MAJOR:MINOR ACCESS" of `--device-cgroup-rule`, as the kernel's devices.allow has it;
 * `invalid` in Docker's words. "a" with less than everything stands for both kinds of devices, since
 * the kernel allows everything where it reads an "a".
 */
export function parseDeviceRule(text: string): readonly OciDeviceRule[] {
  const match = form.exec(text);
  if (!match)
    throw new Fault("invalid", `invalid device cgroup rule format: '${text}'`, { about: text });
  const [, type = "", major = "", minor = "", letters = ""] = match;
  const number = (part: string) => (part === "*" ? -1 : Number(part));
  const access = [...new Set(letters)].join("");
  const rule = { allow: true, major: number(major), minor: number(minor), access };
  if (type !== "a") return [{ ...rule, type: type === "b" ? "b" : "c" }];
  if (major === "*" && minor === "*" && access.length === 3) return [{ ...rule, type: "a" }];
  return [
    { ...rule, type: "b" },
    { ...rule, type: "c" },
  ];
}
