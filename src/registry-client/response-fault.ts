import { abbreviate, collect, Fault, type FaultCode } from "#base";
import { parseJson } from "#image";
import type { HttpResponse } from "./http-connection.ts";

/** The action and its object, for messages: "pull the manifest of registry.example/app:1". */
export interface Attempt {
  readonly action: string;
  readonly host: string;
}

/** A Fault that came of an answer's status; not `status`, by which the engine's own answers are known. */
class StatusFault extends Fault {
  readonly registryStatus: number;

  constructor(status: number, ...rest: ConstructorParameters<typeof Fault>) {
    super(...rest);
    this.registryStatus = status;
  }
}

/** Whether a registry answered with one of these statuses. */
export function hasStatus(error: unknown, ...statuses: readonly number[]): boolean {
  return error instanceof StatusFault && statuses.includes(error.registryStatus);
}

const maxErrorBytes = 64 << 10;

const codes: Readonly<Record<number, FaultCode>> = {
  400: "invalid",
  401: "unauthenticated",
  403: "denied",
  404: "not_found",
  405: "unsupported",
  408: "timeout",
  409: "conflict",
  412: "conflict",
  413: "exhausted",
  416: "invalid",
  429: "exhausted",
  501: "unsupported",
};

/** Whether a status is worth another try after a while. */
export function isPassingStatus(status: number): boolean {
  return status === 408 || status === 429 || (status >= 500 && status !== 501 && status !== 505);
}

/** The Fault for an unexpected answer; reads its body, of at most 64 KiB. */
export async function responseFault(attempt: Attempt, response: HttpResponse): Promise<Fault> {
  const { status } = response;
  const code = codes[status] ?? (status >= 500 ? "unavailable" : "invalid");
  const said = await readReason(response);
  const advice = adviceFor(response);
  return new StatusFault(
    status,
    code,
    `cannot ${attempt.action}: ${attempt.host} answers ${status}${said && `: ${said}`}${advice && `; ${advice}`}`,
    { about: attempt.host },
  );
}

/** A failure on the way as a Fault that names the action; one that names it already stays. */
export function attempted({ action }: Attempt, error: unknown): unknown {
  const isClear = !(error instanceof Fault) || error.code === "canceled";
  if (isClear || error.message.startsWith("cannot ")) return error;
  return new Fault(error.code, `cannot ${action}: ${error.message}`, {
    ...(error.about !== undefined && { about: error.about }),
    cause: error,
  });
}

/** Text of a stranger for a message: one line, without control characters that a terminal would obey. */
export function showText(text: string, limit = 300): string {
  return abbreviate(text.replaceAll(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim(), limit);
}

/**
 * Whether a body is a web page: then a proxy's login answers, or a server that is not a registry.
 */
export function isWebPage(response: HttpResponse, bytes?: Uint8Array): boolean {
  const type = response.headers.get("content-type") ?? "";
  if (/^\s*(text\/html|application\/xhtml)/i.test(type)) return true;
  if (!bytes || /json|octet-stream/i.test(type)) return false;
  return /^\s*<(!doctype|html|head|body|\?xml)/i.test(
    Buffer.from(bytes).toString("latin1", 0, 200),
  );
}

/** An answer in HTML where JSON was expected, as a captive portal gives it. */
export function webPageFault(attempt: Attempt): Fault {
  return new Fault(
    "invalid",
    `cannot ${attempt.action}: ${attempt.host} answers with a web page; either it is not a registry, or a proxy stands between`,
    { about: attempt.host },
  );
}

/** The errors of the specification's JSON ("CODE: message"), else the body's beginning. */
async function readReason(response: HttpResponse): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await collect(response.body, maxErrorBytes, "the error");
  } catch {
    return showText(response.reason, 100);
  }
  if (isWebPage(response, bytes)) return "a web page, so it may be no registry";
  try {
    const errors = parseJson("the error", bytes)
      .at("errors")
      .list(20, (each) => {
        const code = each.at("code").optional((c) => c.string()) ?? "";
        const message = each.at("message").optional((c) => c.string()) ?? "";
        return [code, message].filter((part) => part !== "").join(": ");
      });
    return showText(errors.join(", "));
  } catch {
    return showText(bytes.toString("utf8"), 200) || showText(response.reason, 100);
  }
}

function adviceFor({ status, headers }: HttpResponse): string {
  if (status === 401) return "log in, or check user name and password";
  if (status === 403) return "the user may not do this there";
  if (status !== 429) return "";
  const limits = ["ratelimit-limit", "ratelimit-remaining", "retry-after"]
    .map((name) => [name, headers.get(name)] as const)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${showText(value ?? "", 60)}`);
  const told = limits.length > 0 ? ` (${limits.join(", ")})` : "";
  return `its rate limit is reached${told}; wait, or log in for a higher one`;
}
