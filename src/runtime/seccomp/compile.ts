import { Fault } from "#base";
import type { OciSeccomp, SeccompAction, SeccompArgument, SeccompRule } from "../oci-spec.ts";
import { type Architecture, findArchitectures } from "./architecture.ts";
import { Assembler, JUMP_EQ, JUMP_GE, JUMP_GT, type Label } from "./bpf.ts";
import { type ProfileTarget, resolveSeccomp, type SeccompProfile } from "./profile.ts";

/** Offsets of struct seccomp_data (linux/seccomp.h). */
const NUMBER = 0;
const ARCH = 4;
const ARGUMENTS = 16;

const KILL_THREAD = 0;
const EPERM = 1;
const ENOSYS = 38;
const ERRNO = 0x0005_0000;
const ALLOW = 0x7fff_0000;

const returns: Readonly<Record<SeccompAction, number | undefined>> = {
  SCMP_ACT_KILL: KILL_THREAD,
  SCMP_ACT_KILL_THREAD: KILL_THREAD,
  SCMP_ACT_KILL_PROCESS: 0x8000_0000,
  SCMP_ACT_TRAP: 0x0003_0000,
  SCMP_ACT_ERRNO: ERRNO,
  SCMP_ACT_TRACE: 0x7ff0_0000,
  SCMP_ACT_LOG: 0x7ffc_0000,
  SCMP_ACT_ALLOW: ALLOW,
  SCMP_ACT_NOTIFY: undefined,
};

const filterFlags: Readonly<Record<string, number>> = {
  SECCOMP_FILTER_FLAG_TSYNC: 1,
  SECCOMP_FILTER_FLAG_LOG: 2,
  SECCOMP_FILTER_FLAG_SPEC_ALLOW: 4,
};

export interface SeccompFilter {
  /** An array of struct sock_filter. */
  readonly program: Uint8Array;
  /** SECCOMP_FILTER_FLAG_* bits. */
  readonly flags: number;
}

const compiled = new WeakMap<OciSeccomp, SeccompFilter>();

/** A profile for a container that holds these capabilities as the program the kernel takes. */
export function compileSeccomp(profile: SeccompProfile, target: ProfileTarget): Uint8Array {
  return compileFilter(resolveSeccomp(profile, target)).program;
}

/**
 * The OCI form as a filter: for each architecture a balanced tree over ranges of
 * numbers with the same verdict, some 7 comparisons deep where a list would be
 * hundreds. Same verdicts as runc with libseccomp: any other architecture kills,
 * and numbers above the highest that the profile names fail with ENOSYS, so that
 * programs fall back from system calls younger than the profile.
 */
export function compileFilter(seccomp: OciSeccomp): SeccompFilter {
  const known = compiled.get(seccomp);
  if (known) return known;
  const filter = { program: compileProgram(seccomp), flags: compileFlags(seccomp.flags) };
  compiled.set(seccomp, filter);
  return filter;
}

/** Absent flags mean SPEC_ALLOW, as in runc: without it every container pays for a store-bypass mitigation on older kernels. */
function compileFlags(flags: readonly string[] | undefined): number {
  if (!flags) return 4;
  return flags.reduce((bits, name) => {
    const bit = filterFlags[name];
    if (bit === undefined)
      throw new Fault("invalid", `linux.seccomp.flags: there is no flag "${name}"`, {
        about: name,
      });
    return bits | bit;
  }, 0);
}

function compileProgram(seccomp: OciSeccomp): Uint8Array {
  const assembler = new Assembler();
  const architectures = findArchitectures(seccomp.architectures ?? []);
  const byAudit = Map.groupBy(architectures, (architecture) => architecture.audit);
  let next = assembler.return(KILL_THREAD);
  // The first architecture is the machine's own; written last, its check runs first.
  for (const [audit, members] of [...byAudit].toReversed()) {
    const ranges = members.flatMap((member) => rangesOf(seccomp, member));
    const gaps = fillGaps(members, ranges);
    const tree = compileTree(assembler, gaps);
    next = assembler.branch(JUMP_EQ, audit, assembler.load(NUMBER, tree), next);
  }
  return assembler.finish(assembler.load(ARCH, next));
}

/** The action for the numbers from `start` up to the next range. */
interface Range {
  readonly start: number;
  readonly verdict: Verdict;
}

interface Verdict {
  /** Tried in order when there are any. */
  readonly conditions: readonly Condition[];
  readonly otherwise: number;
  readonly narrow: boolean;
  /** Equal for equal verdicts. */
  readonly key: string;
}

