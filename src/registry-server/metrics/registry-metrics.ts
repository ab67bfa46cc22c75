import { Metrics } from "#base";
import type { GcReport, RequestObservation } from "../registry-server.ts";

/** Counts a registry's work, for Prometheus. Everything is a number in memory; nothing blocks. */
export interface RegistryMetrics {
  /** For `RegistryServerOptions.observe`. */
  observe(request: RequestObservation): void;
  /** A cache asked its upstream. */
  fetched(kind: "manifest" | "blob", outcome: "found" | "missing" | "failed"): void;
  evicted(bytes: number): void;
  collected(report: GcReport): void;
  /** Prometheus' text format, version 0.0.4. */
  render(): string;
}

/** Seconds, from those of a small answer to those of a large upload. */
const buckets = [0.001, 0.005, 0.025, 0.1, 0.5, 2.5, 10, 60, 300];

/** Clients choose the method freely: all others share one label. */
const methods = new Set(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]);

/** The counters of a registry, in the text format of Prometheus. */
export function createMetrics(version: string): RegistryMetrics {
  const metrics = new Metrics("thimble_registry_");
  const all = {
    build: metrics.gauge("build_info", "The version that runs; always 1."),
    started: metrics.gauge("start_time_seconds", "When it was started, since the epoch."),
    memory: metrics.gauge("resident_memory_bytes", "Resident memory of the process."),
    requests: metrics.counter("requests_total", "Requests answered."),
    seconds: metrics.histogram(
      "request_seconds",
      "Time until the headers of an answer were ready.",
      buckets,
    ),
    received: metrics.counter("received_bytes_total", "Bytes of request bodies taken in."),
    sent: metrics.counter("sent_bytes_total", "Bytes of answers promised."),
    pushed: metrics.counter("pushed_total", "Blobs and manifests pushed."),
    served: metrics.counter(
      "served_total",
      "Manifests and blobs that were asked for and answered.",
    ),
    upstream: metrics.counter("upstream_requests_total", "Questions of the cache to its upstream."),
    hits: metrics.counter(
      "cache_hits_total",
      "Answers for which the upstream had to give nothing.",
    ),
    evictions: metrics.counter(
      "cache_evictions_total",
      "Blobs evicted from the pull-through cache.",
    ),
    evictedBytes: metrics.counter(
      "cache_evicted_bytes_total",
      "Bytes evicted from the pull-through cache.",
    ),
    collections: metrics.counter("gc_runs_total", "Garbage collections done."),
    collectedBlobs: metrics.counter("gc_blobs_total", "Blobs removed by garbage collection."),
    collectedBytes: metrics.counter("gc_bytes_total", "Bytes removed by garbage collection."),
    gcSeconds: metrics.gauge("gc_last_seconds", "Duration of the last garbage collection."),
    blobs: metrics.gauge("blobs", "Blobs referred to, as of the last garbage collection."),
    manifests: metrics.gauge("manifests", "Manifests kept, as of the last garbage collection."),
  };
  const served = { manifest: 0, blob: 0 };
  const fetches = { manifest: 0, blob: 0 };
  let isCache = false;
  all.build.set(1, { version });
  all.started.set(Date.now() / 1000);
  return {
    observe(request) {
      const { route, status, received, sent, seconds } = request;
      const method = methods.has(request.method) ? request.method : "other";
      all.requests.add(1, { method, route, status: String(status) });
      all.seconds.observe(seconds, { method, route });
      if (received > 0) all.received.add(received, { route });
      if (sent > 0) all.sent.add(sent, { route });
      if ((route === "manifest" || route === "blob") && isRead(request)) {
        all.served.add(1, { kind: route });
        served[route]++;
      }
      if (status !== 201) return;
      if (route === "manifest") all.pushed.add(1, { kind: "manifest" });
      // A POST that mounts or carries a whole blob, or the PUT that ends an upload.
      if (route === "upload") all.pushed.add(1, { kind: "blob" });
    },
    fetched(kind, outcome) {
      all.upstream.add(1, { kind, outcome });
      isCache = true;
      fetches[kind] += outcome === "found" ? 1 : 0;
    },
    evicted(bytes) {
      all.evictions.add(1);
      all.evictedBytes.add(bytes);
    },
    collected(report) {
      all.collections.add(1);
      all.collectedBlobs.add(report.blobs);
      all.collectedBytes.add(report.bytes);
      all.gcSeconds.set(report.seconds);
      all.blobs.set(report.kept.blobs);
      all.manifests.set(report.kept.manifests);
    },
    render() {
      all.memory.set(process.memoryUsage.rss());
      for (const kind of isCache ? (["manifest", "blob"] as const) : [])
        all.hits.set(Math.max(0, served[kind] - fetches[kind]), { kind });
      return metrics.render();
    },
  };
}

function isRead({ method, status }: RequestObservation): boolean {
  return (method === "GET" || method === "HEAD") && status >= 200 && status < 400;
}
