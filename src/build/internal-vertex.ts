import { randomUUID } from "node:crypto";
import { faultOf } from "#base";
import { sha256 } from "#image";
import type { BuildEvent } from "./build-event.ts";

/** Who hears of work that is no step of the Dockerfile. */
export interface Telling {
  readonly report: (event: BuildEvent) => void;
  readonly now: () => bigint;
}

/** One piece of such work. */
export type Piece = <T>(id: string, work: () => Promise<T>) => Promise<T>;

/** Shows work as a step of its own, "exporting cache to registry", with what it does one after the other. */
export async function shown<T>(
  { report, now }: Telling,
  name: string,
  work: (piece: Piece) => Promise<T>,
): Promise<T> {
  const digest = sha256(`${name} ${randomUUID()}`);
  const vertex = { kind: "vertex", digest, name, inputs: [] } as const;
  const started = now();
  report({ ...vertex, started });
  const piece: Piece = async (id, action) => {
    const status = { kind: "status", vertex: digest, id, current: 0, started: now() } as const;
    report(status);
    const value = await action();
    report({ ...status, completed: now() });
    return value;
  };
  try {
    const value = await work(piece);
    report({ ...vertex, started, completed: now() });
    return value;
  } catch (error) {
    report({ ...vertex, started, completed: now(), error: faultOf(error).message });
    throw error;
  }
}
