import { createHash } from "node:crypto";
import { isMapping, type Mapping } from "#yaml";
import { emitJson } from "./json.ts";
import { service as shape } from "./project/service-shape.ts";

/** Keys that say how a service is built or run beside others, and nothing of its containers. */
const ignored = ["build", "pull_policy", "scale", "depends_on", "profiles"];

/**
 * What docker compose labels a container with (com.docker.compose.config-hash), in hex: SHA-256 of the
 * service in JSON. A container with another one is made anew.
 */
export function serviceHash(service: Mapping): string {
  const hashed = new Map(service);
  for (const key of ignored) hashed.delete(key);
  const deploy = hashed.get("deploy");
  if (isMapping(deploy)) {
    const rest = new Map(deploy);
    rest.delete("replicas");
    hashed.set("deploy", rest);
  }
  return createHash("sha256")
    .update(emitJson(shape.print(hashed, "json")))
    .digest("hex");
}
