import { Fault, parseIp } from "#base";

/**
 * A health check that asks over the container's own network, so that the image needs no program for
 * it. In the API these are tests of their own kinds: `["HTTP", URL]`, `["TCP", PORT]` and
 * `["GRPC", PORT]` or `["GRPC", "PORT/SERVICE"]`.
 */
export type NetworkCheck =
  | { readonly kind: "http"; readonly host: string; readonly port: number; readonly path: string }
  | { readonly kind: "tcp"; readonly port: number }
  | { readonly kind: "grpc"; readonly port: number; readonly service: string };

/** Undefined for a test of another kind; `invalid` for one that cannot be carried out. */
export function networkCheckOf([kind, ...words]: readonly string[]): NetworkCheck | undefined {
  if (kind !== "HTTP" && kind !== "TCP" && kind !== "GRPC") return undefined;
  const [word, ...more] = words;
  if (word === undefined || more.length > 0)
    refuse(`the test ${kind} takes one value, ${words.length} were given`, kind);
  if (kind === "HTTP") return httpCheck(word);
  if (kind === "TCP") return { kind: "tcp", port: portOf(word) };
  const [port = "", ...service] = word.split("/");
  if (word.length > longestService)
    refuse(`the name of a service has at most ${longestService} characters`, word);
  return { kind: "grpc", port: portOf(port), service: service.join("/") };
}

/** Far longer than any, and short enough for one frame of HTTP/2. */
const longestService = 1024;

/** "8080", "8080/ready", ":8080/ready" and "localhost:8080" are short for a URL. */
function httpCheck(text: string): NetworkCheck {
  const url = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
    ? text
    : `http://${text.replace(/^:?(\d+)(?=\/|\?|$)/, "localhost:$1")}`;
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (!parsed) refuse(`"${text}" is no URL; an example is http://localhost:8080/ready`, text);
  if (parsed.protocol !== "http:")
    refuse(`"${text}": only http is supported, not ${parsed.protocol.slice(0, -1)}`, text);
  if (parsed.username !== "" || parsed.password !== "")
    refuse(`"${text}": a user in the URL is not supported`, text);
  const host = parsed.hostname.replace(/^\[|\]$/g, "");
  if (host !== "localhost" && parseIp(host) === undefined)
    refuse(`"${text}": the host must be localhost or an IP address`, text);
  const path = `${parsed.pathname}${parsed.search}`;
  return { kind: "http", host, port: portOf(parsed.port === "" ? "80" : parsed.port), path };
}

function portOf(text: string): number {
  const port = Number(text);
  if (!/^\d{1,5}$/.test(text) || port < 1 || port > 65_535)
    refuse(`"${text}" is no port; it must be a number from 1 to 65535`, text);
  return port;
}

function refuse(why: string, about: string): never {
  throw new Fault("invalid", `invalid health check: ${why}`, { about });
}
