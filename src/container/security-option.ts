import { defined, Fault } from "#base";
import { parseSeccompProfile, type SpecOptions } from "#runtime";

export interface SecurityOptions {
  readonly noNewPrivileges: boolean;
  /** Absent: the default profile; a privileged container is then unconfined. */
  readonly seccomp?: SpecOptions["seccomp"];
  /** `systempaths=unconfined`: nothing in /proc and /sys is hidden. */
  readonly showsSystemPaths: boolean;
}

/**
 * Docker's `--security-opt`; the client has read a profile's file and sends its JSON. An unknown
 * option is an `invalid` fault.
 */
export function parseSecurityOptions(options: readonly string[]): SecurityOptions {
  let noNewPrivileges = false;
  let showsSystemPaths = false;
  let seccomp: SpecOptions["seccomp"];
  for (const option of options) {
    const [, key = option, value = ""] = /^([a-z-]+)[=:](.*)$/s.exec(option) ?? [];
    if (key === "no-new-privileges") noNewPrivileges = parseTruth(option, value);
    else if (key === "seccomp" && value === "unconfined") seccomp = "unconfined";
    else if (key === "seccomp" && value !== "builtin") seccomp = parseSeccompProfile(value);
    else if (key === "systempaths" && value === "unconfined") showsSystemPaths = true;
    else if (!isWithoutEffect(key, value)) {
      throw unknown(option);
    }
  }
  return { noNewPrivileges, showsSystemPaths, ...defined({ seccomp }) };
}

function parseTruth(option: string, value: string): boolean {
  if (value === "" || value === "true") return true;
  if (value === "false") return false;
  throw unknown(option);
}

/** Docker numbers the two forms: a word alone, and a key with a value. */
function unknown(option: string): Fault {
  const form = /[=:]/.test(option) ? 2 : 1;
  return new Fault("invalid", `invalid --security-opt ${form}: "${option}"`, { about: option });
}

/** Options that switch off what this machine does not have: AppArmor and SELinux. */
function isWithoutEffect(key: string, value: string): boolean {
  return (
    (key === "apparmor" && value === "unconfined") ||
    (key === "label" && value === "disable") ||
    (key === "seccomp" && value === "builtin")
  );
}
