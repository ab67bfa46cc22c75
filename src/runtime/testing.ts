/** What tests of this module share; no other code imports it. */

export { syscallTables } from "./seccomp/syscall-table.ts";

/** struct seccomp_data: a system call as a filter sees it. */
export interface SeccompCall {
  readonly arch: number;
  readonly number: number;
  /** Six at most; what is missing is 0. */
  readonly args?: readonly bigint[];
}

/** Runs a filter as the kernel would and gives its SECCOMP_RET_* value; throws for a program the kernel would refuse. */
export function runFilter(program: Uint8Array, call: SeccompCall): number {
  return traceFilter(program, call).verdict;
}

/** The same, and how many instructions it took. */
export function traceFilter(
  program: Uint8Array,
  call: SeccompCall,
): { readonly verdict: number; readonly steps: number } {
  const view = new DataView(program.buffer, program.byteOffset, program.byteLength);
  const data = new DataView(new ArrayBuffer(64));
  data.setUint32(0, call.number, true);
  data.setUint32(4, call.arch, true);
  for (const [index, value] of (call.args ?? []).entries())
    data.setBigUint64(16 + index * 8, BigInt.asUintN(64, value), true);
  let accumulator = 0;
  for (let at = 0, steps = 1; at * 8 < program.byteLength; at++, steps++) {
    const code = view.getUint16(at * 8, true);
    const k = view.getUint32(at * 8 + 4, true);
    const skip = (condition: boolean) => view.getUint8(at * 8 + (condition ? 2 : 3));
    if (code === 0x06) return { verdict: k, steps };
    if (code === 0x20) accumulator = data.getUint32(k, true);
    else if (code === 0x54) accumulator = (accumulator & k) >>> 0;
    else if (code === 0x05) at += k;
    else if (code === 0x15) at += skip(accumulator === k);
    else if (code === 0x25) at += skip(accumulator > k);
    else if (code === 0x35) at += skip(accumulator >= k);
    else throw new Error(`instruction ${at} has the unknown code 0x${code.toString(16)}`);
  }
  throw new Error("the program ran past its end");
}
