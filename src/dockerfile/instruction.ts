import type { LineRange } from "./fault.ts";
import type { Heredoc } from "./heredoc.ts";
import type { Pair } from "./statement.ts";

/** A Dockerfile, taken apart. */
export interface Dockerfile {
  /** The escape character. */
  readonly escape: "\\" | "`";
  /** Whether "# syntax=" asks for what is not in the stable syntax yet. */
  readonly isLabs: boolean;
  /** ARG instructions before the first stage. */
  readonly globalArguments: readonly Instruction<"arg">[];
  readonly stages: readonly Stage[];
  /** Lines at which instructions end that have empty lines within. */
  readonly emptyContinuations: readonly number[];
}

/** FROM, and the instructions up to the next one. */
export interface Stage extends Written {
  /** In lower case; absent without AS. */
  readonly name?: string;
  /** The base as it is written, its variables not expanded. */
  readonly base: string;
  /** Of --platform, as it is written. */
  readonly platform?: string;
  readonly description?: string;
  readonly instructions: readonly Instruction[];
}

/** Where and how an instruction is written. */
export interface Written {
  readonly keyword: string;
  /** With its continuations in one line, without heredocs. */
  readonly source: string;
  readonly range: LineRange;
  /** The comments above it. */
  readonly comments: readonly string[];
}

/** An instruction of a stage; `kind` is its keyword in lower case. */
export type Instruction<K extends Kind = Kind> = {
  [E in K]: { readonly kind: E } & Forms[E] & Written;
}[K];

export type Kind = keyof Forms;

/** A variable that ARG declares. */
export interface Argument {
  readonly name: string;
  /** Absent: it has no default. */
  readonly value?: string;
  readonly description?: string;
}

/** The command of RUN, CMD and ENTRYPOINT. */
export interface CommandLine {
  /** The words of the JSON form, or one: the line for the shell. */
  readonly words: readonly string[];
  readonly isJson: boolean;
}

interface Transfer {
  readonly sources: readonly string[];
  /** Documents in the Dockerfile that are sources too. */
  readonly documents: readonly Heredoc[];
  readonly destination: string;
  readonly chown: string;
  /** Octal or symbolic. */
  readonly chmod: string;
  readonly link: boolean;
  readonly exclude: readonly string[];
}

interface Forms {
  readonly add: Transfer & {
    readonly keepGitDirectory?: boolean;
    readonly checksum: string;
    /** Absent: archives of the context are unpacked, those of URLs are not. */
    readonly unpack?: boolean;
  };
  readonly arg: { readonly declared: readonly Argument[] };
  readonly cmd: CommandLine;
  readonly copy: Transfer & {
    /** A stage's name or number, an image or a named context; absent: the context. */
    readonly from?: string;
    readonly parents: boolean;
  };
  readonly entrypoint: CommandLine;
  readonly env: { readonly pairs: readonly Pair[] };
  readonly expose: { readonly ports: readonly string[] };
  readonly healthcheck: Healthcheck;
  readonly label: { readonly pairs: readonly Pair[] };
  readonly maintainer: { readonly maintainer: string };
  readonly onbuild: {
    /** The trigger as text, with its heredocs. */
    readonly trigger: string;
  };
  readonly run: CommandLine & {
    readonly heredocs: readonly Heredoc[];
    /** The values of --mount; `parseMount` reads them once their variables are known. */
    readonly mounts: readonly string[];
    readonly network: "default" | "none" | "host";
    readonly security: "sandbox" | "insecure";
    /** The values of --device. */
    readonly devices: readonly string[];
  };
  readonly shell: { readonly shell: readonly string[] };
  readonly stopsignal: { readonly signal: string };
  readonly user: { readonly user: string };
  readonly volume: { readonly volumes: readonly string[] };
  readonly workdir: { readonly path: string };
}

/** Durations are nanoseconds; 0 and absent stand for the default. */
export interface Healthcheck {
  /** As Docker keeps it: ["NONE"], ["CMD", ...] or ["CMD-SHELL", line]. */
  readonly test: readonly string[];
  readonly interval?: number;
  readonly timeout?: number;
  readonly startPeriod?: number;
  readonly startInterval?: number;
  readonly retries?: number;
}
