import { Fault } from "#base";
import type { Exchange } from "./exchange.ts";
import { anyObject } from "./json-body.ts";
import type { Route } from "./router.ts";

const noManager =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

/** `unavailable`: what dockerd answers for an object of a swarm when it is in none. */
export function noSwarmManager(): Fault {
  return new Fault("unavailable", noManager);
}

/** The kinds of objects that only a manager of a swarm has. */
const kinds = ["nodes", "services", "tasks", "secrets", "configs"] as const;

/**
 * The endpoints of /swarm, /nodes, /services, /tasks, /secrets and /configs as a dockerd has them
 * that is in no swarm, which this engine never is: what a request gets wrong is told first.
 */
export function swarmRoutes(): readonly Route[] {
  const versioned = (kind: string) => updateRoute(`/${kind}/:id/update`, kind.slice(0, -1));
  return [
    { method: "GET", pattern: "/swarm", handle: refuse },
    { method: "GET", pattern: "/swarm/unlockkey", handle: refuse },
    { method: "POST", pattern: "/swarm/init", handle: refuseSwarm },
    { method: "POST", pattern: "/swarm/join", handle: refuseSwarm },
    {
      method: "POST",
      pattern: "/swarm/leave",
      handle: () => {
        throw new Fault("unavailable", "This node is not part of a swarm");
      },
    },
    { method: "POST", pattern: "/swarm/unlock", handle: refuseBody },
    updateRoute("/swarm/update", "swarm"),
    ...kinds.map((kind) => ({ method: "GET" as const, pattern: `/${kind}`, handle: refuseList })),
    ...kinds.map((kind) => ({ method: "GET" as const, pattern: `/${kind}/:id`, handle: refuse })),
    ...(["services", "tasks"] as const).map((kind) => ({
      method: "GET" as const,
      pattern: `/${kind}/:id/logs`,
      handle: refuseLogs,
    })),
    ...(["services", "secrets", "configs"] as const).map((kind) => ({
      method: "POST" as const,
      pattern: `/${kind}/create`,
      handle: refuseBody,
    })),
    ...(["nodes", "services", "secrets", "configs"] as const).flatMap((kind): Route[] => [
      versioned(kind),
      { method: "DELETE", pattern: `/${kind}/:id`, handle: refuse },
    ]),
  ];
}

function refuse(): never {
  throw noSwarmManager();
}

function refuseList({ query }: Exchange): never {
  query.filters();
  throw noSwarmManager();
}

/** dockerd gives this mistake no kind, so it is a 500. */
function refuseLogs({ query }: Exchange): never {
  if (!query.flag("stdout") && !query.flag("stderr"))
    throw new Fault("internal", "Bad parameters: you must choose at least one stream", {
      about: "stdout",
    });
  throw noSwarmManager();
}

async function refuseBody(exchange: Exchange): Promise<void> {
  await exchange.json(anyObject);
  throw noSwarmManager();
}

async function refuseSwarm(exchange: Exchange): Promise<void> {
  await exchange.json(anyObject);
  throw new Fault("unsupported", "swarm mode is not supported: this engine serves its own machine");
}

/** An update names the version of the object that it is of. */
function updateRoute(pattern: string, kind: string): Route {
  return {
    method: "POST",
    pattern,
    handle: async (exchange) => {
      await exchange.json(anyObject);
      const version = exchange.query.text("version") ?? "";
      if (!/^\d{1,20}$/.test(version)) throw wrongVersion(kind, version);
      throw noSwarmManager();
    },
  };
}

function wrongVersion(kind: string, version: string): Fault {
  if (kind === "secret" || kind === "config")
    return new Fault("invalid", `invalid ${kind} version`, { about: version });
  const why = `strconv.ParseUint: parsing ${JSON.stringify(version)}: invalid syntax`;
  return new Fault("invalid", `invalid ${kind} version '${version}': ${why}`, { about: version });
}
