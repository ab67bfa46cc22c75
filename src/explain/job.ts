import type { PlainFault } from "#base";
import type { FileComparison } from "./compare-images.ts";
import type { PathExplanation } from "./explain-path.ts";
import type { Explanation } from "./explanation.ts";

/** The jobs of the thread; directories of layers are given lowest first. */
export interface Jobs {
  readonly explain: {
    readonly in: {
      readonly layers: readonly string[];
      readonly top: number;
      readonly depth: number;
      readonly layer?: number | undefined;
    };
    readonly out: Explanation;
  };
  readonly path: {
    readonly in: { readonly layers: readonly string[]; readonly path: string };
    readonly out: PathExplanation;
  };
  readonly compare: {
    readonly in: {
      readonly from: readonly string[];
      readonly to: readonly string[];
      readonly shared: number;
      readonly limit: number;
    };
    readonly out: FileComparison;
  };
}

export type JobName = keyof Jobs;

export type Request = {
  [N in JobName]: { readonly name: N; readonly in: Jobs[N]["in"] };
}[JobName] & {
  /** The file of the native addon. */
  readonly addon: string;
  /** One number; not 0: stop. Shared, since the thread reads no messages while it works. */
  readonly stop: Int32Array;
};

export interface Answer {
  readonly out?: unknown;
  readonly fault?: PlainFault;
}
