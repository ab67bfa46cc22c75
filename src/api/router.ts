import type { Exchange } from "./exchange.ts";

export type Method = "GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS";
type Handler = (exchange: Exchange) => Promise<void> | void;

/**
 * One endpoint. In a pattern, `:name` stands for one segment of the path and `*name`
 * for one or more: image names have slashes.
 */
export interface Route {
  readonly method: Method;
  readonly pattern: string;
  readonly handle: Handler;
  /** What the connection may be upgraded to: a raw stream ("tcp"), a websocket, HTTP/2. */
  readonly upgrade?: "tcp" | "websocket" | "h2c";
  /**
   * It does what several of Docker's endpoints do, and only saves time: not there where plugins
   * decide about requests, since they know Docker's.
   */
  readonly isCompound?: boolean;
}

export interface Match {
  readonly route: Route;
  readonly params: Readonly<Record<string, string>>;
}

/** Finds the route of a request; the first pattern that fits wins. */
export class Router {
  readonly #routes = new Map<string, { readonly route: Route; readonly expression: RegExp }[]>();

  constructor(routes: Iterable<Route>) {
    for (const route of routes) {
      const known = this.#routes.get(route.method) ?? [];
      known.push({ route, expression: compile(route.pattern) });
      this.#routes.set(route.method, known);
    }
  }

  /** `path` is decoded and has no version prefix. */
  match(method: string, path: string): Match | undefined {
    for (const { route, expression } of this.#routes.get(method) ?? []) {
      const found = expression.exec(path);
      if (found) return { route, params: { ...found.groups } };
    }
    return undefined;
  }
}

function compile(pattern: string): RegExp {
  const source = pattern
    .replace(/[.]/g, "\\.")
    .replace(/:(\w+)/g, "(?<$1>[^/]+)")
    .replace(/\*(\w+)/g, "(?<$1>.+)");
  return new RegExp(`^${source}$`, "s");
}

const versioned = /^\/v([\d.]+)(\/.*)$/s;

/**
 * Cuts "/v1.44/containers/json" into version and path; the version is undefined when the path lacks
 * it.
 */
export function splitVersion(path: string): { readonly version?: string; readonly path: string } {
  const match = versioned.exec(path);
  return match?.[1] && match[2] ? { version: match[1], path: match[2] } : { path };
}
