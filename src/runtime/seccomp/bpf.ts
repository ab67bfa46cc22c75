import { Fault } from "#base";

/** Classic BPF opcodes as seccomp takes them (linux/bpf_common.h). */
const LOAD_WORD = 0x20;
const AND = 0x54;
const JUMP = 0x05;
export const JUMP_EQ = 0x15;
export const JUMP_GT = 0x25;
export const JUMP_GE = 0x35;
const RETURN = 0x06;

/** BPF_MAXINSNS. */
const maxInstructions = 4096;
/** Conditional jumps have eight bits of offset. */
const maxOffset = 255;

/** A place in the program, counted from its end: everything jumps forward, so the end is written first. */
export type Label = number & { readonly __brand: "Label" };

interface Instruction {
  readonly code: number;
  readonly k: number;
  readonly ifTrue: number;
  readonly ifFalse: number;
}

/**
 * Writes a program from its end to its start, so that every target is known when a
 * jump to it is written. Equal instructions in reach are shared; a target that is
 * too far for eight bits is reached over a JA.
 */
export class Assembler {
  readonly #reversed: Instruction[] = [];
  readonly #shared = new Map<string, Label>();

  /** Ends the filter with a SECCOMP_RET_* value. */
  return(value: number): Label {
    return this.#share(`ret ${value}`, () => this.#push(RETURN, value, 0, 0));
  }

  /** Loads the 32-bit word at an offset of struct seccomp_data, then goes on at `next`. */
  load(offset: number, next: Label): Label {
    return this.#share(`ld ${offset} ${next}`, () => {
      this.#adjoin(next);
      return this.#push(LOAD_WORD, offset, 0, 0);
    });
  }

  /** Keeps the bits of `mask`, then goes on at `next`. */
  and(mask: number, next: Label): Label {
    this.#adjoin(next);
    return this.#push(AND, mask, 0, 0);
  }

  /** Compares the accumulator with `k` as unsigned numbers. */
  branch(code: number, k: number, ifTrue: Label, ifFalse: Label): Label {
    if (ifTrue === ifFalse) return ifTrue;
    return this.#share(`${code} ${k} ${ifTrue} ${ifFalse}`, () => {
      let yes = this.#reach(ifTrue, 0);
      // A JA for the other side moves everything one further away.
      const no = this.#reach(ifFalse, 0);
      if (no !== ifFalse) yes = this.#reach(ifTrue, 0);
      const here = this.#reversed.length;
      return this.#push(code, k, here - yes - 1, here - no - 1);
    });
  }

  /** The program in order, as an array of struct sock_filter with this entry first. */
  finish(entry: Label): Uint8Array {
    this.#adjoin(entry);
    const count = this.#reversed.length;
    if (count > maxInstructions)
      throw new Fault(
        "exhausted",
        `the seccomp profile needs ${count} instructions; the kernel takes ${maxInstructions}`,
      );
    const bytes = new Uint8Array(count * 8);
    const view = new DataView(bytes.buffer);
    for (const [index, { code, k, ifTrue, ifFalse }] of this.#reversed.toReversed().entries()) {
      view.setUint16(index * 8, code, true);
      view.setUint8(index * 8 + 2, ifTrue);
      view.setUint8(index * 8 + 3, ifFalse);
      view.setUint32(index * 8 + 4, k >>> 0, true);
    }
    return bytes;
  }

  #push(code: number, k: number, ifTrue: number, ifFalse: number): Label {
    this.#reversed.push({ code, k, ifTrue, ifFalse });
    return (this.#reversed.length - 1) as Label;
  }

  /** An equal instruction is used again only where a jump still reaches it. */
  #share(key: string, make: () => Label): Label {
    const known = this.#shared.get(key);
    if (known !== undefined && this.#reversed.length - known < maxOffset - 8) return known;
    const label = make();
    this.#shared.set(key, label);
    return label;
  }

  /** A label at most 255 instructions after the next one that is written. */
  #reach(target: Label, slack: number): Label {
    if (this.#reversed.length - target - 1 + slack <= maxOffset) return target;
    return this.#jumpTo(target);
  }

  /** Makes `target` follow the next instruction that is written. */
  #adjoin(target: Label): void {
    if (target !== this.#reversed.length - 1) this.#jumpTo(target);
  }

  #jumpTo(target: Label): Label {
    return this.#push(JUMP, this.#reversed.length - target - 1, 0, 0);
  }
}
