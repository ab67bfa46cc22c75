import type { RegistryServing } from "#cli";
import { registryPassword } from "./registry-password.ts";
import { registryCollect, registryServe, type ServingContext } from "./registry-serve.ts";

/** The commands that keep and serve a registry, bound to one user's world. */
export function registryServing(
  user: ServingContext & {
    readonly out: { write(text: string): Promise<void> };
    /** Called before anything else: a release makes its native part loadable. */
    prepare(): Promise<void>;
  },
): RegistryServing {
  return {
    async serve(request) {
      await user.prepare();
      return await registryServe(request, user);
    },
    async collect(request) {
      await user.prepare();
      return await registryCollect(request, user);
    },
    setPassword: (request) => registryPassword(request, user),
  };
}
