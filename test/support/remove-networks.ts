import { openNetworks } from "#network";
import { openState } from "#state";

/** Removes the networks of an engine, by its run root, from the kernel; all containers are gone. */
export async function removeNetworks(runRoot: string): Promise<void> {
  using state = openState(":memory:");
  const networks = await openNetworks({ instanceId: "removed", runRoot, state });
  await networks.close({ removeBridges: true });
}
