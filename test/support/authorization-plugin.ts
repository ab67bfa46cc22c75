import { rmSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";

/** What a plugin was asked: bodies are texts, where the protocol has base64. */
interface Asked {
  readonly verb: "AuthZReq" | "AuthZRes";
  readonly RequestMethod: string;
  readonly RequestUri: string;
  readonly RequestBody?: string;
  readonly RequestHeaders?: Readonly<Record<string, string>>;
  readonly RequestPeerCertificates?: readonly string[];
  readonly User?: string;
  readonly UserAuthNMethod?: string;
  readonly ResponseStatusCode?: number;
  readonly ResponseBody?: string;
  readonly ResponseHeaders?: Readonly<Record<string, string>>;
}

/** Decides: an answer of the protocol, or whatever is done with the response instead. */
type Decision = (asked: Asked) => object | ((response: ServerResponse) => void) | undefined;

/** An authorization plugin of Docker's protocol, in this process. */
export interface AuthorizationPlugin extends AsyncDisposable {
  /** What it was asked since the last time, but for pings. */
  asked(): readonly Asked[];
  /** How it decides from now on; undefined, like an undefined answer: all may pass. */
  decide(decision: Decision | undefined): void;
}

export async function openAuthorizationPlugin(socket: string): Promise<AuthorizationPlugin> {
  const log: Asked[] = [];
  let decision: Decision | undefined;
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk);
    if (request.url === "/Plugin.Activate") {
      response.end(JSON.stringify({ Implements: ["authz"] }));
      return;
    }
    const asked = understood(request.url ?? "", Buffer.concat(chunks).toString());
    if (!asked.RequestUri.endsWith("/_ping")) log.push(asked);
    const answer = decision?.(asked) ?? { Allow: true };
    if (typeof answer === "function") answer(response);
    else response.end(JSON.stringify(answer));
  });
  rmSync(socket, { force: true });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  return {
    asked: () => log.splice(0),
    decide: (next) => {
      decision = next;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      rmSync(socket, { force: true });
    },
  };
}

function understood(url: string, body: string): Asked {
  const { RequestBody, ResponseBody, RequestPeerCertificates, ...rest } = JSON.parse(body);
  const decoded = (value: string) => Buffer.from(value, "base64").toString();
  return {
    ...rest,
    verb: url.replace("/AuthZPlugin.", ""),
    ...(RequestBody && { RequestBody: decoded(RequestBody) }),
    ...(ResponseBody && { ResponseBody: decoded(ResponseBody) }),
    ...(RequestPeerCertificates && {
      RequestPeerCertificates: RequestPeerCertificates.map(decoded),
    }),
  };
}
