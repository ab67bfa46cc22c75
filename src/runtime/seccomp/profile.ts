import { defined, Fault } from "#base";
import type {
  OciSeccomp,
  SeccompAction,
  SeccompArgument,
  SeccompOperator,
  SeccompRule,
} from "../oci-spec.ts";

/** Which containers a rule of a profile is for; absent: every one. */
interface ProfileCondition {
  readonly caps?: readonly string[];
  /** Go's names: "amd64", "arm64", "x32", "x86". */
  readonly arches?: readonly string[];
  /** "4.8": the least kernel version. */
  readonly minKernel?: string;
}

export interface ProfileRule extends SeccompRule {
  readonly includes?: ProfileCondition;
  readonly excludes?: ProfileCondition;
}

/** A profile in Docker's format: OCI's, with rules that depend on the container and the machine. */
export interface SeccompProfile {
  readonly defaultAction: SeccompAction;
  readonly defaultErrnoRet?: number;
  readonly flags?: readonly string[];
  readonly architectures?: readonly string[];
  readonly archMap?: readonly {
    readonly architecture: string;
    readonly subArchitectures: readonly string[];
  }[];
  readonly syscalls: readonly ProfileRule[];
}

/** The facts that rules can ask about; arch and kernel are this process's own unless given. */
export interface ProfileTarget {
  /** Names of the container's bounding set. */
  readonly capabilities: readonly string[];
  readonly arch?: "amd64" | "arm64";
  /** As uname -r has it; only its first two numbers count. */
  readonly kernel?: string;
}

