import { Fault, type FaultCode, isFault } from "#base";
import type { HostConfig } from "#container";
import type { Fd } from "#kernel";
import type { Parts } from "../parts.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";

const prefix = "container:";

/** The namespaces that a container can share with another. */
type SharedNamespace = "network" | "pid" | "ipc";

/** Docker's words, and the kinds of its faults: one without a kind is a 500 there. */
const sharings: Readonly<
  Record<
    SharedNamespace,
    {
      readonly option: "NetworkMode" | "PidMode" | "IpcMode";
      readonly missing: readonly [FaultCode, string];
      readonly stopped: (other: ContainerRecord) => readonly [FaultCode, string];
    }
  >
> = {
  network: {
    option: "NetworkMode",
    missing: ["internal", "joining network namespace of container"],
    stopped: ({ name, state }) => [
      "conflict",
      `cannot join network namespace of a non running container: container ${name} is ${state.status}`,
    ],
  },
  pid: {
    option: "PidMode",
    missing: ["internal", "failed to join PID namespace"],
    stopped: ({ id }) => [
      "internal",
      `failed to join PID namespace: container ${id} is not running`,
    ],
  },
  ipc: {
    option: "IpcMode",
    missing: ["invalid", "failed to join IPC namespace"],
    stopped: ({ id }) => [
      "conflict",
      `failed to join IPC namespace: container ${id} is not running`,
    ],
  },
};

/** Whether a mode names another container. */
export function joinsContainer(mode: string): boolean {
  return mode.startsWith(prefix);
}

/** The container that "container:REF" names, if there is one. */
export function findJoined(parts: Parts<"store">, mode: string): ContainerRecord | undefined {
  try {
    return parts.store.find(mode.slice(prefix.length));
  } catch (cause) {
    if (isFault(cause, "not_found")) return undefined;
    throw cause;
  }
}

/** The container that "container:REF" names. A missing one is `invalid`: clients take `not_found` for the image's. */
export function joinedContainer(parts: Parts<"store">, mode: string): ContainerRecord {
  const other = findJoined(parts, mode);
  if (other) return other;
  const ref = mode.slice(prefix.length);
  throw new Fault("invalid", `No such container: ${ref}`, { about: ref });
}

/** A namespace of the running container that one of a container's modes names; a fault in Docker's words. */
export function openJoined(
  parts: Parts<"store" | "live">,
  { id, host }: Pick<ContainerRecord, "id" | "host">,
  type: SharedNamespace,
): Fd {
  const sharing = sharings[type];
  const mode: HostConfig[typeof sharing.option] = host[sharing.option];
  const other = findJoined(parts, mode);
  if (!other) {
    const [code, message] = sharing.missing;
    throw new Fault(code, `${message}: No such container: ${mode.slice(prefix.length)}`, {
      about: mode,
    });
  }
  if (other.id === id) throw new Fault("internal", `cannot join own ${type} namespace`);
  const live = parts.live.get(other.id);
  if (!live || !isUp(other.state)) {
    const [code, message] = sharing.stopped(other);
    throw new Fault(code, message, { about: other.name });
  }
  if (type === "ipc" && other.host.IpcMode !== "shareable")
    throw new Fault(
      "invalid",
      `failed to join IPC namespace: container ${other.id}: non-shareable IPC (hint: use IpcMode:shareable for the donor container)`,
      { about: other.name },
    );
  return live.task.openNamespace(type);
}
