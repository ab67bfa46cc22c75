import { Fault } from "#base";

/** Header fields in the order of their arrival; names in lower case. */
export class HeaderFields {
  readonly #fields: readonly (readonly [name: string, value: string])[];

  constructor(fields: readonly (readonly [name: string, value: string])[]) {
    this.#fields = fields;
  }

  all(name: string): string[] {
    return this.#fields.filter(([each]) => each === name).map(([, value]) => value);
  }

  /** All values of a field as one list; undefined when there is none. */
  get(name: string): string | undefined {
    const values = this.all(name);
    return values.length === 0 ? undefined : values.join(", ");
  }
}

export interface ResponseHead {
  readonly status: number;
  readonly reason: string;
  readonly headers: HeaderFields;
  /** HTTP/1.0 closes unless it says otherwise. */
  readonly keepAlive: boolean;
}

/** How the end of a body is told (RFC 9112 section 6.3). */
export type Framing =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly length: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

/** Bytes of a head, and of the line of a chunk's size. */
export const maxHeadBytes = 64 << 10;
const maxFields = 200;

/** A status line and header fields, up to and without the empty line. What breaks the rules of RFC 9112 is `invalid`. */
export function parseHead(bytes: Buffer, about: string): ResponseHead {
  const refuse = (why: string): never => {
    throw new Fault("invalid", `${about} does not answer in HTTP: ${why}`, { about });
  };
  const [first = "", ...lines] = bytes.toString("latin1").split(/\r?\n/);
  const status = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: (.*))?$/.exec(first);
  if (!status) return refuse("it does not begin with a status line");
  if (lines.length > maxFields) return refuse(`it has more than ${maxFields} header fields`);
  const fields = lines.map((line): [string, string] => {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\r\0]*)$/.exec(line);
    if (!field) return refuse("a header field is malformed");
    return [(field[1] ?? "").toLowerCase(), withoutBlanks(field[2] ?? "")];
  });
  const headers = new HeaderFields(fields);
  const connection = (headers.get("connection") ?? "").toLowerCase();
  return {
    status: Number(status[2]),
    reason: status[3] ?? "",
    headers,
    keepAlive:
      status[1] === "1"
        ? !/(^|,)\s*close\s*(,|$)/.test(connection)
        : connection.includes("keep-alive"),
  };
}

/** Without blanks and tabs at both ends. No expression: one that looks for the end of a line at every blank takes seconds for 64 KiB of them. */
function withoutBlanks(text: string): string {
  const isBlank = (at: number) => text[at] === " " || text[at] === "\t";
  let start = 0;
  let end = text.length;
  while (start < end && isBlank(start)) start++;
  while (end > start && isBlank(end - 1)) end--;
  return text.slice(start, end);
}

/**
 * How the body of an answer ends (RFC 9112, 6.3). `unsupported` for a transfer encoding other than
 * chunked, `invalid` for lengths that contradict each other.
 */
export function bodyFraming(method: string, head: ResponseHead, about: string): Framing {
  if (method === "HEAD" || head.status < 200 || head.status === 204 || head.status === 304) {
    return { kind: "none" };
  }
  const encoding = head.headers.get("transfer-encoding")?.toLowerCase();
  if (encoding === "chunked") return { kind: "chunked" };
  if (encoding !== undefined && encoding !== "identity") {
    throw new Fault("unsupported", `${about} answers in the transfer encoding "${encoding}"`, {
      about,
    });
  }
  const lengths = new Set(head.headers.all("content-length").flatMap((each) => each.split(",")));
  if (lengths.size === 0) return { kind: "close" };
  const [length = ""] = [...lengths].map((each) => each.trim());
  if (lengths.size > 1 || !/^\d{1,15}$/.test(length)) {
    throw new Fault("invalid", `${about} answers with a Content-Length that is not a number`, {
      about,
    });
  }
  return { kind: "length", length: Number(length) };
}
