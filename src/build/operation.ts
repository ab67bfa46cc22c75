import type { LineRange } from "#dockerfile";
import type { Platform } from "#image";

/**
 * One step of a build, as data. Operations are immutable and refer to their inputs directly, so
 * that a build is a graph without cycles; the result of each is a stack of layers. Fields of `Step`
 * are shown to people and decide nothing.
 */
export type Operation = ImageOperation | RunOperation | CopyOperation | DirectoryOperation;

/** How an operation is shown, and where it comes from. */
export interface Step {
  /** "[build 2/5] RUN make", as BuildKit shows it. */
  readonly name: string;
  /** The stage of the Dockerfile; "" for what belongs to none. */
  readonly stage: string;
  /** Lines of the Dockerfile. */
  readonly range?: LineRange;
  /** Whether the step is carried out although the cache has its result. */
  readonly ignoresCache: boolean;
  /** How a RUN behind it would run, for who enters it; absent for RUN itself, and for what is of no stage. */
  readonly surroundings?: Surroundings;
}

/** What a program of a stage finds beside its files. */
export interface Surroundings {
  /** "NAME=value". */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly user: string;
}

/** What a step changes; "scratch" is the empty root. */
export type Base = Operation | "scratch";

/** The layers of an image. */
interface ImageOperation extends Step {
  readonly kind: "image";
  /** As in FROM, with a tag or digest, such as "docker.io/library/debian:12". */
  readonly reference: string;
  readonly platform: Platform;
  /** A named context whose images are in an OCI layout; absent: the store of images. */
  readonly layout?: string;
}

/** A process in the root of `base`. */
export interface RunOperation extends Step {
  readonly kind: "run";
  readonly base: Base;
  readonly platform: Platform;
  readonly argv: readonly string[];
  /** "NAME=value": the variables of the image, ENV and ARG; each name once. */
  readonly env: readonly string[];
  /** Variables of proxies; they reach the process and are no part of the key. */
  readonly proxy: readonly string[];
  /** Absolute. */
  readonly cwd: string;
  /** As USER has it; "" for root. */
  readonly user: string;
  readonly mounts: readonly RunMount[];
  readonly network: "default" | "none" | "host";
  readonly security: "sandbox" | "insecure";
  /** Absent: "buildkitsandbox". */
  readonly hostname?: string;
  /** "name:address", for /etc/hosts. */
  readonly hosts: readonly string[];
  /** Bytes of /dev/shm; absent: the default. */
  readonly shmSize?: number;
}

/** A mount of RUN; `target` is absolute. */
export type RunMount =
  | BindMount
  | CacheMount
  | TmpfsMount
  | SecretMount
  | AgentMount
  | DocumentMount;

/** Files of a source; what is written to them is dropped after the step. */
interface BindMount {
  readonly type: "bind";
  readonly from: Source | "scratch";
  /** Absolute, in the source. */
  readonly path: string;
  readonly target: string;
  readonly isReadOnly: boolean;
}

/** A directory that is kept from build to build. */
interface CacheMount {
  readonly type: "cache";
  readonly id: string;
  readonly sharing: "shared" | "private" | "locked";
  readonly target: string;
  /** The content of a new one; absent: nothing. */
  readonly from?: Source;
  /** Absolute, in the source or the cache; "/" is all of it. */
  readonly path: string;
  readonly isReadOnly: boolean;
  /** Of the directory when it is new. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
}

interface TmpfsMount {
  readonly type: "tmpfs";
  readonly target: string;
  /** Bytes; absent: half of the machine's memory. */
  readonly size?: number;
}

/** A secret of the client, as a file or a variable or both. */
interface SecretMount {
  readonly type: "secret";
  readonly id: string;
  /** Absent: no file. */
  readonly target?: string;
  /** The name of a variable. */
  readonly variable?: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly isRequired: boolean;
}

/** A socket to an agent of the client. */
interface AgentMount {
  readonly type: "ssh";
  readonly id: string;
  readonly target: string;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly isRequired: boolean;
}

/** A read-only directory with one executable file: RUN with a document that begins with "#!". */
interface DocumentMount {
  readonly type: "document";
  readonly target: string;
  readonly document: InlineDocument;
}

/** A file whose text stands in the Dockerfile. */
interface InlineDocument {
  readonly name: string;
  readonly text: string;
}

/** Files that one COPY or ADD brings to one destination. */
export interface CopyOperation extends Step {
  readonly kind: "copy";
  readonly base: Base;
  /** In the order of the instruction; each is copied over what those before it made. */
  readonly parts: readonly CopyPart[];
  /** Absolute and clean; a slash at its end says that it is a directory. */
  readonly destination: string;
  /** "user[:group]", names or numbers; "" for none. */
  readonly chown: string;
  /** Octal or symbolic; "" for none. */
  readonly chmod: string;
  /** The files are a layer of their own, whatever is below. */
  readonly isLink: boolean;
  readonly exclude: readonly string[];
}

/** One source of COPY or ADD. */
export type CopyPart =
  | {
      readonly kind: "files";
      readonly from: Operation | ContextSource | "scratch";
      /** Absolute and clean; may have wildcards. */
      readonly path: string;
      /** Of --parents: what is copied, relative to `path`, with the directories above it. */
      readonly parents?: string;
      /** Archives are unpacked. */
      readonly unpacks: boolean;
    }
  | {
      readonly kind: "remote";
      readonly from: RemoteSource;
      readonly unpacks: boolean;
    }
  | { readonly kind: "git"; readonly from: GitSource }
  | { readonly kind: "document"; readonly document: InlineDocument };

/** WORKDIR: a directory, with those above it that are missing. */
export interface DirectoryOperation extends Step {
  readonly kind: "directory";
  readonly base: Base;
  /** Absolute and clean. */
  readonly path: string;
  readonly mode: number;
  /** Who owns what is made, as USER has it; "" for root. */
  readonly user: string;
}

/** Whence files come. */
export type Source = Operation | ContextSource;

/** A directory that the client sent; "" is the main one, others are named contexts. */
export interface ContextSource {
  readonly kind: "context";
  readonly name: string;
}

/** A file by HTTP. */
export interface RemoteSource {
  readonly kind: "remote";
  readonly url: string;
  /** The name that it gets in a directory. */
  readonly fileName: string;
  /** "sha256:..." that its bytes must have; absent: any. */
  readonly checksum?: string;
}

/** Files of a git repository. */
export interface GitSource {
  readonly kind: "git";
  readonly url: string;
  /** A branch, a tag or a commit; absent: what the server's HEAD is. */
  readonly ref?: string;
  /** A directory in it; "" for the whole. */
  readonly directory: string;
  readonly keepsGitDirectory: boolean;
  /** The commit that `ref` has to be, or how it begins. */
  readonly checksum?: string;
}

/** The operations on which this one depends directly, each once. */
export function inputsOf(operation: Operation): Operation[] {
  const found = new Set<Operation>();
  const add = (input: Base | Source | undefined) => {
    if (input !== undefined && input !== "scratch" && input.kind !== "context") found.add(input);
  };
  if (operation.kind !== "image") add(operation.base);
  if (operation.kind === "run") {
    for (const mount of operation.mounts) {
      if (mount.type === "bind" || mount.type === "cache") add(mount.from);
    }
  }
  if (operation.kind === "copy") {
    for (const part of operation.parts) if (part.kind === "files") add(part.from);
  }
  return [...found];
}