interface Condition {
  readonly args: readonly SeccompArgument[];
  readonly value: number;
}

function verdict(
  otherwise: number,
  conditions: readonly Condition[] = [],
  narrow = false,
): Verdict {
  const key =
    conditions.length > 0 ? JSON.stringify([otherwise, conditions, narrow]) : `${otherwise}`;
  return { conditions, otherwise, narrow, key };
}

/** Sorted, of one architecture, beginning at its start. */
function rangesOf(seccomp: OciSeccomp, architecture: Architecture): readonly Range[] {
  const fallback = returnValue(seccomp.defaultAction, seccomp.defaultErrnoRet);
  const rules = collectRules(seccomp, architecture, fallback);
  const highest = Math.max(...rules.mentioned, architecture.start - 1);
  const ranges: Range[] = [];
  let next = architecture.start;
  for (const [number, found] of [...rules.byNumber].sort(([a], [b]) => a - b)) {
    if (number > next) ranges.push({ start: next, verdict: verdict(fallback) });
    const otherwise = found.unconditional ?? fallback;
    const conditions = found.unconditional === undefined ? found.conditions : [];
    ranges.push({ start: number, verdict: verdict(otherwise, conditions, architecture.narrow) });
    next = number + 1;
  }
  if (next <= highest) ranges.push({ start: next, verdict: verdict(fallback) });
  const above = youngerCalls(seccomp, fallback);
  ranges.push({ start: Math.max(next, highest + 1), verdict: verdict(above) });
  return ranges;
}

/** runc's answer to numbers the profile cannot know: ENOSYS, unless they are let through anyhow. */
function youngerCalls(seccomp: OciSeccomp, fallback: number): number {
  const lenient = ["SCMP_ACT_ALLOW", "SCMP_ACT_LOG", "SCMP_ACT_TRACE"];
  return lenient.includes(seccomp.defaultAction) ? fallback : ERRNO | ENOSYS;
}

interface NumberRules {
  unconditional?: number;
  readonly conditions: Condition[];
}

function collectRules(seccomp: OciSeccomp, architecture: Architecture, fallback: number) {
  const byNumber = new Map<number, NumberRules>();
  const mentioned: number[] = [];
  const add = (name: string, condition: Condition) => {
    const number = architecture.syscalls.get(name);
    if (number === undefined) return;
    mentioned.push(number);
    if (condition.value === fallback) return;
    const found = byNumber.get(number) ?? { conditions: [] };
    byNumber.set(number, found);
    if (condition.args.length > 0) found.conditions.push(condition);
    // A rule without arguments covers those with some, and the first one stands.
    else found.unconditional ??= condition.value;
  };
  for (const [index, rule] of (seccomp.syscalls ?? []).entries()) {
    const value = returnValue(rule.action, rule.errnoRet);
    for (const args of alternatives(rule, `linux.seccomp.syscalls[${index}]`)) {
      for (const name of rule.names) {
        add(name, { args, value });
        const carrier = architecture.multiplexed.get(name);
        if (carrier) add(carrier.call, { args: select(args, carrier.selector), value });
      }
    }
  }
  return { byNumber, mentioned };
}

/** A multiplexer's first argument says which call it is, and the others are behind a pointer or shifted: only the former can be compared. */
function select(args: readonly SeccompArgument[], selector: number): readonly SeccompArgument[] {
  const others = args.filter((argument) => argument.index !== 0);
  return [{ index: 0, value: selector, op: "SCMP_CMP_EQ" }, ...others];
}

/** All comparisons of a rule must hold; where an argument is compared twice, any of them (runc's reading of the OCI specification). */
function alternatives(rule: SeccompRule, field: string): readonly (readonly SeccompArgument[])[] {
  const args = rule.args ?? [];
  for (const { index } of args) {
    if (!Number.isInteger(index) || index < 0 || index > 5)
      throw new Fault("invalid", `${field}.args: a system call has arguments 0 to 5, not ${index}`);
  }
  const distinct = new Set(args.map((argument) => argument.index)).size === args.length;
  return distinct ? [args] : args.map((argument) => [argument]);
}

function returnValue(action: SeccompAction, errno: number | undefined): number {
  const value = returns[action];
  if (value === undefined)
    throw new Fault(
      "unsupported",
      `linux.seccomp: ${action} needs an agent that answers for the container, which thimble does not run`,
      { about: action },
    );
  const carriesData = action === "SCMP_ACT_ERRNO" || action === "SCMP_ACT_TRACE";
  return carriesData ? (value | ((errno ?? EPERM) & 0xffff)) >>> 0 : value;
}

