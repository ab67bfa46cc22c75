import { networkFaultSchema } from "#container";
import type { ApiContext } from "./context.ts";
import type { Route } from "./router.ts";
import { containerOf } from "./wording.ts";

/** thimble's own: faults of a container's network, for tests. */
export function networkFaultRoutes({ engine }: ApiContext): readonly Route[] {
  const pattern = "/thimble/v1/containers/:id/network-fault";
  return [
    {
      method: "POST",
      pattern,
      handle: async (exchange) => {
        const { id } = containerOf(engine, exchange.param("id"));
        await engine.networks.fault(id, await exchange.json(networkFaultSchema));
        exchange.sendEmpty(204);
      },
    },
    {
      method: "DELETE",
      pattern,
      handle: async (exchange) => {
        const { id } = containerOf(engine, exchange.param("id"));
        await engine.networks.mend(id);
        exchange.sendEmpty(204);
      },
    },
  ];
}
