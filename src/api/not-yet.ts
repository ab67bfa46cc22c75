import { Fault } from "#base";
import type { Method, Route } from "./router.ts";

/** Docker's endpoints that thimble lacks: each answers 501 and names what is missing. */
export function notYetRoutes(): readonly Route[] {
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
  return features.map(([method, pattern, what]) => missing(method, pattern, what));
}

type Feature = readonly [method: Method, pattern: string, what: string];

const features: readonly Feature[] = [
  ["POST", "/session", "building images"],
  ["POST", "/grpc", "building images"],
];
