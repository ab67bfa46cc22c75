import { Fault } from "#base";
import { isLoopbackHost, unbracket } from "./address.ts";
import type { Endpoint } from "./endpoint.ts";

/** Mirrors of Docker Hub as endpoints, in their order; plain http where the URL says so. */
export function mirrorEndpoints(
  urls: readonly string[],
  insecure: readonly string[],
): readonly Endpoint[] {
  return urls.map((text) => {
    const url = parseMirror(text);
    const name = unbracket(url.hostname);
    const isPlain = url.protocol === "http:";
    const verify =
      !isPlain && !isLoopbackHost(name) && !insecure.includes(url.host) && !insecure.includes(name);
    return {
      host: url.host,
      base: `${url.protocol}//${url.host}/v2`,
      capabilities: new Set(["pull", "resolve"] as const),
      trust: { authorities: [], verify },
      headers: [],
      rewrites: [],
      namespace: "docker.io",
      mayBePlain: isPlain,
    };
  });
}

/** `invalid` unless the text is the URL of a mirror, as Docker takes them: a scheme and a host alone. */
export function parseMirror(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const refuse = (why: string): never => {
    throw new Fault("invalid", `invalid mirror ${text}: ${why}`, { about: text });
  };
  if (!url || !/^https?:$/.test(url.protocol)) return refuse("give it as https://HOST[:PORT]");
  if (url.username !== "" || url.password !== "") refuse("it may not have a user or a password");
  if (url.pathname !== "/" || url.search !== "" || url.hash !== "")
    refuse("it may not have a path, a query or a fragment");
  return url;
}
