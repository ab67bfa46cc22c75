import { Fault, faultOf } from "#base";
import { booleanFilter } from "#engine";
import { parseReference } from "#image";
import type { Exchange } from "./exchange.ts";
import { parseWhole } from "./query.ts";
import type { Route } from "./router.ts";

/**
 * The endpoints of /plugins as a dockerd has them that has no plugin installed: plugins in images
 * are not run by this engine. Those of volumes and logs that run beside it are no part of them.
 */
export function pluginRoutes(): readonly Route[] {
  return [
    { method: "GET", pattern: "/plugins", handle: list },
    { method: "GET", pattern: "/plugins/privileges", handle: privileges },
    { method: "POST", pattern: "/plugins/pull", handle: install },
    { method: "POST", pattern: "/plugins/create", handle: install },
    { method: "POST", pattern: "/plugins/*name/enable", handle: enable },
    { method: "POST", pattern: "/plugins/*name/upgrade", handle: upgrade },
    ...["disable", "push", "set"].map((verb) => ({
      method: "POST" as const,
      pattern: `/plugins/*name/${verb}`,
      handle: absent,
    })),
    { method: "GET", pattern: "/plugins/*name/json", handle: absent },
    { method: "DELETE", pattern: "/plugins/*name", handle: absent },
  ];
}

function list(exchange: Exchange): void {
  booleanFilter(exchange.query.filters(["capability", "enabled"]), "enabled");
  exchange.sendJson(200, []);
}

/** dockerd as well answers without a look at the registry when it cannot reach that. */
function privileges(exchange: Exchange): void {
  checkRemote(exchange);
  exchange.sendJson(200, []);
}

function install(exchange: Exchange): void {
  if (exchange.query.has("remote")) checkRemote(exchange);
  throw new Fault("unsupported", "plugins in images are not supported", {
    about: exchange.query.text("remote") ?? "",
  });
}

function enable(exchange: Exchange): void {
  parseWhole(exchange.query.text("timeout") ?? "");
  absent(exchange);
}

function upgrade(exchange: Exchange): void {
  checkRemote(exchange);
  const name = exchange.param("name");
  throw notFound(name.includes(":") ? name : `${name}:latest`);
}

function absent(exchange: Exchange): never {
  throw notFound(exchange.param("name"));
}

function notFound(name: string): Fault {
  return new Fault("not_found", `plugin ${JSON.stringify(name)} not found`, { about: name });
}

/** dockerd gives a mistake in this name no kind, so it is a 500. */
function checkRemote({ query }: Exchange): void {
  const remote = query.text("remote") ?? "";
  try {
    parseReference(remote);
  } catch (cause) {
    const message = remote === "" ? "invalid reference format" : faultOf(cause).message;
    throw new Fault("internal", message, { about: remote, cause });
  }
}
