import { Fault } from "#base";

/** Bytes of the head of an answer, and of its trailers. */
export const maxHeadBytes = 64 << 10;

/**
 * A failure on the way to a host or on its connection: `unavailable`, or `denied` for a
 * certificate.
 */
export function connectionFault(about: string, error: unknown): Fault {
  if (error instanceof Fault) return error;
  const message = error instanceof Error ? error.message : String(error);
  const reason = codeOf(error);
  const host = about.replace(/^cannot connect to /, "");
  if (/ALERT.*CERT/.test(reason)) {
    return new Fault(
      "denied",
      `${host} does not take our certificate, or wants one: ${message}; put NAME.cert and NAME.key into the host's directory of certs.d`,
      { about, cause: error },
    );
  }
  const isCertificate = /CERT|SELF_SIGNED|UNABLE_TO_|ALTNAME/.test(reason);
  if (isCertificate) {
    return new Fault(
      "denied",
      `${host} shows a certificate that is not trusted: ${message}; put the certificate of its authority into the host's directory of certs.d`,
      { about, cause: error },
    );
  }
  return new Fault("unavailable", `${about}: ${message}`, { about, cause: error });
}

/**
 * The failure of an exchange: an answer that breaks HTTP's rules is `invalid`, one that is too long
 * `exhausted`, a connection that drops `unavailable`. `when` it dropped: "before it answered".
 */
export function exchangeFault(about: string, error: unknown, when: string): Fault {
  if (error instanceof Fault) return error;
  const code = codeOf(error);
  const refuse = (why: string) => new Fault("invalid", `${about} ${why}`, { about, cause: error });
  if (code === "HPE_HEADER_OVERFLOW") {
    return new Fault(
      "exhausted",
      `${about} answers with headers of more than ${maxHeadBytes} bytes`,
      { about },
    );
  }
  if (/^HPE_.*CONTENT_LENGTH$/.test(code)) {
    return refuse("answers with a Content-Length that is not a number");
  }
  if (/^HPE_.*CHUNK/.test(code)) return refuse("answers in broken chunks");
  if (code.startsWith("HPE_")) {
    const detail = (error as Error).message.replace(/^Parse Error: /, "");
    return refuse(`does not answer in HTTP: ${detail}`);
  }
  return code === "ECONNRESET" ? droppedFault(about, when) : connectionFault(about, error);
}

/** The peer hung up: `unavailable`. `when`: "before it answered". */
export function droppedFault(about: string, when: string): Fault {
  return new Fault("unavailable", `${about} closed the connection ${when}`, { about });
}

function codeOf(error: unknown): string {
  const code = (error as { readonly code?: unknown } | null)?.code;
  return typeof code === "string" ? code : "";
}
