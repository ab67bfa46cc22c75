import type { BuildEvent } from "#engine";
import type { JsonMessage } from "#wire";

interface VertexState {
  isDone: boolean;
  isCached: boolean;
  /** Output that nobody has seen yet. */
  readonly output: string[];
}

/**
 * The progress of a build as the classic builder tells it: the steps one after the other in the
 * order of the Dockerfile, though several may be under way.
 */
export class ClassicProgress {
  readonly #send: (message: JsonMessage) => void;
  readonly #vertices = new Map<string, VertexState>();
  #steps: Extract<BuildEvent, { readonly kind: "steps" }>["steps"] = [];
  #at = -1;

  constructor(send: (message: JsonMessage) => void) {
    this.#send = send;
  }

  take(event: BuildEvent): void {
    if (event.kind === "steps") {
      this.#steps = event.steps;
      this.#next();
    } else if (event.kind === "vertex") {
      const state = this.#vertex(event.digest);
      state.isCached ||= event.cached === true;
      state.isDone ||= event.completed !== undefined && event.error === undefined;
    } else if (event.kind === "log") {
      const text = Buffer.from(event.data).toString();
      this.#vertex(event.vertex).output.push(
        event.stream === 2 ? `\u001b[91m${text}\u001b[0m` : text,
      );
    }
    this.#flush();
  }

  #flush(): void {
    for (let step = this.#steps[this.#at]; step; step = this.#steps[this.#at]) {
      const state = step.vertex === undefined ? undefined : this.#vertex(step.vertex);
      for (const stream of state?.output.splice(0) ?? []) this.#send({ stream });
      if (state && !state.isDone) return;
      if (state?.isCached && !/^FROM\b/i.test(step.text))
        this.#send({ stream: " ---> Using cache\n" });
      this.#next();
    }
  }

  #next(): void {
    const step = this.#steps[++this.#at];
    if (!step) return;
    this.#send({ stream: `Step ${this.#at + 1}/${this.#steps.length} : ${step.text}` });
    this.#send({ stream: "\n" });
  }

  #vertex(digest: string): VertexState {
    let state = this.#vertices.get(digest);
    if (!state) {
      state = { isDone: false, isCached: false, output: [] };
      this.#vertices.set(digest, state);
    }
    return state;
  }
}
