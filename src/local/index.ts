/**
 * local: commands that need no engine: `doctor` (what this machine offers, what is
 * missing for which feature, and what to do about it), and what speaks to registries
 * by itself: signing, verifying, manifest lists, artifacts.
 *
 * Nothing here changes the machine: probes happen in namespaces that are gone
 * afterwards. A finding is one thing looked at; only what is `missing` makes the exit
 * status 1, what is `lacking` limits a feature.
 */

export { type DoctorContext, doctor } from "./doctor.ts";
export type { Finding } from "./finding.ts";
export { fsck } from "./fsck.ts";
export { openServedRegistry } from "./registry-serve.ts";
export { registryServing } from "./registry-serving.ts";
export { registryVerbs } from "./registry-verbs.ts";
