import { Fault } from "#base";
import { type NetworkFaultBody, networkModeOf } from "#container";
import type { Fd } from "#kernel";
import { clearNetworkFault, type NetworkFault, setNetworkFault } from "#network";
import type { ContainerRecord } from "../containers/container-record.ts";
import type { Parts } from "../parts.ts";

type FaultParts = Parts<"store" | "live" | "locks" | "sandboxes">;

/** A longer delay is no test of a program, but of patience. */
const MAX_DELAY_MS = 60_000;

/** Makes the network of a running container go wrong, for tests, until it ends or this is taken back. */
export async function faultNetwork(
  parts: FaultParts,
  ref: string,
  { LossPercent, DelayMs, Partition }: NetworkFaultBody,
): Promise<void> {
  const [lossPercent, delayMs] = [LossPercent ?? 0, DelayMs ?? 0];
  const wrong = (what: string) => new Fault("invalid", what);
  if (!(lossPercent >= 0 && lossPercent <= 100))
    throw wrong(`a loss is from 0 to 100 percent, not ${lossPercent}`);
  if (!(delayMs >= 0 && delayMs <= MAX_DELAY_MS))
    throw wrong(`a delay is from 0 to ${MAX_DELAY_MS} milliseconds, not ${delayMs}`);
  const others = Partition ?? [];
  if (lossPercent === 0 && delayMs === 0 && others.length === 0)
    throw wrong("no fault is named: give a loss, a delay or a partition");
  await inNamespace(parts, ref, async (netns, { id }) => {
    const partition = others.flatMap((other) => addressesOf(parts, other, id));
    const fault: NetworkFault = { lossPercent, delayMs, partition };
    await setNetworkFault(netns, fault);
  });
}

/** Everything goes right again. */
export async function mendNetwork(parts: FaultParts, ref: string): Promise<void> {
  await inNamespace(parts, ref, clearNetworkFault);
}

async function inNamespace(
  parts: FaultParts,
  ref: string,
  work: (netns: Fd, record: ContainerRecord) => Promise<void>,
): Promise<void> {
  const { id } = parts.store.find(ref);
  await parts.locks.run(id, async () => {
    const record = parts.store.find(id);
    const { kind } = networkModeOf(record.host);
    if (kind === "host" || kind === "container")
      throw new Fault(
        "conflict",
        `container ${record.name} has no network of its own: it is that of ${kind === "host" ? "the host" : "another container"}`,
        { about: record.name },
      );
    const live = record.state.status === "running" ? parts.live.get(id) : undefined;
    if (!live)
      throw new Fault("conflict", `container ${record.name} is not running`, {
        about: record.name,
      });
    using netns = live.task.openNamespace("network");
    await work(netns, record);
  });
}

/** Those that another container has now. */
function addressesOf(parts: FaultParts, ref: string, id: string): readonly string[] {
  const other = parts.store.find(ref);
  if (other.id === id)
    throw new Fault("invalid", "a container cannot be parted from itself", { about: ref });
  const endpoints = parts.sandboxes.get(other.id)?.endpoints ?? [];
  const found = endpoints.flatMap(({ address, address6 }) =>
    [address, address6 ?? ""].filter((each) => each !== ""),
  );
  if (found.length > 0) return found;
  throw new Fault(
    "conflict",
    `container ${other.name} has no address to be parted from: it does not run in a network`,
    {
      about: other.name,
    },
  );
}
