import type {
  BillOfMaterials,
  ImageComparison,
  ImageExplanation,
  ImagePathExplanation,
  JsonMessage,
  SquashReport,
} from "#wire";
import type { Transport } from "./transport.ts";

/** A message of a squash; the last one carries the report. */
export type SquashMessage = JsonMessage & { readonly aux?: { readonly squash?: SquashReport } };

/**
 * The content of images, and how to make them smaller: thimble's own API. Every `ref` is an id, a
 * unique prefix of one, or a reference. `unsupported` when the engine is not thimble.
 */
export class AnalysisClient {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** `top`: items of each list; `depth`: levels of directories; `layer`: that one alone, by number or digest. */
  explain(
    ref: string,
    options: {
      readonly top?: number | undefined;
      readonly depth?: number | undefined;
      readonly layer?: string | undefined;
    } = {},
    signal?: AbortSignal,
  ): Promise<ImageExplanation> {
    const query = { ...options };
    return this.#transport.json({ method: "GET", path: `${at(ref)}/explain`, query, signal });
  }

  /** The layers and the package that a path comes from; `not_found` when no layer ever had it. */
  explainPath(ref: string, path: string, signal?: AbortSignal): Promise<ImagePathExplanation> {
    const query = { path };
    return this.#transport.json({ method: "GET", path: `${at(ref)}/explain`, query, signal });
  }

  /** The packages of an image, as a document of SPDX. */
  sbom(ref: string, signal?: AbortSignal): Promise<BillOfMaterials> {
    return this.#transport.json({ method: "GET", path: `${at(ref)}/sbom`, signal });
  }

  /** How image `to` differs from image `from`; `limit`: changes of files that are listed. */
  compare(
    from: string,
    to: string,
    options: { readonly limit?: number | undefined } = {},
    signal?: AbortSignal,
  ): Promise<ImageComparison> {
    const query = { to, ...options };
    return this.#transport.json({ method: "GET", path: `${at(from)}/diff`, query, signal });
  }

  /** `from`: the last layer that stays; `epoch`: seconds since 1970 (SOURCE_DATE_EPOCH). */
  async *squash(
    ref: string,
    options: {
      readonly from?: string | undefined;
      readonly reference?: string | undefined;
      readonly epoch?: number | undefined;
    },
    signal?: AbortSignal,
  ): AsyncGenerator<SquashMessage> {
    const call = {
      method: "POST",
      path: `${at(ref)}/squash`,
      query: { ...options },
      signal,
    } as const;
    for await (const { value } of this.#transport.messages<SquashMessage>(call)) yield value;
  }
}

function at(ref: string): string {
  return `/thimble/v1/images/${ref.split("/").map(encodeURIComponent).join("/")}`;
}
