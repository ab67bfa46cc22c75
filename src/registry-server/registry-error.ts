import { Fault, faultOf } from "#base";

/** distribution-spec 1.1, "Error Codes", and the few of docker-registry that clients know beside them. */
const statuses = {
  BLOB_UNKNOWN: 404,
  BLOB_UPLOAD_INVALID: 400,
  BLOB_UPLOAD_UNKNOWN: 404,
  DIGEST_INVALID: 400,
  MANIFEST_BLOB_UNKNOWN: 400,
  MANIFEST_INVALID: 400,
  MANIFEST_UNKNOWN: 404,
  NAME_INVALID: 400,
  NAME_UNKNOWN: 404,
  PAGINATION_NUMBER_INVALID: 400,
  RANGE_INVALID: 416,
  SIZE_INVALID: 400,
  TAG_INVALID: 400,
  UNAUTHORIZED: 401,
  DENIED: 403,
  UNSUPPORTED: 405,
  TOOMANYREQUESTS: 429,
  UNAVAILABLE: 503,
  UNKNOWN: 500,
} as const;

export type RegistryErrorCode = keyof typeof statuses;

export interface RegistryErrorDetail {
  /** For programs: the thing that the message is about. */
  readonly detail?: unknown;
  /** Instead of the code's usual one. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** The answer to a client whose request failed; the one error that handlers throw on purpose. */
export class RegistryError extends Error {
  override readonly name = "RegistryError";
  readonly code: RegistryErrorCode;
  readonly status: number;
  readonly detail: unknown;
  readonly headers: Readonly<Record<string, string>>;

  constructor(code: RegistryErrorCode, message: string, more: RegistryErrorDetail = {}) {
    super(message);
    this.code = code;
    this.status = more.status ?? statuses[code];
    this.detail = more.detail;
    this.headers = more.headers ?? {};
  }

  /** distribution-spec 1.1, "Error Codes": the body. */
  response(): Response {
    const error = { code: this.code, message: this.message, detail: this.detail };
    return new Response(`${JSON.stringify({ errors: [error] })}\n`, {
      status: this.status,
      headers: { "Content-Type": "application/json", ...this.headers },
    });
  }
}

/** Any thrown value as an answer to the client; the words of a defect stay in the log. */
export function registryErrorOf(error: unknown): RegistryError {
  if (error instanceof RegistryError) return error;
  const fault = error instanceof Fault ? error : faultOf(error);
  switch (fault.code) {
    case "exhausted":
      return new RegistryError("UNKNOWN", "the registry has no space left", { status: 507 });
    case "unavailable":
    case "timeout":
    case "canceled":
      return new RegistryError("UNAVAILABLE", "the registry cannot do this now; try again later");
    default:
      return new RegistryError("UNKNOWN", "the registry failed; its log says why");
  }
}
