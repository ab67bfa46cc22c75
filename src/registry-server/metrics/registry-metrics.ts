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

type Labels = Readonly<Record<string, string>>;

/** One family: a counter, gauge or histogram with the labels it was given. */
class Family {
  readonly #series = new Map<string, number>();
  readonly name: string;
  readonly #type: "counter" | "gauge";
  readonly #help: string;

  constructor(name: string, type: "counter" | "gauge", help: string) {
    this.name = name;
    this.#type = type;
    this.#help = help;
  }

  add(value: number, labels: Labels = {}): void {
    const key = labelText(labels);
    this.#series.set(key, (this.#series.get(key) ?? 0) + value);
  }

  set(value: number, labels: Labels = {}): void {
    this.#series.set(labelText(labels), value);
  }

  render(): string {
    const rows = [...this.#series].map(([labels, value]) => `${this.name}${labels} ${value}\n`);
    return `# HELP ${this.name} ${this.#help}\n# TYPE ${this.name} ${this.#type}\n${rows.join("")}`;
  }
}

function labelText(labels: Labels): string {
  const pairs = Object.entries(labels).map(([name, value]) => {
    const escaped = value.replaceAll(/[\\"\n]/g, (char) => (char === "\n" ? "\\n" : `\\${char}`));
    return `${name}="${escaped}"`;
  });
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

class Histogram {
  readonly #series = new Map<
    string,
    { labels: Labels; counts: number[]; sum: number; count: number }
  >();
  readonly #name: string;
  readonly #help: string;

  constructor(name: string, help: string) {
    this.#name = name;
    this.#help = help;
  }

  observe(value: number, labels: Labels): void {
    const key = labelText(labels);
    const one = this.#series.get(key) ?? { labels, counts: buckets.map(() => 0), sum: 0, count: 0 };
    this.#series.set(key, one);
    for (const [index, limit] of buckets.entries()) {
      if (value <= limit) one.counts[index] = (one.counts[index] ?? 0) + 1;
    }
    one.sum += value;
    one.count++;
  }

  render(): string {
    const rows = [...this.#series.values()].flatMap(({ labels, counts, sum, count }) => [
      ...buckets.map(
        (limit, index) =>
          `${this.#name}_bucket${labelText({ ...labels, le: String(limit) })} ${counts[index]}\n`,
      ),
      `${this.#name}_bucket${labelText({ ...labels, le: "+Inf" })} ${count}\n`,
      `${this.#name}_sum${labelText(labels)} ${sum}\n`,
      `${this.#name}_count${labelText(labels)} ${count}\n`,
    ]);
    return `# HELP ${this.#name} ${this.#help}\n# TYPE ${this.#name} histogram\n${rows.join("")}`;
  }
}

/** Clients choose the method freely: all others share one label. */
const methods = new Set(["GET", "HEAD", "PUT", "POST", "PATCH", "DELETE", "OPTIONS"]);

/** The counters of a registry, in the text format of Prometheus. */
export function createMetrics(version: string): RegistryMetrics {
  const counter = (name: string, help: string) =>
    new Family(`thimble_registry_${name}`, "counter", help);
  const gauge = (name: string, help: string) =>
    new Family(`thimble_registry_${name}`, "gauge", help);
  const all = {
    build: gauge("build_info", "The version that runs; always 1."),
    started: gauge("start_time_seconds", "When it was started, since the epoch."),
    memory: gauge("resident_memory_bytes", "Resident memory of the process."),
    requests: counter("requests_total", "Requests answered."),
    seconds: new Histogram(
      "thimble_registry_request_seconds",
      "Time until the headers of an answer were ready.",
    ),
    received: counter("received_bytes_total", "Bytes of request bodies taken in."),
    sent: counter("sent_bytes_total", "Bytes of answers promised."),
    pushed: counter("pushed_total", "Blobs and manifests pushed."),
    served: counter("served_total", "Manifests and blobs that were asked for and answered."),
    upstream: counter("upstream_requests_total", "Questions of the cache to its upstream."),
    hits: counter("cache_hits_total", "Answers for which the upstream had to give nothing."),
    evictions: counter("cache_evictions_total", "Blobs evicted from the pull-through cache."),
    evictedBytes: counter(
      "cache_evicted_bytes_total",
      "Bytes evicted from the pull-through cache.",
    ),
    collections: counter("gc_runs_total", "Garbage collections done."),
    collectedBlobs: counter("gc_blobs_total", "Blobs removed by garbage collection."),
    collectedBytes: counter("gc_bytes_total", "Bytes removed by garbage collection."),
    gcSeconds: gauge("gc_last_seconds", "Duration of the last garbage collection."),
    blobs: gauge("blobs", "Blobs referred to, as of the last garbage collection."),
    manifests: gauge("manifests", "Manifests kept, as of the last garbage collection."),
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
      return Object.values(all)
        .map((family) => family.render())
        .join("");
    },
  };
}

function isRead({ method, status }: RequestObservation): boolean {
  return (method === "GET" || method === "HEAD") && status >= 200 && status < 400;
}
