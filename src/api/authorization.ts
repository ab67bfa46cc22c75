import type { IncomingMessage, ServerResponse } from "node:http";
import type { TLSSocket } from "node:tls";
import { Fault, faultOf, isFault, type Log } from "#base";
import type { PluginAnswer, Plugins } from "#plugin";
import { wireLimits } from "#wire";
import type { Answer, Exchange } from "./exchange.ts";

/** Who decides about requests and their answers. */
export interface Authorization {
  readonly plugins: Plugins;
  /** The names of the plugins that are asked, in this order; none: all may pass. */
  names(): readonly string[];
}

/** By which a plugin says that it is one of these. */
const role = "authz";
/** In milliseconds, for an answer. */
const patience = 60_000;
/** For how many milliseconds a plugin that is away is tried again, as dockerd does. */
const reachPatience = 15_000;

/**
 * Says whether a plugin can be asked. `not_found` when there is none of that name, or one of another
 * kind; `unavailable` and `timeout` when it does not say what it is.
 */
export async function checkAuthorization(plugins: Plugins, name: string): Promise<void> {
  await plugins.find(name, role, { patience, reachPatience });
}

type Gated = Pick<Authorization, "plugins"> & {
  readonly asked: readonly string[];
  readonly log: Log;
};

/**
 * Handles a request that plugins decide about, as dockerd has them asked
 * (docs.docker.com/engine/extend/plugins_authorization): before the request is looked at, and before
 * a byte of its answer is sent; where the connection became a stream, or progress was told, when
 * that is over. `denied` in Docker's words when one says no, `internal` when one cannot be asked. An
 * error of the handler is sent whatever they say of it, as in dockerd.
 */
export async function authorized(
  exchange: Exchange,
  gated: Gated,
  handle: () => Promise<void> | void,
): Promise<void> {
  const { request, response } = exchange;
  const isSecret = pathOf(request).endsWith("/auth");
  const asked = {
    ...userOf(request),
    RequestMethod: request.method,
    RequestUri: request.url,
    ...(!isSecret && { RequestBody: await sentBody(exchange) }),
    RequestHeaders: headersOf(request),
  };
  await ask(gated, "AuthZReq", asked);
  let isDecided = false;
  exchange.hold(async (answer) => {
    isDecided = true;
    await ask(gated, "AuthZRes", { ...asked, ...answered(response, answer, isSecret) });
  });
  try {
    await handle();
    await exchange.release();
  } finally {
    if (!isDecided) await ask(gated, "AuthZRes", asked).catch(() => undefined);
  }
}

async function ask({ plugins, asked, log }: Gated, verb: string, body: object): Promise<void> {
  const method = `AuthZPlugin.${verb}`;
  for (const name of asked) {
    let answer: PluginAnswer;
    try {
      const address = await plugins.find(name, role, { patience, reachPatience });
      answer = await plugins.ask(address, { method, body, patience, reachPatience });
      if (typeof answer.Allow !== "boolean" && answer.Allow !== undefined)
        throw new Fault("unavailable", `${method}: Allow is ${JSON.stringify(answer.Allow)}`);
    } catch (cause) {
      const message = `plugin ${name} failed with error: ${faultOf(cause).message}`;
      log.error("a request could not be authorized", { method, error: message });
      throw new Fault("internal", message, { about: name, cause });
    }
    const { Allow: isAllowed = false, Msg: why } = answer;
    if (isAllowed) continue;
    const told = typeof why === "string" ? why.slice(0, 4096) : "";
    throw new Fault("denied", `authorization denied by plugin ${name}: ${told}`, { about: name });
  }
}

/** Base64, as Go encodes bytes; absent unless it is JSON. */
async function sentBody(exchange: Exchange): Promise<string | undefined> {
  const { headers } = exchange.request;
  if (!isJson(headers["content-type"])) return undefined;
  const limit = wireLimits.jsonBytes;
  const tooLarge = (cause?: unknown) =>
    new Fault(
      "internal",
      `request body too large for authorization plugin: size exceeds ${limit} bytes`,
      { about: "the request body", cause },
    );
  if (Number(headers["content-length"] ?? 0) > limit) throw tooLarge();
  try {
    return encoded(await exchange.takeBody(limit, "the request body"));
  } catch (error) {
    throw isFault(error, "exhausted") ? tooLarge(error) : error;
  }
}

function answered(response: ServerResponse, answer: Answer, isSecret: boolean): object {
  const { status, contentType, body } = answer;
  const isShown = !isSecret && isJson(contentType) && body && body.length <= wireLimits.jsonBytes;
  const headers = Object.entries(response.getHeaders()).map(([name, value]) => [
    canonical(name),
    String(value),
  ]);
  return {
    ResponseStatusCode: status,
    ...(isShown && { ResponseBody: encoded(body) }),
    ResponseHeaders: {
      ...Object.fromEntries(headers),
      ...(contentType && { "Content-Type": contentType }),
    },
  };
}

function encoded(bytes: Uint8Array): string | undefined {
  return bytes.byteLength > 0 ? bytes.toBase64() : undefined;
}

function isJson(contentType = ""): boolean {
  return contentType.split(";")[0]?.trim().toLowerCase() === "application/json";
}

function pathOf({ url = "" }: IncomingMessage): string {
  return url.split("?")[0] ?? "";
}

/** What dockerd keeps from plugins, and what Go's server does not count among the headers. */
const unshown = new Set([
  ...["authorization", "x-registry-config", "x-registry-auth"],
  ...["host", "transfer-encoding", "trailer"],
]);

/** The last value of each, under the names that Go gives them. */
function headersOf({ rawHeaders }: IncomingMessage): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {};
  for (let at = 0; at + 1 < rawHeaders.length; at += 2) {
    const [name = "", value = ""] = [rawHeaders[at], rawHeaders[at + 1]];
    if (!unshown.has(name.toLowerCase())) headers[canonical(name)] = value;
  }
  return headers;
}

function canonical(name: string): string {
  return name.toLowerCase().replace(/(^|-)[a-z]/g, (first) => first.toUpperCase());
}

/** The client's certificate, where it showed one, and its common name. */
function userOf({ socket }: IncomingMessage): object {
  const certificate = (socket as Partial<TLSSocket>).getPeerCertificate?.();
  if (!certificate?.raw) return {};
  const body = certificate.raw.toString("base64").replace(/(.{64})(?=.)/g, "$1\n");
  const pem = `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`;
  return {
    User: certificate.subject.CN,
    UserAuthNMethod: "TLS",
    RequestPeerCertificates: [Buffer.from(pem).toString("base64")],
  };
}
