import { Fault } from "#base";
import type { Control } from "../protobuf/control-messages.ts";
import type { Input, Value } from "../protobuf/message.ts";

type Event = Input<(typeof Control)["listenBuildHistory"]["response"]>;
type Query = Value<(typeof Control)["listenBuildHistory"]["request"]>;

/** A build as the history tells it. */
export type BuildRecord = NonNullable<Event["record"]> & { readonly ref: string };

const maxRecords = 100;
const eventTypes = { started: 0, complete: 1, deleted: 2 } as const;

/** The builds of late, since the engine started: those that run, and the last ones that ended. */
export class History {
  readonly #records = new Map<string, BuildRecord>();
  readonly #listeners = new Set<(event: Event) => void>();

  /** Notes a build, once when it begins and once when it ends. */
  note(record: BuildRecord): void {
    this.#records.delete(record.ref);
    this.#records.set(record.ref, record);
    for (const [ref, { completedAt, pinned }] of this.#records) {
      if (this.#records.size <= maxRecords) break;
      if (completedAt && !pinned) this.#records.delete(ref);
    }
    this.#tell(eventOf(record));
  }

  /** What there is, and unless `earlyExit` what comes, until the signal fires. */
  async *listen(query: Query, signal: AbortSignal): AsyncGenerator<Event, void> {
    const { ref, activeOnly, earlyExit, limit } = query;
    const wanted = (event: Event) =>
      (ref === "" || event.record?.ref === ref) && (!activeOnly || !event.record?.completedAt);
    const coming: Event[] = [];
    let wake = Promise.withResolvers<void>();
    const listener = (event: Event) => {
      if (!wanted(event)) return;
      coming.push(event);
      wake.resolve();
    };
    const leave = () => wake.resolve();
    signal.addEventListener("abort", leave);
    this.#listeners.add(listener);
    try {
      const known = [...this.#records.values()].map(eventOf).filter(wanted);
      yield* limit > 0 ? known.slice(-limit) : known;
      while (!earlyExit && !signal.aborted) {
        for (let event = coming.shift(); event; event = coming.shift()) yield event;
        await wake.promise;
        wake = Promise.withResolvers();
      }
    } finally {
      this.#listeners.delete(listener);
      signal.removeEventListener("abort", leave);
    }
  }

  /** Removes or pins a build that has ended. */
  update(change: {
    readonly ref: string;
    readonly delete: boolean;
    readonly pinned: boolean;
  }): void {
    const { ref } = change;
    const record = this.#records.get(ref);
    if (!record) throw new Fault("not_found", `lease "ref_${ref}": not found`, { about: ref });
    if (change.delete) {
      this.#records.delete(ref);
      this.#tell({ type: eventTypes.deleted, record });
    } else this.note({ ...record, pinned: change.pinned });
  }

  #tell(event: Event): void {
    for (const listener of this.#listeners) listener(event);
  }
}

function eventOf(record: BuildRecord): Event {
  return { type: record.completedAt ? eventTypes.complete : eventTypes.started, record };
}
