import { setTimeout as delay } from "node:timers/promises";
import { Fault } from "#base";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";

/** Seconds. */
const longest = 300;

/** Where the engine's own time goes, as Chrome's developer tools read it (.cpuprofile); until it is asked for this costs nothing. */
export function profileRoutes(): readonly Route[] {
  let isBusy = false;
  return [
    {
      method: "POST",
      pattern: "/thimble/v1/system/profile",
      handle: async (exchange) => {
        const seconds = secondsOf(exchange);
        if (isBusy) throw new Fault("conflict", "a profile is being taken; try again after it");
        isBusy = true;
        try {
          exchange.sendJson(200, await profile(seconds * 1000, exchange.signal));
        } finally {
          isBusy = false;
        }
      },
    },
  ];
}

function secondsOf({ query }: Exchange): number {
  const text = query.text("seconds") ?? "10";
  const seconds = Number(text);
  if (!(seconds > 0 && seconds <= longest))
    throw new Fault(
      "invalid",
      `invalid query parameter seconds=${text}: a number up to ${longest} is expected`,
    );
  return seconds;
}

/** Samples of the main thread; one that is aborted has ended when this rejects. */
async function profile(milliseconds: number, signal: AbortSignal): Promise<object> {
  const { Session } = await import("node:inspector/promises");
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.start");
    await delay(milliseconds, undefined, { signal });
    return (await session.post("Profiler.stop")).profile;
  } finally {
    session.disconnect();
  }
}
