/**
 * registry-server/metrics: what a registry does, in numbers for Prometheus: on an address
 * of their own, or at /metrics for whoever may list all repositories.
 */

export { createMetrics, type RegistryMetrics } from "./registry-metrics.ts";
export { createMetricsHandler, serveMetrics } from "./serve-metrics.ts";
