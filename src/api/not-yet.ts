import { Fault } from "#base";
import type { ApiContext } from "./context.ts";
import type { Method, Route } from "./router.ts";
import { containerOf } from "./wording.ts";

/** Docker's endpoints that thimble lacks: each answers 501 and names what is missing. */
export function notYetRoutes({ engine }: ApiContext): readonly Route[] {
  const missing = (method: Method, pattern: string, what: string): Route => ({
    method,
    pattern,
    handle: () => {
      throw new Fault(
        "unsupported",
        `${what} is not supported yet: ${method} ${pattern.replace(/[:*](\w+)/g, "{$1}")}`,
      );
    },
  });
  const onContainer = (method: Method, pattern: string, what: string): Route => ({
    method,
    pattern,
    handle: (exchange) => {
      containerOf(engine, exchange.param("id"));
      throw new Fault("unsupported", `${what} is not supported yet`);
    },
  });
  return [
    ...containerFeatures.map(([method, pattern, what]) => onContainer(method, pattern, what)),
    ...features.map(([method, pattern, what]) => missing(method, pattern, what)),
  ];
}

type Feature = readonly [method: Method, pattern: string, what: string];

const containerFeatures: readonly Feature[] = [
  ["GET", "/containers/:id/attach/ws", "attaching over a websocket"],
];

const features: readonly Feature[] = [
  ["POST", "/build", "building images"],
  ["POST", "/build/cancel", "building images"],
  ["POST", "/session", "building images"],
  ["POST", "/grpc", "building images"],
];
