import { createHash } from "node:crypto";
import type { Fault } from "#base";
import {
  type LogEncoder,
  type LogEntry,
  type LogSubject,
  type LogTarget,
  logEncoder,
} from "#log-driver";
import { crashPoint } from "./crash-point.ts";
import { Delivery } from "./delivery.ts";
import type { LogPlace } from "./log-files.ts";
import type { LogRecord, LogStream } from "./record.ts";
import { firstMark, MarkFile, type ShipMark } from "./ship-mark.ts";
import { endpointText } from "./sink.ts";
import { Spool } from "./spool.ts";

/** The state of a log that no shipper works on. */
export function shippingState(target: LogTarget, mark: string): ShippingState {
  using file = new MarkFile(mark);
  const { shipped, dropped } = file.read();
  return { ...receiverOf(target), shipped, dropped };
}

function receiverOf({ driver, endpoints }: LogTarget): Pick<ShippingState, "driver" | "receiver"> {
  return { driver, receiver: endpoints.map(endpointText)[0] ?? "" };
}

/** A log and its receiver. */
export interface LogShipment extends LogPlace {
  readonly target: LogTarget;
  readonly subject: LogSubject;
  /** The file that keeps how far the log has been shipped. */
  readonly mark: string;
  readonly report: LogShipperReport;
}

/** Is told what happens, once at each change. */
interface LogShipperReport {
  /** The receiver fails with this fault, or, without one, takes what it is sent again. */
  receiver(failure: Fault | undefined): void;
  shipped(lines: number): void;
  dropped(lines: number): void;
  /** The file that was shipped last has gone while no one looked: lines may be lost that no one has counted. */
  lostPlace(): void;
  /** The mark cannot be written: after a crash more is sent again. */
  unmarked(error: unknown): void;
}

/** As users see it. */
export interface ShippingState {
  readonly driver: string;
  readonly receiver: string;
  readonly shipped: number;
  readonly dropped: number;
  /** Why the receiver takes nothing now. */
  readonly failure?: string;
}

/** Lines that are made into messages in one go, before others have their turn. */
const batchLines = 128;
/** A part of a line that is this long has another part behind it. */
const partSize = 16_384;
const newline = 0x0a;

/** Ships one log, from the mark on, in order. The log's files are what waits for a receiver that is down. */
export class LogShipper {
  readonly #shipment: LogShipment;
  readonly #spool: Spool;
  readonly #delivery: Delivery;
  readonly #encode: LogEncoder;
  readonly #parts = new Map<LogStream, number>();
  readonly #opened = Promise.withResolvers<void>();
  readonly #done = Promise.withResolvers<void>();
  #mark: ShipMark = firstMark;
  #ended: Promise<unknown>;
  #droppedBefore = 0;
  #isMarked = true;
  #stage: "opening" | "shipping" | "over" = "opening";
  #isStopped = false;

  /** The log is written until `ended`. */
  constructor(shipment: LogShipment, ended: Promise<unknown>) {
    this.#shipment = shipment;
    this.#ended = ended;
    this.#spool = new Spool(shipment);
    this.#delivery = new Delivery(shipment.target, (failure) => shipment.report.receiver(failure));
    this.#encode = logEncoder(shipment.target, shipment.subject);
  }

  get state(): ShippingState {
    const { failure } = this.#delivery;
    return {
      ...receiverOf(this.#shipment.target),
      shipped: this.#mark.shipped,
      dropped: this.#dropped,
      ...(failure && { failure: failure.message }),
    };
  }

  /** Settles with the end of `run`. */
  get done(): Promise<void> {
    return this.#done.promise;
  }

  /** Settles once all files of a log that is over are open: they may then be removed. */
  async allSeen(): Promise<void> {
    await this.#opened.promise;
    await this.#spool.over;
  }

  /** The log is written once more, until `ended`; false when this shipper has come to its end already. */
  goOn(ended: Promise<unknown>): boolean {
    if (this.#stage === "over" || this.#isStopped) return false;
    this.#ended = ended;
    if (this.#stage === "shipping") this.#spool.follow(ended);
    return true;
  }

  /** Settles once the log is over and shipped, or after `stop`. Once. */
  async run(): Promise<void> {
    try {
      await this.#run();
    } finally {
      this.#stage = "over";
      this.#opened.resolve();
      this.#done.resolve();
    }
  }

  /** Ends `run`, whatever is left. */
  stop(): void {
    this.#isStopped = true;
    this.#delivery[Symbol.dispose]();
    void this.#spool[Symbol.asyncDispose]();
  }

  get #dropped(): number {
    return this.#droppedBefore + this.#spool.dropped;
  }

  async #run(): Promise<void> {
    using file = new MarkFile(this.#shipment.mark);
    await using spool = this.#spool;
    using _delivery = this.#delivery;
    this.#mark = file.read();
    this.#droppedBefore = this.#mark.dropped;
    if (!(await spool.open(this.#mark))) this.#shipment.report.lostPlace();
    this.#stage = "shipping";
    spool.follow(this.#ended);
    this.#opened.resolve();
    try {
      for (;;) {
        const batch = this.#isStopped ? undefined : await spool.next();
        if (!batch) break;
        await this.#send(batch.records);
        crashPoint("log:shipped");
        const shipped = this.#mark.shipped + batch.records.length;
        this.#note(file, { ...batch.mark, shipped, dropped: this.#dropped }, batch.records.length);
      }
    } catch (error) {
      if (!this.#isStopped) throw error;
    } finally {
      this.#stage = "over";
      this.#note(file, { ...this.#mark, dropped: this.#dropped }, 0);
    }
  }

  async #send(records: readonly LogRecord[]): Promise<void> {
    for (let at = 0; at < records.length; at += batchLines) {
      const entries = records.slice(at, at + batchLines).map((record) => this.#entryOf(record));
      await this.#delivery.send(this.#encode(entries));
    }
  }

  #note(file: MarkFile, mark: ShipMark, shipped: number): void {
    const { report } = this.#shipment;
    if (shipped > 0) report.shipped(shipped);
    if (mark.dropped > this.#mark.dropped) report.dropped(mark.dropped - this.#mark.dropped);
    this.#mark = mark;
    try {
      file.write(mark);
      this.#isMarked = true;
    } catch (error) {
      if (this.#isMarked) report.unmarked(error);
      this.#isMarked = false;
    }
  }

  #entryOf({ stream, time, line }: LogRecord): LogEntry {
    const isWhole = line.at(-1) === newline;
    const text = isWhole ? line.subarray(0, -1) : line;
    const before = this.#parts.get(stream);
    const last = isWhole || text.byteLength < partSize;
    if (last && before === undefined) return { stream, time, text };
    const ordinal = (before ?? 0) + 1;
    if (last) this.#parts.delete(stream);
    else this.#parts.set(stream, ordinal);
    // All parts of a line have the time of the first: the same line has the same id when it is sent again.
    const id = createHash("sha256")
      .update(`${this.#shipment.subject.id}/${stream}/${time}`)
      .digest("hex");
    return { stream, time, text, part: { id, ordinal, last } };
  }
}
