import { Fault } from "#base";
import { addon } from "./addon.ts";
import { check } from "./errno.ts";

/** Owns one descriptor (always O_CLOEXEC) until it is closed, disposed or taken. */
export class Fd implements Disposable {
  #number: number;

  constructor(number: number) {
    this.#number = number;
  }

  /** The number while the descriptor is owned; a `conflict` fault afterwards, never a recycled number. */
  get number(): number {
    if (this.#number < 0) throw new Fault("conflict", "the descriptor is closed already");
    return this.#number;
  }

  /** False once closed, disposed or taken. */
  get isOpen(): boolean {
    return this.#number >= 0;
  }

  /** Closes at once; a second call does nothing. */
  close(): void {
    if (this.#number < 0) return;
    const number = this.#number;
    this.#number = -1;
    // close(2) frees the number whatever it returns; errors of delayed writes come from fsync.
    addon().close(number);
  }

  /** The number, which the caller must close from then on. */
  take(): number {
    const number = this.number;
    this.#number = -1;
    return number;
  }

  /** Another descriptor of the same open file; both share its position (dup(2)). */
  duplicate(): Fd {
    return new Fd(
      check(addon().duplicate(this.number), { call: "fcntl", verb: "duplicate a descriptor" }),
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/**
 * A path that opens the same file while the descriptor is open, for this process and for others
 * that may look into its /proc.
 */
export function descriptorPath(fd: Fd): string {
  return `/proc/${process.pid}/fd/${fd.number}`;
}

/**
 * The directory that a relative path starts at: a descriptor, or undefined for the current
 * directory.
 */
export type Directory = Fd | undefined;

const AT_FDCWD = -100;

/** The number for an *at call: AT_FDCWD where no descriptor is given. */
export function directoryNumber(directory: Directory): number {
  return directory === undefined ? AT_FDCWD : directory.number;
}
