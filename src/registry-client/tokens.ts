import { type Credentials, collect, Fault } from "#base";
import { parseJson } from "#image";
import type { HttpResponse } from "./http-connection.ts";
import { type Attempt, responseFault } from "./response-fault.ts";

export interface TokenRequest {
  readonly realm: URL;
  readonly service: string | undefined;
  readonly scopes: readonly string[];
  readonly credentials: Credentials | undefined;
  /** Also asks for an identity token, to be kept in place of the password (docker login). */
  readonly offline?: boolean;
}

export interface Token {
  readonly token: string;
  readonly identityToken?: string;
  /** Milliseconds from now on. */
  readonly lifetime: number;
}

/** One request to a token server; retries are its own. */
export type TokenSend = (request: {
  readonly method: "GET" | "POST";
  readonly url: URL;
  readonly headers: readonly (readonly [string, string])[];
  readonly body?: Uint8Array;
}) => Promise<HttpResponse>;

const clientId = "thimble";
const maxTokenBytes = 1 << 20;
/** By the token specification, when the server does not say. */
const usualSeconds = 60;

/**
 * A bearer token (distribution's docs/spec/auth: token.md and oauth.md). An identity token
 * goes by POST as a refresh token, a password by GET; where a server only knows OAuth 2
 * (404 or 405 to the GET), by POST too.
 */
export async function fetchToken(
  send: TokenSend,
  attempt: Attempt,
  request: TokenRequest,
): Promise<Token> {
  if (request.credentials?.identityToken !== undefined) {
    return readToken(attempt, await post(send, request, request.credentials));
  }
  const response = await get(send, request);
  if (/^40[45]$/.test(String(response.status)) && request.credentials?.username !== undefined) {
    await response.discard();
    return readToken(attempt, await post(send, request, request.credentials));
  }
  return readToken(attempt, response);
}

function get(send: TokenSend, request: TokenRequest): Promise<HttpResponse> {
  const { realm, service, scopes, credentials, offline } = request;
  const url = new URL(realm);
  if (service !== undefined) url.searchParams.set("service", service);
  for (const scope of scopes) url.searchParams.append("scope", scope);
  const headers: [string, string][] = [];
  if (offline) {
    url.searchParams.set("offline_token", "true");
    url.searchParams.set("client_id", clientId);
  }
  if (credentials?.username !== undefined) {
    url.searchParams.set("account", credentials.username);
    headers.push(["Authorization", basicAuthorization(credentials)]);
  }
  return send({ method: "GET", url, headers });
}

function post(
  send: TokenSend,
  request: TokenRequest,
  credentials: Credentials,
): Promise<HttpResponse> {
  const form = new URLSearchParams({ client_id: clientId });
  if (request.service !== undefined) form.set("service", request.service);
  if (request.scopes.length > 0) form.set("scope", request.scopes.join(" "));
  if (request.offline) form.set("access_type", "offline");
  if (credentials.identityToken !== undefined) {
    form.set("grant_type", "refresh_token");
    form.set("refresh_token", credentials.identityToken);
  } else {
    form.set("grant_type", "password");
    form.set("username", credentials.username ?? "");
    form.set("password", credentials.password ?? "");
  }
  return send({
    method: "POST",
    url: request.realm,
    headers: [["Content-Type", "application/x-www-form-urlencoded"]],
    body: Buffer.from(form.toString()),
  });
}

async function readToken(attempt: Attempt, response: HttpResponse): Promise<Token> {
  if (response.status !== 200) {
    const fault = await responseFault(attempt, response);
    // A token server refuses wrong credentials in several ways.
    const isRefusal = [400, 401, 403].includes(response.status);
    throw isRefusal ? new Fault("unauthenticated", fault.message, { cause: fault }) : fault;
  }
  const bytes = await collect(response.body, maxTokenBytes, `the token of ${attempt.host}`);
  const answer = parseJson(`the token of ${attempt.host}`, bytes);
  const text = (key: string) =>
    answer.at(key).optional((c) => c.string(maxTokenBytes)) || undefined;
  const token = text("token") ?? text("access_token");
  if (token === undefined || !/^[\x21-\x7e]+$/.test(token)) {
    throw new Fault("invalid", `cannot ${attempt.action}: ${attempt.host} gives no usable token`, {
      about: attempt.host,
    });
  }
  const seconds = answer.at("expires_in").value;
  const lifetime = typeof seconds === "number" && seconds > usualSeconds ? seconds : usualSeconds;
  const identityToken = text("refresh_token");
  // A little early, so that no token expires on its way.
  return {
    token,
    lifetime: Math.min(lifetime, 86_400) * 900,
    ...(identityToken === undefined ? {} : { identityToken }),
  };
}

/** RFC 7617; user name and password in UTF-8. */
export function basicAuthorization({ username = "", password = "" }: Credentials): string {
  return `Basic ${Buffer.from(`${username}:${password}`).toString("base64")}`;
}
