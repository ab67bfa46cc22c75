import { createHash, randomUUID } from "node:crypto";
import { faultOf } from "#base";
import type { BuildEvent } from "#engine";

/** Hears the progress of a build. */
export type Report = (message: BuildEvent) => void;

/** What a step says while it runs. */
export interface InternalStep {
  /** So many bytes have come by now. */
  transferred(what: string, bytes: number): void;
}

const now = () => BigInt(Date.now()) * 1_000_000n;
/** Milliseconds between two messages about bytes. */
const pace = 100;

/** Shows work that no line of the Dockerfile stands for as a step: "[internal] load .dockerignore". */
export async function internalStep<T>(
  report: Report,
  what: string,
  work: (step: InternalStep) => Promise<T>,
): Promise<T> {
  const name = `[internal] ${what}`;
  const digest = `sha256:${createHash("sha256").update(`${name}\0${randomUUID()}`).digest("hex")}`;
  const vertex = { kind: "vertex", digest, name, inputs: [], isInternal: true } as const;
  const started = now();
  let last: { readonly id: string; readonly current: number } | undefined;
  let told = 0;
  report({ ...vertex, started });
  const tell = (end: { readonly completed?: bigint }) => {
    if (last) report({ kind: "status", vertex: digest, ...last, started, ...end });
  };
  try {
    const value = await work({
      transferred(id, current) {
        last = { id, current };
        if (Date.now() - told < pace) return;
        told = Date.now();
        tell({});
      },
    });
    const completed = now();
    tell({ completed });
    report({ ...vertex, started, completed });
    return value;
  } catch (error) {
    report({ ...vertex, started, completed: now(), error: faultOf(error).message });
    throw error;
  }
}
