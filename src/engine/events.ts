import type { Clock, Counter } from "#base";
import { Fault } from "#base";
import type { EngineEvent, Events, Filters } from "./contract.ts";
import { checkFilterKeys, matchesLabels } from "./filters.ts";

const kept = 256;
/** A subscriber that reads nothing may fall this far behind before it is cut off. */
const backlog = 4096;

interface Subscriber {
  readonly filters: Filters;
  readonly queue: EngineEvent[];
  overrun: boolean;
  wake: () => void;
}

/**
 * The events of one engine: the last 256, and the subscribers of now. Kept in memory: a restart
 * forgets them, as Docker does.
 */
export class EventBus implements Events {
  readonly #clock: Clock;
  readonly #count: Pick<Counter, "add">;
  readonly #past: EngineEvent[] = [];
  readonly #subscribers = new Set<Subscriber>();

  /** `count` learns of every event. */
  constructor(clock: Clock, count: Pick<Counter, "add">) {
    this.#clock = clock;
    this.#count = count;
  }

  get subscribers(): number {
    return this.#subscribers.size;
  }

  publish(
    type: EngineEvent["type"],
    action: string,
    id: string,
    attributes: Readonly<Record<string, string>>,
  ): void {
    const event: EngineEvent = { type, action, id, attributes, time: this.#clock.now() };
    this.#count.add(1);
    this.#past.push(event);
    if (this.#past.length > kept) this.#past.shift();
    for (const subscriber of this.#subscribers) {
      if (!matchesEvent(event, subscriber.filters)) continue;
      if (subscriber.queue.length >= backlog) subscriber.overrun = true;
      else subscriber.queue.push(event);
      subscriber.wake();
    }
  }

  subscribe(options: Parameters<Events["subscribe"]>[0]): AsyncIterable<EngineEvent> {
    checkFilterKeys(options.filters, eventFilters);
    const subscriber: Subscriber = {
      filters: options.filters,
      queue: [],
      overrun: false,
      wake: () => undefined,
    };
    if (options.since !== undefined || options.until !== undefined) {
      const since = options.since ?? 0n;
      subscriber.queue.push(
        ...this.#past.filter(
          (event) => event.time >= since && matchesEvent(event, options.filters),
        ),
      );
    }
    // Registered now and not when first pulled, so that nothing in between is missed.
    this.#subscribers.add(subscriber);
    options.signal.addEventListener("abort", () => {
      this.#subscribers.delete(subscriber);
      subscriber.wake();
    });
    return this.#deliver(subscriber, options.until, options.signal);
  }

  async *#deliver(
    subscriber: Subscriber,
    until: bigint | undefined,
    signal: AbortSignal,
  ): AsyncGenerator<EngineEvent> {
    try {
      while (!signal.aborted) {
        const event = subscriber.queue.shift();
        if (event && until !== undefined && event.time > until) return;
        if (event) {
          yield event;
          continue;
        }
        if (subscriber.overrun) {
          throw new Fault(
            "exhausted",
            `an event stream was not read and fell more than ${backlog} events behind; read faster or filter`,
          );
        }
        if (until !== undefined && this.#clock.now() > until) return;
        await this.#next(subscriber, until);
      }
    } finally {
      this.#subscribers.delete(subscriber);
    }
  }

  async #next(subscriber: Subscriber, until: bigint | undefined): Promise<void> {
    let timer: Timer | undefined;
    await new Promise<void>((resolve) => {
      subscriber.wake = resolve;
      if (until === undefined) return;
      const milliseconds = Number((until - this.#clock.now()) / 1_000_000n) + 1;
      timer = setTimeout(resolve, Math.min(Math.max(0, milliseconds), 2 ** 31 - 1));
    });
    clearTimeout(timer);
  }
}

const eventFilters = [
  "type",
  "event",
  "container",
  "image",
  "label",
  "network",
  "volume",
  "daemon",
  "scope",
];

function matchesEvent(event: EngineEvent, filters: Filters): boolean {
  const { attributes } = event;
  const any = (key: string, matches: (value: string) => boolean) => {
    const values = filters[key];
    return values === undefined || values.length === 0 || values.some(matches);
  };
  const about = (type: EngineEvent["type"]) => (value: string) =>
    event.type === type &&
    (event.id === value ||
      attributes.name === value.replace(/^\//, "") ||
      (value.length >= 4 && event.id.replace(/^sha256:/, "").startsWith(value)));
  return (
    any("type", (value) => event.type === value) &&
    any("event", (value) => event.action === value || event.action.startsWith(`${value}: `)) &&
    any("scope", (value) => value === "local") &&
    any("container", about("container")) &&
    any("network", about("network")) &&
    any("volume", about("volume")) &&
    any("daemon", about("daemon")) &&
    any(
      "image",
      (value) => about("image")(value) || withoutTag(imageOf(event)) === withoutTag(value),
    ) &&
    matchesLabels(attributes, filters.label ?? [])
  );
}

/** The image that an event is about, or that its container was made of. */
function imageOf({ type, attributes }: EngineEvent): string {
  return (type === "image" ? attributes.name : attributes.image) ?? "";
}

function withoutTag(reference: string): string {
  return reference.replace(/:[^/:]*$/, "");
}
