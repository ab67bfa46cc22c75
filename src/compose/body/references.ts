import { Fault } from "#base";
import type { Mapping } from "#yaml";
import { textAt, textsAt } from "../project/fields.ts";

const namespaces = [
  ["network_mode", "network"],
  ["ipc", "IPC"],
  ["pid", "PID"],
] as const;

/** The services whose containers a service refers to by their ids. */
export function referredServices(service: Mapping): string[] {
  const modes = namespaces.map(([key]) => textAt(service, key));
  return [
    ...modes.filter((mode) => mode.startsWith("service:")).map((mode) => mode.slice(8)),
    ...(textsAt(service, "volumes_from") ?? [])
      .filter((from) => !from.startsWith("container:"))
      .map((from) => from.split(":")[0] as string),
  ];
}

/**
 * A service that names containers where it named services ("service:db"), as docker compose hashes it.
 * @throws Fault "not_found" where a service that is meant has no container
 */
export function resolveService(
  service: Mapping,
  containerId: (service: string) => string | undefined,
): Mapping {
  const resolved = new Map(service);
  for (const [key, what] of namespaces) {
    const mode = textAt(service, key);
    if (!mode.startsWith("service:")) continue;
    const name = mode.slice(8);
    const problem = `cannot share ${what} namespace with service ${name}: container missing`;
    resolved.set(key, `container:${idOf(name, problem)}`);
  }
  const from = textsAt(service, "volumes_from");
  if (from !== undefined) resolved.set("volumes_from", from.map(volumesFrom));
  return resolved;

  function idOf(name: string, problem: string): string {
    const id = containerId(name);
    if (id === undefined) throw new Fault("not_found", problem);
    return id;
  }

  function volumesFrom(written: string): string {
    const [name = "", container = ""] = written.split(":");
    if (name === "container") return container;
    return idOf(name, `cannot share volume with service ${name}: container missing`);
  }
}
