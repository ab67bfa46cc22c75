import type { BuildLog, BuildMessage, BuildStatus, BuildVertex, BuildWarning } from "#wire";

/** A line of a step's output, with the seconds after the step's start at which it began. */
interface OutputLine {
  readonly seconds: number;
  text: string;
}

/** One step of a build, as it is now. Times are milliseconds since 1970. */
export interface BuildStep {
  readonly digest: string;
  name: string;
  /** From 1, in the order in which steps began; 0 before. */
  number: number;
  started: number | undefined;
  completed: number | undefined;
  isCached: boolean;
  error: string | undefined;
  reason: string | undefined;
  readonly statuses: Map<string, BuildStatus>;
  /** The last lines of the output. */
  readonly output: OutputLine[];
  /** The last line has no end yet. */
  isOpen: boolean;
}

/** Lines of a step that are kept for the message of its failure. */
const keptLines = 20;
/** Characters of such a line. */
const keptLength = 8192;

/** What a message has changed, for those who show it. */
export interface BuildChange {
  readonly step: BuildStep;
  readonly what: "begun" | "changed" | "completed" | "status" | "log";
  readonly status?: BuildStatus;
  /** New output: whole lines, and the beginning of one. */
  readonly text?: string;
}

/** The state of a build, from its messages. */
export class BuildProgress {
  readonly #steps = new Map<string, BuildStep>();
  readonly warnings: BuildWarning[] = [];
  readonly #decoders = new Map<string, TextDecoder>();
  #count = 0;

  /** Those that have begun, in that order. */
  get steps(): readonly BuildStep[] {
    return [...this.#steps.values()]
      .filter(({ number }) => number > 0)
      .sort((a, b) => a.number - b.number);
  }

  get total(): number {
    return this.#steps.size;
  }

  step(digest: string): BuildStep | undefined {
    return this.#steps.get(digest);
  }

  apply(message: BuildMessage): BuildChange | undefined {
    if (message.kind === "vertex") return this.#vertex(message);
    if (message.kind === "warning") this.warnings.push(message);
    if (message.kind !== "status" && message.kind !== "log") return undefined;
    const step = this.#steps.get(message.vertex);
    if (!step) return undefined;
    if (message.kind === "status") {
      step.statuses.set(message.id, message);
      return { step, what: "status", status: message };
    }
    const text = this.#decode(message);
    if (text === "") return undefined;
    const seconds =
      step.started === undefined ? 0 : (milliseconds(message.time) - step.started) / 1e3;
    this.#write(step, text, Math.max(0, seconds));
    return { step, what: "log", text };
  }

  #vertex(vertex: BuildVertex): BuildChange | undefined {
    const known = this.#steps.get(vertex.digest);
    const step = known ?? newStep(vertex.digest);
    this.#steps.set(vertex.digest, step);
    const wasCompleted = step.completed !== undefined;
    step.name = vertex.name;
    step.started ??= vertex.started === undefined ? undefined : milliseconds(vertex.started);
    step.completed ??= vertex.completed === undefined ? undefined : milliseconds(vertex.completed);
    step.isCached = vertex.cached ?? step.isCached;
    step.error = vertex.error ?? step.error;
    step.reason = vertex.reason ?? step.reason;
    if (step.started === undefined && step.completed === undefined) return undefined;
    const isNew = step.number === 0;
    if (isNew) step.number = ++this.#count;
    const isOver = step.completed !== undefined && !wasCompleted;
    return { step, what: isOver ? "completed" : isNew ? "begun" : "changed" };
  }

  /** A character may be cut between two messages. */
  #decode({ vertex, stream, data }: BuildLog): string {
    const key = `${stream} ${vertex}`;
    const decoder = this.#decoders.get(key) ?? new TextDecoder();
    this.#decoders.set(key, decoder);
    return decoder.decode(Buffer.from(data, "base64"), { stream: true });
  }

  #write(step: BuildStep, text: string, seconds: number): void {
    const [first = "", ...rest] = text.split("\n");
    const last = step.output.at(-1);
    if (step.isOpen && last) last.text = `${last.text}${first}`.slice(0, keptLength);
    else step.output.push({ seconds, text: first.slice(0, keptLength) });
    for (const line of rest) step.output.push({ seconds, text: line.slice(0, keptLength) });
    step.isOpen = !text.endsWith("\n");
    if (!step.isOpen) step.output.pop();
    step.output.splice(0, step.output.length - keptLines);
  }
}

function newStep(digest: string): BuildStep {
  return {
    digest,
    name: "",
    number: 0,
    started: undefined,
    completed: undefined,
    isCached: false,
    error: undefined,
    reason: undefined,
    statuses: new Map(),
    output: [],
    isOpen: false,
  };
}

/** Of nanoseconds since 1970. */
export function milliseconds(time: string): number {
  return Number(BigInt(time) / 1000n) / 1000;
}

/** The end of a step that was given up because another one failed. */
export function isCanceled({ error }: BuildStep): boolean {
  return error !== undefined && /\bcancell?ed$/.test(error);
}
