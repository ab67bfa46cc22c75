import type { OciDeviceRule } from "../oci-resources.ts";

/** BPF_DEVCG_* of linux/bpf.h. */
const types = { b: 1, c: 2 } as const;
const accesses: Readonly<Record<string, number>> = { m: 1, r: 2, w: 4 };

/** One entry of the list that cgroup v1 would hold after all rules. */
interface Exception {
  readonly type: "b" | "c";
  readonly major: number;
  readonly minor: number;
  access: number;
}

/** Everything but the exceptions is allowed, or is denied, as in devices.list of v1. */
interface DeviceList {
  readonly allowsOthers: boolean;
  readonly exceptions: readonly Exception[];
}

function accessBits(access: string): number {
  return [...access].reduce((bits, letter) => bits | (accesses[letter] ?? 0), 0);
}

/** The rules as writes to devices.allow and devices.deny in turn (admin-guide/cgroup-v1/devices). */
function foldRules(rules: readonly OciDeviceRule[]): DeviceList {
  let allowsOthers = true;
  let exceptions = new Map<string, Exception>();
  for (const { allow, type = "a", major = -1, minor = -1, access = "rwm" } of rules) {
    if (type === "a") {
      allowsOthers = allow;
      exceptions = new Map();
      continue;
    }
    const key = `${type} ${major}:${minor}`;
    const exception = exceptions.get(key) ?? { type, major, minor, access: 0 };
    const bits = accessBits(access);
    exception.access = allow === allowsOthers ? exception.access & ~bits : exception.access | bits;
    if (exception.access === 0) exceptions.delete(key);
    else exceptions.set(key, exception);
  }
  return { allowsOthers, exceptions: [...exceptions.values()] };
}

/** Opcodes of linux/bpf_common.h and linux/bpf.h. */
const LOAD_WORD = 0x61;
const MOVE_REGISTER = 0xbc;
const MOVE_CONSTANT = 0xb7;
const AND_CONSTANT = 0x54;
const SHIFT_RIGHT = 0x74;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_NOT_EQUAL = 0x55;
const EXIT = 0x95;

interface Instruction {
  readonly code: number;
  readonly to?: number;
  readonly from?: number;
  readonly offset?: number;
  readonly constant?: number;
}

/** Registers: the result, the context (then scratch), and the value that was read from it. */
const RESULT = 0;
const CONTEXT = 1;
const TYPE = 2;
const ACCESS = 3;
const MAJOR = 4;
const MINOR = 5;

/** struct bpf_cgroup_dev_ctx: type in the lower half of a word, access in the upper, then the numbers. */
const prologue: readonly Instruction[] = [
  { code: LOAD_WORD, to: TYPE, from: CONTEXT },
  { code: MOVE_REGISTER, to: ACCESS, from: TYPE },
  { code: AND_CONSTANT, to: TYPE, constant: 0xffff },
  { code: SHIFT_RIGHT, to: ACCESS, constant: 16 },
  { code: LOAD_WORD, to: MAJOR, from: CONTEXT, offset: 4 },
  { code: LOAD_WORD, to: MINOR, from: CONTEXT, offset: 8 },
];

function answer(allowed: boolean): readonly Instruction[] {
  return [{ code: MOVE_CONSTANT, to: RESULT, constant: allowed ? 1 : 0 }, { code: EXIT }];
}

/**
 * Jumps over the rest of the exception unless all of it matches. An allowed one must cover the
 * whole access, a denied one any part of it.
 */
function matchException(exception: Exception, allowsOthers: boolean): readonly Instruction[] {
  const scratch = CONTEXT;
  const steps: Instruction[] = [
    { code: JUMP_IF_NOT_EQUAL, to: TYPE, constant: types[exception.type] },
  ];
  const missed = allowsOthers ? exception.access : ~exception.access & 7;
  if (missed !== 0)
    steps.push(
      { code: MOVE_REGISTER, to: scratch, from: ACCESS },
      { code: AND_CONSTANT, to: scratch, constant: missed },
      { code: allowsOthers ? JUMP_IF_EQUAL : JUMP_IF_NOT_EQUAL, to: scratch, constant: 0 },
    );
  if (exception.major >= 0)
    steps.push({ code: JUMP_IF_NOT_EQUAL, to: MAJOR, constant: exception.major });
  if (exception.minor >= 0)
    steps.push({ code: JUMP_IF_NOT_EQUAL, to: MINOR, constant: exception.minor });
  const block = [...steps, ...answer(!allowsOthers)];
  const isJump = ({ code }: Instruction) => code === JUMP_IF_EQUAL || code === JUMP_IF_NOT_EQUAL;
  return block.map((step, at) =>
    isJump(step) ? { ...step, offset: block.length - at - 1 } : step,
  );
}

/**
 * Device rules as a program of type BPF_PROG_TYPE_CGROUP_DEVICE, which is what
 * cgroup v2 has in place of devices.allow: an array of struct bpf_insn, whose
 * result 1 allows an access. The same rules mean the same on v1. Undefined when
 * every device is allowed and no program is needed.
 */
export function compileDeviceProgram(rules: readonly OciDeviceRule[]): Uint8Array | undefined {
  const { allowsOthers, exceptions } = foldRules(rules);
  if (allowsOthers && exceptions.length === 0) return undefined;
  const program = [
    ...prologue,
    ...exceptions.flatMap((exception) => matchException(exception, allowsOthers)),
    ...answer(allowsOthers),
  ];
  const bytes = new Uint8Array(program.length * 8);
  const view = new DataView(bytes.buffer);
  for (const [index, { code, to = 0, from = 0, offset = 0, constant = 0 }] of program.entries()) {
    view.setUint8(index * 8, code);
    view.setUint8(index * 8 + 1, to | (from << 4));
    view.setInt16(index * 8 + 2, offset, true);
    view.setInt32(index * 8 + 4, constant, true);
  }
  return bytes;
}
