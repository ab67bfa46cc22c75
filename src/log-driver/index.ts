/**
 * log-driver: Docker's log drivers whose logs go to a receiver: their options, and the messages that
 * the receivers take. It connects to nothing; `logs` ships.
 *
 * A target is a driver's options, parsed. An entry is a line, or a part of a line above 16 KiB.
 */
export { logEncoder, logTarget, shippedDrivers } from "./drivers.ts";
export type {
  Endpoint,
  LogEncoder,
  LogEntry,
  LogOptions,
  LogSubject,
  LogTarget,
  Shipment,
  TlsFiles,
} from "./target.ts";
