import { defined, Fault } from "#base";
import { familiarName, familiarString, type Reference } from "#image";

interface Asked {
  /** The name that was to be pulled. */
  readonly pulled?: Reference;
  readonly pushed?: Reference;
  /** The registry of a login. */
  readonly host?: string;
  readonly hasCredentials: boolean;
}

/**
 * Why a registry could not serve, in the words and with the status of dockerd, some of which
 * clients and scripts know: "manifest unknown", "no basic auth credentials", "unauthorized". The
 * registry's own words and the remedy follow.
 */
export function registryFault(
  fault: Fault,
  { pulled, pushed, host, hasCredentials }: Asked,
): Fault {
  const reference = pulled ?? pushed;
  const say = (code: Fault["code"], message: string) =>
    new Fault(code, message, {
      ...defined({ about: fault.about }),
      cause: fault,
    });
  switch (fault.code) {
    case "not_found":
      // The engine names the reference itself where the registry does not know it.
      return pulled && fault.about === familiarString(pulled)
        ? say("not_found", missing(pulled))
        : fault;
    case "unauthenticated":
      if (host !== undefined) {
        const why = `login attempt to ${host} failed with status: 401 Unauthorized`;
        return say("internal", why);
      }
      return hasCredentials
        ? say("unauthenticated", `unauthorized: ${fault.message}`)
        : say("internal", `no basic auth credentials: ${fault.message}`);
    case "denied":
      // A fault about a policy, a certificate or a redirect says itself what is wrong.
      if (reference && !("registryStatus" in fault)) return fault;
      return reference
        ? say(
            "not_found",
            `pull access denied for ${familiarName(reference)}, repository does not exist or may require 'docker login': denied: ${fault.message}`,
          )
        : say("denied", `denied: ${fault.message}`);
    // Whatever lies between here and a registry, dockerd calls an error of its own.
    case "unavailable":
    case "timeout":
      return say("internal", fault.message);
    default:
      return fault;
  }
}

function missing(reference: Reference): string {
  return reference.tag === undefined && reference.digest === undefined
    ? `repository ${familiarName(reference)} not found: name unknown: repository name not known to registry`
    : `manifest for ${familiarString(reference)} not found: manifest unknown: manifest unknown`;
}
