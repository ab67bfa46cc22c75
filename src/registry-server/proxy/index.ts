/**
 * registry-server/proxy: other registries behind a cache (`Upstream`, over the client),
 * and the bound of what the cache keeps.
 */

export { BoundedStore } from "./bounded-store.ts";
export { createUpstream, parseUpstream } from "./registry-upstream.ts";
