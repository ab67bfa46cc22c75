import { openNetworks } from "#network";
import { openState } from "#state";

/** Removes what the engine of a run root has in the kernel for its networks; all containers are gone. */
export async function removeNetworks(runRoot: string): Promise<void> {
  using state = openState(":memory:");
  const networks = await openNetworks({ instanceId: "removed", runRoot, state });
  await networks.close({ removeBridges: true });
}
