import { existsSync, realpathSync } from "node:fs";
import { Fault } from "#base";
import { type BindMount, bindsOf } from "#container";
import { mountTable } from "#kernel";
import type { ContainerRecord } from "./container-record.ts";

/**
 * Refuses binds that ask for mounts to travel where the host's mount does not send any, in Docker's
 * words: the flag would do nothing.
 */
export function checkPropagation({ host, placed }: Pick<ContainerRecord, "host" | "placed">): void {
  const inherited = placed.filter((mount) => mount.volume === undefined && "propagation" in mount);
  const binds = [...bindsOf(host), ...(inherited as readonly BindMount[])];
  const asking = binds.filter(({ propagation }) => /shared|slave/.test(propagation ?? ""));
  if (asking.length === 0) return;
  const table = mountTable();
  for (const { source, propagation = "" } of asking) {
    // One that is missing is the launch's to name.
    if (!existsSync(source)) continue;
    const real = realpathSync(source);
    const around = table.findLast(
      ({ target }) => target === "/" || real === target || real.startsWith(`${target}/`),
    );
    if (!around) continue;
    const sends = (kind: string) => around.propagation.some((each) => each.startsWith(kind));
    const wantsShared = propagation.endsWith("shared");
    if (sends("shared:") || (!wantsShared && sends("master:"))) continue;
    throw new Fault(
      "invalid",
      `path ${source} is mounted on ${around.target} but it is not a ${wantsShared ? "shared" : "shared or slave"} mount`,
      { about: source },
    );
  }
}