const nativeArchitectures = { amd64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" } as const;
const ownArch = process.arch === "arm64" ? "arm64" : "amd64";
const resolved = new WeakMap<SeccompProfile, Map<string, OciSeccomp>>();

/** The OCI form of a profile for one container; the same object for the same question, so that its filter is compiled once. */
export function resolveSeccomp(profile: SeccompProfile, target: ProfileTarget): OciSeccomp {
  const byQuestion = resolved.get(profile) ?? new Map<string, OciSeccomp>();
  resolved.set(profile, byQuestion);
  const question = [target.arch, target.kernel, ...target.capabilities.toSorted()].join(" ");
  const known = byQuestion.get(question);
  if (known) return known;
  const answer = resolve(profile, target);
  if (byQuestion.size < 64) byQuestion.set(question, answer);
  return answer;
}

function resolve(profile: SeccompProfile, target: ProfileTarget): OciSeccomp {
  const arch = target.arch ?? ownArch;
  const native = nativeArchitectures[arch];
  const mapped = profile.archMap?.find((entry) => entry.architecture === native);
  const architectures =
    profile.architectures ?? (mapped ? [native, ...mapped.subArchitectures] : [native]);
  const { defaultAction, defaultErrnoRet, flags } = profile;
  return {
    defaultAction,
    ...defined({ defaultErrnoRet }),
    architectures,
    ...defined({ flags }),
    syscalls: profile.syscalls.filter((rule) => applies(rule, target, arch)).map(plainRule),
  };
}

function plainRule({ names, action, errnoRet, args }: ProfileRule): SeccompRule {
  return {
    names,
    action,
    ...defined({ errnoRet, args }),
  };
}

/** Docker's reading: every kind of `includes` must hold by one of its values, no value of `excludes` may. */
function applies(rule: ProfileRule, target: ProfileTarget, arch: string): boolean {
  const { includes = {}, excludes = {} } = rule;
  const held = (name: string) => target.capabilities.includes(name);
  if (excludes.arches?.includes(arch) || excludes.caps?.some(held)) return false;
  if (excludes.minKernel && atLeast(excludes.minKernel, target)) return false;
  if (includes.arches?.length && !includes.arches.includes(arch)) return false;
  if (includes.caps && !includes.caps.every(held)) return false;
  return !includes.minKernel || atLeast(includes.minKernel, target);
}

function atLeast(version: string, target: ProfileTarget): boolean {
  // Bun runs on 5.1 and later only, which is newer than any version a profile is known to ask for.
  const [major = 0, minor = 0] = (target.kernel ?? "5.1").split(".").map(Number.parseFloat);
  const [leastMajor = 0, leastMinor = 0] = version.split(".").map(Number.parseFloat);
  return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}

const actions: readonly SeccompAction[] = [
  "SCMP_ACT_KILL",
  "SCMP_ACT_KILL_THREAD",
  "SCMP_ACT_KILL_PROCESS",
  "SCMP_ACT_TRAP",
  "SCMP_ACT_ERRNO",
  "SCMP_ACT_TRACE",
  "SCMP_ACT_ALLOW",
  "SCMP_ACT_LOG",
  "SCMP_ACT_NOTIFY",
];
const operators: readonly SeccompOperator[] = [
  "SCMP_CMP_NE",
  "SCMP_CMP_LT",
  "SCMP_CMP_LE",
  "SCMP_CMP_EQ",
  "SCMP_CMP_GE",
  "SCMP_CMP_GT",
  "SCMP_CMP_MASKED_EQ",
];

const maxProfileLength = 1 << 20;
const maxRules = 4096;

/**
 * Reads the JSON that `--security-opt seccomp=FILE` sends. An `invalid` fault names the field that
 * is wrong.
 */
export function parseSeccompProfile(json: string): SeccompProfile {
  if (json.length > maxProfileLength)
    throw new Fault("invalid", `the seccomp profile is larger than ${maxProfileLength} characters`);
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch (cause) {
    throw new Fault("invalid", `the seccomp profile is not JSON: ${String(cause)}`, { cause });
  }
  const profile = record(value, "profile");
  if (profile.architectures && profile.archMap)
    throw bad("archMap", "cannot stand beside architectures; keep one of them");
  const defaultErrnoRet = optionalNumber(profile.defaultErrnoRet, "defaultErrnoRet");
  const rules = list(profile.syscalls ?? [], "syscalls");
  if (rules.length > maxRules) throw bad("syscalls", `has more than ${maxRules} rules`);
  return {
    defaultAction: oneOf(profile.defaultAction, actions, "defaultAction"),
    ...defined({ defaultErrnoRet }),
    ...(profile.flags != null && { flags: strings(profile.flags, "flags") }),
    ...(profile.architectures != null && {
      architectures: strings(profile.architectures, "architectures"),
    }),
    ...(profile.archMap != null && {
      archMap: list(profile.archMap, "archMap").map((entry, index) => {
        const map = record(entry, `archMap[${index}]`);
        return {
          architecture: text(map.architecture, `archMap[${index}].architecture`),
          subArchitectures: strings(map.subArchitectures ?? [], `archMap[${index}]`),
        };
      }),
    }),
    syscalls: rules.map((rule, index) => parseRule(rule, `syscalls[${index}]`)),
  };
}

function parseRule(value: unknown, field: string): ProfileRule {
  const rule = record(value, field);
  const errnoRet = optionalNumber(rule.errnoRet, `${field}.errnoRet`);
  const names =
    rule.name == null ? strings(rule.names, `${field}.names`) : [text(rule.name, `${field}.name`)];
  if (rule.name != null && Array.isArray(rule.names) && rule.names.length > 0)
    throw bad(field, "has both name and names; keep one of them");
  return {
    names,
    action: oneOf(rule.action, actions, `${field}.action`),
    ...defined({ errnoRet }),
    ...(rule.args != null && {
      args: list(rule.args, `${field}.args`).map((arg, index) =>
        parseArgument(arg, `${field}.args[${index}]`),
      ),
    }),
    ...(rule.includes != null && { includes: parseCondition(rule.includes, `${field}.includes`) }),
    ...(rule.excludes != null && { excludes: parseCondition(rule.excludes, `${field}.excludes`) }),
  };
}

function parseArgument(value: unknown, field: string): SeccompArgument {
  const argument = record(value, field);
  const index = optionalNumber(argument.index, `${field}.index`) ?? 0;
  if (index > 5) throw bad(`${field}.index`, "is not between 0 and 5");
  const valueTwo = optionalNumber(argument.valueTwo, `${field}.valueTwo`);
  return {
    index,
    value: optionalNumber(argument.value, `${field}.value`) ?? 0,
    ...defined({ valueTwo }),
    op: oneOf(argument.op, operators, `${field}.op`),
  };
}

function parseCondition(value: unknown, field: string): ProfileCondition {
  const condition = record(value, field);
  return {
    ...(condition.caps != null && { caps: strings(condition.caps, `${field}.caps`) }),
    ...(condition.arches != null && { arches: strings(condition.arches, `${field}.arches`) }),
    ...(condition.minKernel != null && {
      minKernel: text(condition.minKernel, `${field}.minKernel`),
    }),
  };
}

function bad(field: string, why: string): Fault {
  return new Fault("invalid", `the seccomp profile's ${field} ${why}`, { about: field });
}

function record(value: unknown, field: string): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw bad(field, "is not an object");
  return value as Record<string, unknown>;
}

function list(value: unknown, field: string): readonly unknown[] {
  if (!Array.isArray(value)) throw bad(field, "is not a list");
  return value;
}

function text(value: unknown, field: string): string {
  if (typeof value !== "string") throw bad(field, "is not a string");
  return value;
}

function strings(value: unknown, field: string): readonly string[] {
  return list(value, field).map((item, index) => text(item, `${field}[${index}]`));
}

function optionalNumber(value: unknown, field: string): number | undefined {
  if (value == null) return undefined;
  if (typeof value !== "number" || !Number.isInteger(value) || value < 0)
    throw bad(field, "is not a whole number of 0 or more");
  return value;
}

function oneOf<T extends string>(value: unknown, known: readonly T[], field: string): T {
  const found = known.find((name) => name === value);
  if (!found)
    throw bad(field, `is ${JSON.stringify(value)}; it must be one of ${known.join(", ")}`);
  return found;
}
