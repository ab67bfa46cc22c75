/**
 * registry-server/proxy: other registries behind a cache (`Upstream`, over the client), and the
 * bound on the cache's size.
 */

export { BoundedStore } from "./bounded-store.ts";
export { createUpstream, parseUpstream } from "./registry-upstream.ts";
