import { describe, expect, test } from "bun:test";
import { outcome } from "../../base/testing.ts";
import type { HandlerContext, RequestObservation } from "../registry-server.ts";
import { createMetrics } from "./registry-metrics.ts";
import { createMetricsHandler, serveMetrics } from "./serve-metrics.ts";

const request: RequestObservation = {
  method: "GET",
  route: "blob",
  status: 200,
  seconds: 0.02,
  received: 0,
  sent: 1000,
};

describe("metrics", () => {
  test("count requests, bytes and times by kind", () => {
    const metrics = createMetrics("1.2.3");
    metrics.observe(request);
    metrics.observe({ ...request, sent: 500 });
    metrics.observe({
      ...request,
      method: "PUT",
      route: "upload",
      status: 201,
      received: 70,
      sent: 0,
    });
    const text = metrics.render();
    for (const line of [
      'thimble_registry_build_info{version="1.2.3"} 1',
      'thimble_registry_requests_total{method="GET",route="blob",status="200"} 2',
      'thimble_registry_sent_bytes_total{route="blob"} 1500',
      'thimble_registry_received_bytes_total{route="upload"} 70',
      'thimble_registry_pushed_total{kind="blob"} 1',
      'thimble_registry_request_seconds_bucket{method="GET",route="blob",le="0.005"} 0',
      'thimble_registry_request_seconds_bucket{method="GET",route="blob",le="0.025"} 2',
      'thimble_registry_request_seconds_bucket{method="GET",route="blob",le="+Inf"} 2',
      'thimble_registry_request_seconds_count{method="GET",route="blob"} 2',
    ]) {
      expect(text.split("\n")).toContain(line);
    }
  });

  test("are lines that Prometheus reads: each family with help and type, no label of a stranger's", () => {
    const metrics = createMetrics('1"\\\n');
    metrics.observe({ ...request, method: "BREW" });
    metrics.fetched("blob", "found");
    metrics.evicted(10);
    for (const line of metrics.render().trimEnd().split("\n")) {
      expect(line).toMatch(
        /^(# HELP \w+ .+|# TYPE \w+ (counter|gauge|histogram)|\w+(\{\w+="([^"\\\n]|\\.)*"(,\w+="([^"\\\n]|\\.)*")*\})? [\d.e+-]+)$/,
      );
    }
    expect(metrics.render()).toContain('method="other"');
    expect(metrics.render()).toContain('thimble_registry_build_info{version="1\\"\\\\\\n"} 1');
  });

  test("a hit is an answer that the upstream gave nothing for", () => {
    const metrics = createMetrics("1");
    expect(metrics.render()).not.toContain("cache_hits_total{");
    metrics.fetched("blob", "found");
    metrics.fetched("blob", "missing");
    for (let index = 0; index < 5; index++) metrics.observe(request);
    metrics.observe({ ...request, status: 404 });
    expect(metrics.render()).toContain('thimble_registry_cache_hits_total{kind="blob"} 4\n');
  });

  test("are for users who may list all repositories", async () => {
    const handler = createMetricsHandler(createMetrics("1"));
    const ask = (status: 401 | 403 | undefined) =>
      handler.handle(new Request("http://r.example/metrics"), {
        url: new URL("http://r.example/metrics"),
        authorize: async () =>
          status === undefined ? { ok: true } : { ok: false, status, challenge: "Bearer x" },
      } as Partial<HandlerContext> as HandlerContext);
    expect((await ask(undefined))?.status).toBe(200);
    expect((await ask(403))?.status).toBe(403);
    expect((await ask(401))?.headers.get("www-authenticate")).toBe(
      'Basic realm="thimble registry"',
    );
  });

  test("have an address of their own", async () => {
    await using served = await serveMetrics(createMetrics("1").render, {
      host: "127.0.0.1",
      port: 0,
    });
    const answer = await fetch(served.url);
    expect(answer.headers.get("content-type")).toStartWith("text/plain; version=0.0.4");
    expect(await answer.text()).toContain("thimble_registry_start_time_seconds");
    expect((await fetch(served.url.replace("/metrics", "/v2/"))).status).toBe(404);
    const foreign = { headers: { Host: "evil.example" } };
    expect((await fetch(served.url, foreign)).status).toBe(403);
    const port = Number(new URL(served.url).port);
    expect(
      await outcome(serveMetrics(createMetrics("1").render, { host: "127.0.0.1", port })),
    ).toThrow(`cannot serve metrics on 127.0.0.1:${port}`);
  });
});
