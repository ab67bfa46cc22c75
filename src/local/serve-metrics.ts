import { serveMetrics } from "#registry-server";
import { parseAddress } from "./address.ts";

/**
 * Serves the text of `render` at /metrics of `addr` (HOST:PORT), to every client that reaches it.
 * `invalid` for a malformed address, `unavailable` when it is taken.
 */
export async function openMetricsServer(
  addr: string,
  render: () => string | Promise<string>,
): Promise<{ readonly url: string } & AsyncDisposable> {
  return await serveMetrics(render, parseAddress(addr));
}
