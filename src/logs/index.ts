/**
 * logs: reads the json-file logs that monitors write, as Docker lays them out, and ships them.
 *
 * A log is a file of JSON records, one a line; rotation renames `path` to `path.1`,
 * that to `path.2` and so on. Records above 16 KiB arrive in parts: a part has no
 * newline at its end, and is passed as it is, as `docker logs` does. The monitor writes and
 * rotates, and goes on without a reader; `compressRotated` makes `path.1.gz` of `path.1`, which
 * the monitor, while there is one, puts in its place.
 * A log with a receiver has a `LogShipper`, which sends the records in order and keeps a mark of how far
 * it has come: the log's own files hold what waits for a receiver that is down.
 * Life cycle: `renderLog` opens the files when first pulled and closes them when left.
 */

export {
  type CompressRotatedOptions,
  compressRotated,
  replaceRotated,
} from "./compress-rotated.ts";
export { logCrashPoints } from "./crash-point.ts";
export type { HoldRotation } from "./log-files.ts";
export { type LogShipment, LogShipper, type ShippingState, shippingState } from "./log-shipper.ts";
export { type RenderLogOptions, renderLog } from "./render-log.ts";
