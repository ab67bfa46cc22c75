import { posix } from "node:path";
import { isMapping, type Mapping, type Value } from "#yaml";
import { enter, PathTable, type Place, valueAt } from "./path.ts";

type Filler = (mapping: Mapping) => void;

const fillers = new PathTable<Filler>({
  "services.*.build": (build) => missing(build, "context", "."),
  "services.*.secrets.*": (secret) =>
    missing(secret, "target", `/run/secrets/${String(secret.get("source"))}`),
  "services.*.ports.*": (port) => {
    missing(port, "protocol", "tcp");
    missing(port, "mode", "ingress");
  },
  "services.*.deploy.resources.reservations.devices.*": fillDevices,
  "services.*.gpus.*": fillDevices,
});

function fillDevices(request: Mapping): void {
  if (!request.has("device_ids")) missing(request, "count", "all");
}

function missing(mapping: Mapping, key: string, value: Value): void {
  if (!mapping.has(key)) mapping.set(key, value);
}

/** Sets what Compose takes for granted where a file says nothing. */
export function fillDefaults(value: Value, place: Place<Filler> = fillers.root): void {
  if (place.length === 0) return;
  if (Array.isArray(value)) for (const item of value) fillDefaults(item, enter(place, "[]"));
  if (!isMapping(value)) return;
  valueAt(place)?.(value);
  for (const [key, part] of value) {
    if (part !== null && typeof part === "object") fillDefaults(part, enter(place, key));
  }
}

/** Empty entries of these lists mean nothing. */
export function omitEmpty(model: Mapping): void {
  const services = model.get("services");
  if (!isMapping(services)) return;
  for (const service of services.values()) {
    if (!isMapping(service)) continue;
    const dns = service.get("dns");
    if (Array.isArray(dns))
      service.set(
        "dns",
        dns.filter((one) => one !== null && one !== ""),
      );
  }
}

/** An empty list of networks is none; a path in a container has no ".." and no "/" at its end. */
export const cleanTarget = (target: string) =>
  target === "" ? "" : posix.normalize(target).replace(/(.)\/$/, "$1");
