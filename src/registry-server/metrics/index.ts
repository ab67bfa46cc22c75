/**
 * registry-server/metrics: a registry's work in numbers for Prometheus: on an address of their own,
 * or at /metrics for users who may list all repositories.
 */

export { createMetrics, type RegistryMetrics } from "./registry-metrics.ts";
export { createMetricsHandler, serveMetrics } from "./serve-metrics.ts";
