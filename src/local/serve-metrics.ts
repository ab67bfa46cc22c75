import { serveMetrics } from "#registry-server";
import { parseAddress } from "./address.ts";

/**
 * Serves what `render` gives at /metrics of `addr` (HOST:PORT), for every client that reaches it.
 * `invalid` for what is no address, `unavailable` when it is taken.
 */
export async function openMetricsServer(
  addr: string,
  render: () => string | Promise<string>,
): Promise<{ readonly url: string } & AsyncDisposable> {
  return await serveMetrics(render, parseAddress(addr));
}
