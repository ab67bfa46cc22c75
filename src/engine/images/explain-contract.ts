import type {
  ConfigChange,
  Explanation,
  FileComparison,
  LayerExplanation,
  PathExplanation,
} from "#explain";
import type { DiffId, Digest } from "#image";
import type { Progress } from "./image-contract.ts";

/** The content of images, and how to make it smaller. */
export interface ImageAnalysis {
  /** Where the bytes of an image are; `invalid` for a layer that it does not have. */
  explain(ref: string, options: ExplainRequest, signal: AbortSignal): Promise<ImageExplanation>;
  /** Which layers and which package a path comes from; `not_found` when no layer ever had it. */
  explainPath(ref: string, path: string, signal: AbortSignal): Promise<ImagePathExplanation>;
  /** The packages of an image, from their own databases, as a document of SPDX 2.3. */
  sbom(ref: string): Promise<object>;
  /** How the second image differs from the first. */
  compare(
    from: string,
    to: string,
    options: { readonly limit: number },
    signal: AbortSignal,
  ): Promise<ImageComparison>;
  /** Merges layers of an image into one and names the result. */
  squash(
    ref: string,
    options: SquashRequest,
    report: (progress: Progress) => void,
    signal: AbortSignal,
  ): Promise<SquashResult>;
}

/** How much of an image to explain. */
export interface ExplainRequest {
  /** The number of items in each list. */
  readonly top: number;
  /** The number of levels of directories. */
  readonly depth: number;
  /** One layer alone: its number from 1, or the beginning of its diff id or of its blob's digest. */
  readonly layer?: string | undefined;
}

/** The image that an answer is about: its id, the digest of its manifest, its familiar names. */
export interface AnalysedImage {
  readonly id: Digest;
  readonly digest: Digest;
  readonly tags: readonly string[];
}

/** The bytes of an image by layer, directory, file and package. */
export interface ImageExplanation extends Omit<Explanation, "layers"> {
  readonly image: AnalysedImage;
  /** Bytes of all blobs, as they are pulled. */
  readonly compressed: number;
  readonly layers: readonly ExplainedLayer[];
}

/** The content of one layer, and how it was made. */
export interface ExplainedLayer extends LayerExplanation {
  readonly diffId: DiffId;
  readonly digest: Digest;
  /** Bytes of the blob. */
  readonly compressed: number;
  /** As the history has it. */
  readonly createdBy: string;
}

/** The history of one path of an image. */
export interface ImagePathExplanation extends Omit<PathExplanation, "steps"> {
  readonly image: AnalysedImage;
  readonly steps: readonly (PathExplanation["steps"][number] & {
    readonly diffId: DiffId;
    readonly createdBy: string;
  })[];
}

/** The differences of two images. */
export interface ImageComparison extends FileComparison {
  readonly from: ComparedImage;
  readonly to: ComparedImage;
  /** Layers at the bottom that both have. */
  readonly sharedLayers: number;
  readonly config: readonly ConfigChange[];
}

export type ComparedImage = AnalysedImage & ImageWeight;

/** The layers to merge, and the name of the result. */
export interface SquashRequest {
  /** The last layer that stays as it is: its number, the beginning of its digest, or an image that the layers up to it are. Absent: all are merged. */
  readonly from?: string | undefined;
  /** "name[:tag]" of the result; absent: it has no name. */
  readonly reference?: string | undefined;
  /** Nanoseconds since the epoch: the time of creation, and the latest that a file of the merged layer may have. Absent: the image's own. */
  readonly created?: bigint | undefined;
}

/** The image that was made, beside the one before it. */
export interface SquashResult {
  readonly id: Digest;
  readonly digest: Digest;
  readonly tags: readonly string[];
  /** Layers at the bottom that stayed as they were. */
  readonly kept: number;
  readonly merged: number;
  readonly before: ImageWeight;
  readonly after: ImageWeight;
}

/** The size of an image. */
export interface ImageWeight {
  readonly layers: number;
  /** Bytes of the files of all layers. */
  readonly bytes: number;
  /** Bytes of all blobs. */
  readonly compressed: number;
}
