import type { ContainerDiagnosis } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Route } from "./router.ts";
import { containerOf } from "./wording.ts";

/** thimble's own: facts about a container by which `thimble why` tells why it does not run. */
export function diagnosisRoutes({ engine }: ApiContext): readonly Route[] {
  return [
    {
      method: "GET",
      pattern: "/thimble/v1/containers/:id/diagnosis",
      handle: async (exchange) => {
        const { id } = containerOf(engine, exchange.param("id"));
        const { imageExists, stoppedByUser, program } = await engine.containers.diagnose(id);
        const diagnosis: ContainerDiagnosis = {
          ImageExists: imageExists,
          StoppedByUser: stoppedByUser,
          Program: program.name,
          Path: program.path,
          Problems: program.problems.map(({ kind, message, advice }) => ({
            Kind: kind,
            Message: message,
            Advice: advice,
          })),
        };
        exchange.sendJson(200, diagnosis);
      },
    },
  ];
}
