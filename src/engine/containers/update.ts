import { type ContainerId, faultOf } from "#base";
import { type ContainerUpdateBody, type Sent, updated } from "#container";
import type { Parts } from "../parts.ts";
import { publishContainer } from "./container-event.ts";
import { type ContainerRecord, isUp } from "./container-record.ts";

/**
 * Gives a container other limits, another restart policy or health check; one that runs has them at
 * once. Gives warnings. What the kernel refuses changes nothing.
 */
export async function updateContainer(
  parts: Parts<"state" | "store" | "events" | "live" | "locks" | "cpus" | "health">,
  ref: string,
  body: ContainerUpdateBody,
): Promise<readonly string[]> {
  const { id } = parts.store.find(ref);
  return await parts.locks.run(id, async () => {
    const before = parts.store.find(id);
    const { sent, resources } = updated(before, body, parts);
    const after = redefine(parts, id, sent);
    const live = isUp(before.state) ? parts.live.get(id) : undefined;
    let warnings: readonly string[] = [];
    try {
      warnings = (await live?.task.update(resources)) ?? [];
    } catch (error) {
      redefine(parts, id, before.sent);
      throw faultOf(error);
    }
    if (!Bun.deepEquals(before.config.Healthcheck, after.config.Healthcheck))
      parts.health.again(id);
    publishContainer(parts, after, "update");
    return warnings;
  });
}

function redefine(parts: Parts<"state" | "store">, id: ContainerId, sent: Sent): ContainerRecord {
  const change = parts.store.redefine(id, sent);
  parts.state.durably(change.write);
  return change.keep();
}
