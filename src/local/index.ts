/**
 * local: commands that need no engine: `doctor` (which shows the abilities of this machine,
 * the features that lack something, and the fix), and commands that speak to registries
 * themselves: signing, verifying, manifest lists, artifacts.
 *
 * Nothing here changes the machine: probes happen in namespaces that are gone
 * afterwards. A finding is the result of one check; `missing` makes the exit status 1,
 * `lacking` limits a feature.
 */

export { applyUnits, planUnits } from "./daemon-units.ts";
export { type DoctorContext, doctor } from "./doctor.ts";
export { issueEngineCertificates } from "./engine-certificates.ts";
export type { Finding } from "./finding.ts";
export { fsck } from "./fsck.ts";
export { openServedRegistry } from "./registry-serve.ts";
export { registryServing } from "./registry-serving.ts";
export { registryVerbs } from "./registry-verbs.ts";
export { openMetricsServer } from "./serve-metrics.ts";
