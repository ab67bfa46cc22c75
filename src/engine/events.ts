import type { Clock, Counter } from "#base";
import { Fault } from "#base";
import type { EngineEvent, Events, Filters } from "./contract.ts";
import { checkFilterKeys, matchesLabels } from "./filters.ts";

const kept = 256;
/** A subscriber that reads nothing may fall this far behind, in events and in bytes, before it is cut off. */
const backlog = { events: 4096, bytes: 8 << 20 };

interface Subscriber {
  readonly filters: Filters;
  readonly queue: EngineEvent[];
  /** Bytes in the queue. */
  size: number;
  overrun: boolean;
  wake: () => void;
  readonly onOverrun: () => void;
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
    const size = sizeOf(event);
    for (const subscriber of this.#subscribers) {
      if (matchesEvent(event, subscriber.filters)) this.#hand(event, size, subscriber);
    }
  }

  #hand(event: EngineEvent, size: number, subscriber: Subscriber): void {
    const { queue } = subscriber;
    if (queue.length < backlog.events && subscriber.size + size <= backlog.bytes) {
      queue.push(event);
      subscriber.size += size;
    } else {
      // What it did not read is let go at once: its reader may never come back.
      subscriber.overrun = true;
      queue.length = 0;
      this.#subscribers.delete(subscriber);
      subscriber.onOverrun();
    }
    subscriber.wake();
  }

  subscribe(options: Parameters<Events["subscribe"]>[0]): AsyncIterable<EngineEvent> {
    checkFilterKeys(options.filters, eventFilters);
    const subscriber: Subscriber = {
      filters: options.filters,
      queue: [],
      size: 0,
      overrun: false,
      wake: () => undefined,
      onOverrun: options.onOverrun ?? (() => undefined),
    };
    if (options.since !== undefined || options.until !== undefined) {
      const since = options.since ?? 0n;
      for (const event of this.#past) {
        if (event.time < since || !matchesEvent(event, options.filters)) continue;
        subscriber.queue.push(event);
        subscriber.size += sizeOf(event);
      }
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
        if (event) subscriber.size -= sizeOf(event);
        if (event && until !== undefined && event.time > until) return;
        if (event) {
          yield event;
          continue;
        }
        if (subscriber.overrun) {
          throw new Fault(
            "exhausted",
            `an event stream was not read and fell more than ${backlog.events} events or ${backlog.bytes >> 20} MiB behind; read faster or filter`,
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

/** The kinds of objects that have a filter of their own, by id or name; a dockerd in a swarm knows the last four. */
const kinds = [
  ...["container", "network", "volume", "daemon", "plugin"],
  ...["config", "node", "secret", "service"],
];

const eventFilters = ["type", "event", "image", "label", "scope", ...kinds];

/** Actions that carry more behind a colon, and are asked for without it. */
const openActions: readonly string[] = ["health_status", "exec_create", "exec_start"];

function matchesEvent(event: EngineEvent, filters: Filters): boolean {
  const any = (key: string, matches: (value: string) => boolean) => {
    const values = filters[key];
    return values === undefined || values.length === 0 || values.some(matches);
  };
  const isOpen = filters.event?.some((value) => openActions.includes(value));
  const { id, attributes } = event;
  // As in Docker, whatever the type of the event.
  const isAbout = (value: string) =>
    id.startsWith(value) || (attributes.name ?? "").startsWith(value.replace(/^\//, ""));
  return (
    any("type", (value) => event.type === value) &&
    any("event", (value) => (isOpen ? event.action.startsWith(value) : event.action === value)) &&
    any("scope", (value) => value === "local") &&
    kinds.every((kind) => any(kind, isAbout)) &&
    any("image", (value) => imagesOf(event).includes(value)) &&
    matchesLabels(attributes, filters.label ?? [])
  );
}

/** What the image is called that an event is about, or that its container was made of. */
function imagesOf({ type, id, attributes }: EngineEvent): readonly string[] {
  const name = (type === "image" ? attributes.name : attributes.image) ?? "";
  return [id, name, withoutTag(id), withoutTag(name)];
}

function withoutTag(reference: string): string {
  return reference.replace(/:[^/:]*$/, "");
}

/** About as many bytes as the event takes. */
function sizeOf({ attributes }: EngineEvent): number {
  let size = 256;
  for (const [key, value] of Object.entries(attributes)) size += key.length + value.length;
  return size;
}