/** Numbers of x32 where a filter has x86-64 alone, and the other way round, are another architecture's. */
function fillGaps(members: readonly Architecture[], ranges: readonly Range[]): readonly Range[] {
  const edges = [0, ...members.map((member) => member.end)].filter(
    (edge) => edge < 2 ** 32 && !members.some((member) => member.start === edge),
  );
  const foreign = edges.map((start) => ({ start, verdict: verdict(KILL_THREAD) }));
  return mergeEqual([...foreign, ...ranges].sort((a, b) => a.start - b.start));
}

function mergeEqual(ranges: readonly Range[]): readonly Range[] {
  const merged: Range[] = [];
  for (const range of ranges) {
    if (merged.at(-1)?.verdict.key !== range.verdict.key) merged.push(range);
  }
  return merged;
}

/** Halves the ranges until one is left: at most log2(n) + 1 comparisons for any number. */
function compileTree(assembler: Assembler, ranges: readonly Range[]): Label {
  const middle = ranges.length >> 1;
  const pivot = ranges[middle];
  if (!pivot) return assembler.return(KILL_THREAD);
  if (ranges.length === 1) return compileVerdict(assembler, pivot.verdict);
  const above = compileTree(assembler, ranges.slice(middle));
  const below = compileTree(assembler, ranges.slice(0, middle));
  return assembler.branch(JUMP_GE, pivot.start, above, below);
}

function compileVerdict(assembler: Assembler, { conditions, otherwise, narrow }: Verdict): Label {
  let next = assembler.return(otherwise);
  for (const condition of conditions.toReversed()) {
    let matched = assembler.return(condition.value);
    for (const argument of condition.args.toReversed()) {
      matched = compileComparison(assembler, { argument, narrow, matched, failed: next });
    }
    next = matched;
  }
  return next;
}

interface Comparison {
  readonly argument: SeccompArgument;
  readonly narrow: boolean;
  readonly matched: Label;
  readonly failed: Label;
}

const wordMask = 0xffff_ffffn;
const fullMask = 0xffff_ffff_ffff_ffffn;

/** An unsigned comparison, upper word first; where arguments are narrow the lower word decides alone. */
function compileComparison(assembler: Assembler, comparison: Comparison): Label {
  const { argument, narrow, matched, failed } = comparison;
  const masked = argument.op === "SCMP_CMP_MASKED_EQ";
  const value = BigInt.asUintN(64, BigInt(masked ? (argument.valueTwo ?? 0) : argument.value));
  const mask = masked ? BigInt.asUintN(64, BigInt(argument.value)) : fullMask;
  const offset = ARGUMENTS + argument.index * 8;
  const words = {
    low: { offset, value: Number(value & wordMask), mask: Number(mask & wordMask) },
    high: { offset: offset + 4, value: Number(value >> 32n), mask: Number(mask >> 32n) },
  };
  const { op } = argument;
  const negated = op === "SCMP_CMP_NE" || op === "SCMP_CMP_LT" || op === "SCMP_CMP_LE";
  const [yes, no] = negated ? [failed, matched] : [matched, failed];
  // NE, LT and LE are EQ, GE and GT with their outcomes exchanged.
  const code =
    op === "SCMP_CMP_GE" || op === "SCMP_CMP_LT"
      ? JUMP_GE
      : op === "SCMP_CMP_GT" || op === "SCMP_CMP_LE"
        ? JUMP_GT
        : JUMP_EQ;
  const low = compareWord(assembler, words.low, code, yes, no);
  if (narrow) return low;
  if (code === JUMP_EQ) return compareWord(assembler, words.high, JUMP_EQ, low, no);
  const equal = assembler.branch(JUMP_EQ, words.high.value, low, no);
  return assembler.load(words.high.offset, assembler.branch(JUMP_GT, words.high.value, yes, equal));
}

interface Word {
  readonly offset: number;
  readonly value: number;
  readonly mask: number;
}

function compareWord(assembler: Assembler, word: Word, code: number, yes: Label, no: Label): Label {
  if (word.mask === 0) return word.value === 0 ? yes : no;
  const branch = assembler.branch(code, word.value, yes, no);
  const tested = word.mask === 0xffff_ffff ? branch : assembler.and(word.mask, branch);
  return assembler.load(word.offset, tested);
}
