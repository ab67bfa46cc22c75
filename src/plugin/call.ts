import { request as httpRequest, type IncomingMessage } from "node:http";
import { request as httpsRequest } from "node:https";
import { setTimeout as delay } from "node:timers/promises";
import { Fault, faultOf } from "#base";
import type { PluginAddress } from "./discovery.ts";

/** The media type of Docker's plugin protocol. */
const mediaType = "application/vnd.docker.plugins.v1.2+json";
/** A list of a hundred thousand volumes. */
const maxAnswer = 32 << 20;
/** In milliseconds, before a plugin is tried again; then twice as long each time. */
const firstPause = 100;

/** One call of a plugin. */
export interface PluginCall {
  /** As "VolumeDriver.Mount". */
  readonly method: string;
  readonly body: object;
  /** How many milliseconds the plugin has for the whole answer. */
  readonly patience: number;
  /** For how many of them a plugin that cannot be reached, as while it starts again, is tried anew; absent: none. */
  readonly reachPatience?: number | undefined;
}

/** What a plugin answers. An `Err` in it is for the caller to judge. */
export type PluginAnswer = Readonly<Record<string, unknown>>;

/**
 * Asks a plugin, and gives the object that it answers. The faults name the method and the plugin:
 * `timeout` when it takes too long, `unavailable` when it cannot be reached, dies or answers what is
 * no object; `not_found` for a method that it lacks; an answer other than 200 is `conflict`, with
 * the plugin's words.
 */
export async function callPlugin(
  address: PluginAddress,
  { method, body, patience, reachPatience = 0 }: PluginCall,
): Promise<PluginAnswer> {
  const signal = AbortSignal.timeout(patience);
  const sent = { method, body: JSON.stringify(body), signal };
  const begun = performance.now();
  for (let pause = firstPause; ; pause *= 2) {
    try {
      return understand(address, method, await exchange(address, sent));
    } catch (cause) {
      if (signal.aborted)
        throw new Fault(
          "timeout",
          `${method}: the plugin ${address.name} did not answer within ${patience / 1000} s`,
          { about: address.name, cause },
        );
      if (cause instanceof Fault && cause.about === address.name) throw cause;
      const isLate = performance.now() - begun + pause > reachPatience;
      if (cause instanceof Fault || isLate)
        throw new Fault(
          "unavailable",
          `${method}: the plugin ${address.name} cannot be asked: ${faultOf(cause).message}`,
          { about: address.name, cause },
        );
      await delay(pause, undefined, { signal }).catch(() => undefined);
    }
  }
}

function understand(
  { name }: PluginAddress,
  method: string,
  { status, text }: { readonly status: number; readonly text: string },
): PluginAnswer {
  const answer = objectOf(text);
  const refusal = typeof answer?.Err === "string" ? answer.Err : "";
  const detail = { about: name };
  if (status !== 200) {
    const isLacking = status === 404 && refusal === "";
    const words = (refusal || text.trim()).slice(0, 4096);
    throw new Fault(
      isLacking ? "not_found" : "conflict",
      `${method}: ${words || `the plugin ${name} answered ${status}`}`,
      detail,
    );
  }
  if (!answer)
    throw new Fault(
      "unavailable",
      `${method}: the plugin ${name} answered what is no JSON object: ${JSON.stringify(text.slice(0, 64))}`,
      detail,
    );
  return answer;
}

function objectOf(text: string): PluginAnswer | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value)
      ? (value as PluginAnswer)
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
