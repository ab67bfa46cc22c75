import { faultOf, wait } from "#base";
import { message } from "../protobuf/message.ts";
import { service } from "../protobuf/service.ts";
import type { ClientSession } from "./client-session.ts";

/** grpc/health/v1/health.proto; what it says does not matter, but that it says something. */
const check = service("grpc.health.v1.Health")("Check", message({}), message({}));

const intervalMs = 10_000;
const patienceMs = 30_000;

/**
 * Settles when a client no longer answers, as one that was stopped; never for a client that has no
 * such service. Builds would wait for it without end.
 */
export async function watchHealth(session: ClientSession, over: AbortSignal): Promise<void> {
  if (!session.supports(check)) return await new Promise(() => undefined);
  while (!over.aborted) {
    await wait(intervalMs, over).catch(() => undefined);
    if (over.aborted) return;
    const signal = AbortSignal.any([over, AbortSignal.timeout(patienceMs)]);
    try {
      await session.ask(check, {}, { signal });
    } catch (error) {
      if (faultOf(error).code !== "unsupported") return;
    }
  }
}
