import type { Trust } from "./http-transport.ts";

/** The requests that an endpoint is trusted with: fetch by digest, resolve tags, take pushes. */
export type Capability = "pull" | "resolve" | "push";

/** One place where the repositories of a host are served: the host itself, or a mirror of it. */
export interface Endpoint {
  /** "host:port": whose credentials are asked for. */
  readonly host: string;
  /** Root of the API without a slash at its end: "https://registry.example/v2". */
  readonly base: string;
  readonly capabilities: ReadonlySet<Capability>;
  readonly trust: Trust;
  readonly headers: readonly (readonly [name: string, value: string])[];
  /** On the path of the repository; the first that matches counts. */
  readonly rewrites: readonly { readonly pattern: RegExp; readonly replacement: string }[];
  /** The host whose mirror this is, told as `ns`. */
  readonly namespace?: string | undefined;
  /** Whether it may be spoken to in plain http when it does not speak TLS. */
  readonly mayBePlain: boolean;
  readonly proxy?: string | undefined;
  /** Milliseconds. */
  readonly connectTimeout?: number | undefined;
}

/**
 * A repository's path at this endpoint: the first of its `rewrite` rules that matches is applied.
 */
export function rewritePath(endpoint: Endpoint, path: string): string {
  const rewrite = endpoint.rewrites.find(({ pattern }) => pattern.test(path));
  return rewrite ? path.replace(rewrite.pattern, rewrite.replacement) : path;
}
