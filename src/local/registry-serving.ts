import type { LogLevel } from "#base";
import { registryPassword } from "./registry-password.ts";
import {
  type RegistryRequest,
  registryCollect,
  registryServe,
  type ServingContext,
} from "./registry-serve.ts";

/** The commands that keep and serve a registry, bound to one user's world. */
export function registryServing(
  user: ServingContext & {
    readonly out: { write(text: string): Promise<void> };
    /** Called with the root before it is used: a release unpacks its native part there. */
    prepare(root: string): Promise<void>;
  },
) {
  return {
    async serve(request: RegistryRequest & { readonly logLevel: LogLevel }): Promise<number> {
      await user.prepare(request.root);
      return await registryServe(request, user);
    },
    async collect(request: Parameters<typeof registryCollect>[0]): Promise<number> {
      await user.prepare(request.root);
      return await registryCollect(request, user);
    },
    setPassword: (request: Parameters<typeof registryPassword>[0]) =>
      registryPassword(request, user),
  };
}
