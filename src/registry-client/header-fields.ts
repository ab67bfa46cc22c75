import type { IncomingMessage } from "node:http";
import { Fault } from "#base";

const maxFields = 200;

/** Header fields in the order of their arrival; names in lower case. */
export class HeaderFields {
  readonly #fields: readonly (readonly [name: string, value: string])[];

  /** `raw`: names and values in turn, as `IncomingMessage.rawHeaders` has them. */
  constructor(raw: readonly string[]) {
    this.#fields = raw.flatMap((name, at) =>
      at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1] ?? ""] as const] : [],
    );
  }

  /** The values of each field of this name, which is in lower case. */
  all(name: string): string[] {
    return this.#fields.filter(([each]) => each === name).map(([, value]) => value);
  }

  /** All values of a field as one list; undefined when the field is missing. */
  get(name: string): string | undefined {
    const values = this.all(name);
    return values.length === 0 ? undefined : values.join(", ");
  }
}

/**
 * Refuses heads that the parser of `node:http` lets pass: more fields than it hands on, other
 * versions, encodings that it does not undo.
 */
export function requireHead(message: IncomingMessage, about: string): void {
  const { httpVersionMajor, statusCode = 0, rawHeaders, headers } = message;
  const refuse = (why: string): never => {
    throw new Fault("invalid", `${about} does not answer in HTTP: ${why}`, { about });
  };
  if (httpVersionMajor !== 1) refuse("it answers in another version than 1.1");
  if (statusCode < 200 || statusCode > 599) refuse(`it answers with the status ${statusCode}`);
  if (rawHeaders.length > 2 * maxFields) refuse(`it has more than ${maxFields} header fields`);
  const encoding = headers["transfer-encoding"]?.toLowerCase() ?? "identity";
  if (encoding !== "chunked" && encoding !== "identity") {
    throw new Fault("unsupported", `${about} answers in the transfer encoding "${encoding}"`, {
      about,
    });
  }
}
