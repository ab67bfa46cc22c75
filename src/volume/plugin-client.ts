import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { Fault, faultOf } from "#base";
import type { PluginAddress } from "./plugin-discovery.ts";

/** The media type of Docker's plugin protocol. */
const mediaType = "application/vnd.docker.plugins.v1.2+json";
/** A list of a hundred thousand volumes. */
const maxAnswer = 32 << 20;

/** One call of a plugin. */
export interface PluginCall {
  /** As "VolumeDriver.Mount". */
  readonly method: string;
  readonly body: object;
  /** How many milliseconds the plugin has for the whole answer. */
  readonly patience: number;
}

/**
 * Asks a plugin, and gives the object that it answers. The faults name the method and the plugin:
 * `timeout` when it takes too long, `unavailable` when it cannot be reached, dies or answers what is
 * no object; `not_found` for a method that it lacks; the plugin's own refusals are `conflict`,
 * with its words.
 */
export async function callPlugin(
  address: PluginAddress,
  { method, body, patience }: PluginCall,
): Promise<Readonly<Record<string, unknown>>> {
  const signal = AbortSignal.timeout(patience);
  let answer: { readonly status: number; readonly text: string };
  try {
    answer = await exchange(address, { method, body: JSON.stringify(body), signal });
  } catch (cause) {
    if (signal.aborted)
      throw new Fault(
        "timeout",
        `${method}: the plugin ${address.name} did not answer within ${patience / 1000} s`,
        { about: address.name, cause },
      );
    throw new Fault(
      "unavailable",
      `${method}: the plugin ${address.name} cannot be asked: ${faultOf(cause).message}`,
      { about: address.name, cause },
    );
  }
  return understand(address, method, answer);
}

function understand(
  { name }: PluginAddress,
  method: string,
  { status, text }: { readonly status: number; readonly text: string },
): Readonly<Record<string, unknown>> {
  const answer = objectOf(text);
  const refusal = typeof answer?.Err === "string" ? answer.Err : "";
  const detail = { about: name };
  if (status === 404 && refusal === "")
    throw new Fault("not_found", `${method}: the plugin ${name} has no such method`, detail);
  if (status !== 200)
    throw new Fault(
      "conflict",
      `${method}: ${(refusal || text.trim()).slice(0, 4096) || `the plugin ${name} answered ${status}`}`,
      detail,
    );
  if (!answer)
    throw new Fault(
      "unavailable",
      `${method}: the plugin ${name} answered what is no JSON object: ${JSON.stringify(text.slice(0, 64))}`,
      detail,
    );
  if (refusal !== "") throw new Fault("conflict", refusal.slice(0, 4096), detail);
  return answer;
}

function objectOf(text: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
}

async function exchange(
  { socket, host, port, tls }: PluginAddress,
  { method, body, signal }: { readonly method: string; readonly body: string; signal: AbortSignal },
): Promise<{ readonly status: number; readonly text: string }> {
  const options = {
    ...(socket === undefined ? { host, port } : { socketPath: socket }),
    ...(tls && { ca: tls.ca, cert: tls.cert, key: tls.key, rejectUnauthorized: !tls.insecure }),
    ...{ method: "POST", path: `/${method}`, agent: false as const, signal },
    headers: {
      ...{ host: host ?? "plugin", accept: mediaType, "content-type": mediaType },
      "content-length": Buffer.byteLength(body),
    },
  };
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = (tls ? httpsRequest : httpRequest)(options, resolve);
    sent.on("error", reject);
    sent.end(body);
  });
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of response) {
    size += chunk.length;
    if (size > maxAnswer) {
      response.destroy();
      throw new Fault("exhausted", `its answer is larger than ${maxAnswer >> 20} MiB`);
    }
    chunks.push(chunk);
  }
  if (!response.complete) throw new Fault("unavailable", "its answer is cut off");
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString() };
}
