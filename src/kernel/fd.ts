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

  get isOpen(): boolean {
    return this.#number >= 0;
  }

  /** Closes at once; again is harmless. */
  close(): void {
    if (this.#number < 0) return;
    const number = this.#number;
    this.#number = -1;
    // close(2) frees the number whatever it returns; errors of delayed writes come from fsync.
    addon().close(number);
  }

  /** Gives the descriptor away: who gets the number closes it. */
  take(): number {
    const number = this.number;
    this.#number = -1;
    return number;
  }

  /** Another descriptor of the same open file. */
  duplicate(): Fd {
    return new Fd(
      check(addon().duplicate(this.number), { call: "fcntl", verb: "duplicate a descriptor" }),
    );
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Where whoever may look into this process opens the same file, as long as the descriptor is open. */
export function descriptorPath(fd: Fd): string {
  return `/proc/${process.pid}/fd/${fd.number}`;
}

/** What calls take for a directory: a descriptor, or undefined for the current directory and absolute paths. */
export type Directory = Fd | undefined;

const AT_FDCWD = -100;

/** The number for an *at call: AT_FDCWD where no descriptor is given. */
export function directoryNumber(directory: Directory): number {
  return directory === undefined ? AT_FDCWD : directory.number;
}
