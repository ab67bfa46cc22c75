import { setTimeout as delay } from "node:timers/promises";
import { type Fault, faultOf, Slots } from "#base";
import type { LogTarget, Shipment } from "#log-driver";
import { openSink, type Sink } from "./sink.ts";

/** Milliseconds before the second try; twice as long before each further one. */
const firstPause = 250;
const longestPause = 30_000;
/** A receiver may go with what it was sent in the last moments: so much is kept to be sent again. */
const keptTime = 1000;
const keptBytes = 1 << 20;

/** Milliseconds that a connection after a failure has to stand before it counts. */
const probation = 50;

interface Sent {
  readonly shipment: Shipment;
  readonly at: number;
}

/** Brings shipments to a receiver, in order, however often the connection breaks. */
export class Delivery implements Disposable {
  readonly #target: LogTarget;
  readonly #changed: (failure: Fault | undefined) => void;
  readonly #stop = new AbortController();
  readonly #turn = new Slots(1);
  #sink: Sink | undefined;
  #sent: Sent[] = [];
  #failure: Fault | undefined;
  #forgetting: Timer | undefined;

  /** `changed` is told of the first failure after a success, and of the first success after failures. */
  constructor(target: LogTarget, changed: (failure: Fault | undefined) => void) {
    this.#target = target;
    this.#changed = changed;
  }

  /** Why the receiver takes nothing now; undefined while it does, or nothing was sent. */
  get failure(): Fault | undefined {
    return this.#failure;
  }

  /** Settles once the shipment has been taken; `canceled` after the delivery was disposed of. */
  async send(shipment: Shipment): Promise<void> {
    using _turn = await this.#turn.take(this.#stop.signal);
    await this.#untilTaken(shipment);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    clearTimeout(this.#forgetting);
    this.#sink?.close();
  }

  async #untilTaken(shipment?: Shipment): Promise<void> {
    const { signal } = this.#stop;
    for (let pause = this.#firstPause; ; pause = Math.min(pause * 2, longestPause)) {
      signal.throwIfAborted();
      try {
        const sink = await this.#connect();
        if (shipment) {
          await sink.send(shipment);
          this.#keep(shipment);
        }
        this.#tell(undefined);
        return;
      } catch (error) {
        signal.throwIfAborted();
        this.#sink?.close();
        this.#sink = undefined;
        this.#tell(faultOf(error));
      }
      await delay(pause, undefined, { signal, ref: false });
    }
  }

  get #firstPause(): number {
    const { driver } = this.#target;
    const asked = driver === "fluentd" || driver === "gelf" ? this.#target.retryWait : undefined;
    return Math.max(1, asked ?? firstPause);
  }

  /** The connection; one that follows a broken one begins with what that may have lost. */
  async #connect(): Promise<Sink> {
    if (this.#sink) return this.#sink;
    const sink = await openSink(this.#target, this.#stop.signal);
    this.#sink = sink;
    void sink.closed.then((reason) => this.#lost(sink, reason));
    for (const { shipment } of this.#sent) await sink.send(shipment);
    if (this.#failure) await stands(sink, this.#stop.signal);
    return sink;
  }

  #keep(shipment: Shipment): void {
    if (shipment.acknowledgement !== undefined) return;
    this.#sent.push({ shipment, at: performance.now() });
    this.#forget();
  }

  /** Lets go of what the receiver has had for long enough: also when nothing more comes, for the memory's sake. */
  #forget(): void {
    if (this.#failure || this.#stop.signal.aborted) return;
    const now = performance.now();
    let bytes = 0;
    const last = this.#sent.findLastIndex(({ shipment, at }) => {
      bytes += shipment.packets.reduce((sum, { byteLength }) => sum + byteLength, 0);
      return bytes > keptBytes || now - at > keptTime;
    });
    this.#sent.splice(0, last + 1);
    if (this.#sent.length === 0) return;
    this.#forgetting ??= setTimeout(() => {
      this.#forgetting = undefined;
      this.#forget();
    }, keptTime).unref();
  }

  /** A connection that ends by itself: what it may have lost is sent again, without waiting for more. */
  #lost(sink: Sink, reason: Fault): void {
    if (this.#sink !== sink || this.#stop.signal.aborted) return;
    this.#sink = undefined;
    this.#forget();
    if (this.#sent.length === 0) return;
    this.#tell(reason);
    void this.#again().catch(() => undefined);
  }

  async #again(): Promise<void> {
    using _turn = await this.#turn.take(this.#stop.signal);
    await delay(this.#firstPause, undefined, { signal: this.#stop.signal, ref: false });
    await this.#untilTaken();
  }

  #tell(failure: Fault | undefined): void {
    const isNews = (failure === undefined) !== (this.#failure === undefined);
    this.#failure = failure;
    if (isNews) this.#changed(failure);
  }
}

/** Throws when the connection ends at once, as one does that another program than the receiver took, or that a refusal follows. */
async function stands(sink: Sink, signal: AbortSignal): Promise<void> {
  const reason = await Promise.race([
    sink.closed,
    delay(probation, undefined, { signal, ref: false }),
  ]);
  if (reason) throw reason;
}
