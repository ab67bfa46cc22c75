import { request as openRequest } from "node:http";
import type { Socket } from "node:net";
import { Fault } from "#base";
import { exchangeFault, maxHeadBytes } from "./connection-fault.ts";
import { SocketAgent } from "./socket-agent.ts";

/** CONNECT (RFC 9110 section 9.3.6) to the host of `url` over a socket that leads to the proxy; nothing is read beyond the proxy's answer. A refusal is `unavailable`. */
export async function openTunnel(
  socket: Socket,
  url: URL,
  proxy: URL,
  signal: AbortSignal,
): Promise<void> {
  const authority = `${url.hostname}:${portOf(url)}`;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const refuse = (why: string) =>
    reject(
      new Fault("unavailable", `the proxy ${proxy.host} does not connect to ${authority}: ${why}`, {
        about: proxy.host,
      }),
    );
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const asked = openRequest({
    agent: new SocketAgent(socket),
    method: "CONNECT",
    path: authority,
    headers: ["Host", authority, ...proxyAuthorization(proxy).flat()],
    setHost: false,
    maxHeaderSize: maxHeadBytes,
  });
  asked.once("connect", ({ statusCode = 0, statusMessage = "" }, _socket, rest: Buffer) => {
    if (statusCode < 200 || statusCode > 299) {
      refuse(`it answers ${`${statusCode} ${statusMessage}`.slice(0, 100)}`);
    } else if (rest.length > 0) refuse("it sends more than its answer");
    else resolve();
  });
  asked.on("error", (error) =>
    refuse(exchangeFault("the proxy", error, "before it answered").message),
  );
  asked.end();
  try {
    await promise;
  } catch (error) {
    socket.destroy();
    throw error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}

/** The header field for the user and password of a proxy's URL (RFC 7617); empty without them. */
export function proxyAuthorization(proxy: URL): [name: string, value: string][] {
  if (proxy.username === "" && proxy.password === "") return [];
  const pair = `${decodeURIComponent(proxy.username)}:${decodeURIComponent(proxy.password)}`;
  return [["Proxy-Authorization", `Basic ${Buffer.from(pair).toString("base64")}`]];
}

/** The port of an http or https URL, its default included. */
export function portOf(url: URL): number {
  return url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
}
