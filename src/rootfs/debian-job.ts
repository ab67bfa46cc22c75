import type { PlainFault } from "#base";
import type { Plan, Variant } from "./debian/selection.ts";

/** The jobs of the worker: everything that computes for more than a few milliseconds. */
export interface Jobs {
  /** Checks a clear-signed text; gives the text that was signed. */
  verify: {
    readonly in: {
      readonly message: Uint8Array;
      readonly keyring: Uint8Array;
      readonly about: string;
      readonly keyringName: string;
      /** Milliseconds since the epoch. */
      readonly now: number;
    };
    readonly out: string;
  };
  /** Reads the Packages files and chooses what to install. */
  plan: {
    readonly in: {
      readonly architecture: string;
      readonly indexes: readonly {
        readonly path: string;
        readonly name: string;
        readonly repository: number;
      }[];
      readonly variant: Variant;
      readonly include: readonly string[];
    };
    readonly out: Plan;
  };
  /** Extracts the files of a .deb; gives the number of entries. */
  extract: {
    readonly in: { readonly deb: string; readonly name: string; readonly root: string };
    readonly out: number;
  };
  /** Sets times later than `latest` (seconds since the epoch) back to it, in a whole tree. */
  clampTimes: {
    readonly in: { readonly root: string; readonly latest: number };
    readonly out: number;
  };
}

export type JobName = keyof Jobs;

export type Request = {
  [N in JobName]: { readonly name: N; readonly in: Jobs[N]["in"] };
}[JobName];

export interface Answer {
  readonly out?: unknown;
  readonly fault?: PlainFault;
}
