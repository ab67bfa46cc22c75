import { Fault } from "#base";
import type { ApiContext } from "./context.ts";
import type { Method, Route } from "./router.ts";
import { containerOf } from "./wording.ts";

/**
 * Docker's endpoints that thimble lacks: each answers 501 and names what is missing. Questions
 * about one object answer in Docker's words that it does not exist, since `docker inspect` asks
 * every kind in turn.
 */
export function notYetRoutes({ engine }: ApiContext): readonly Route[] {
  const missing = (method: Method, pattern: string, what: string): Route => ({
    method,
    pattern,
    handle: () => {
      throw new Fault(
        "unsupported",
        `${what} is not supported yet: ${method} ${pattern.replace(/[:*](\w+)/g, "{$1}")}`,
      );
    },
  });
  const onContainer = (method: Method, pattern: string, what: string): Route => ({
    method,
    pattern,
    handle: (exchange) => {
      containerOf(engine, exchange.param("id"));
      throw new Fault("unsupported", `${what} is not supported yet`);
    },
  });
  const absent = (pattern: string, message: (name: string) => string): Route => ({
    method: "GET",
    pattern,
    handle: (exchange) => {
      throw new Fault("not_found", message(exchange.param("name")), {
        about: exchange.param("name"),
      });
    },
  });
  return [
    absent("/plugins/*name/json", (name) => `plugin "${name}" not found`),
    ...containerFeatures.map(([method, pattern, what]) => onContainer(method, pattern, what)),
    ...features.map(([method, pattern, what]) => missing(method, pattern, what)),
    ...swarmObjects.flatMap((name) => swarmRoutes(name)),
  ];
}

type Feature = readonly [method: Method, pattern: string, what: string];

const containerFeatures: readonly Feature[] = [
  ["GET", "/containers/:id/attach/ws", "attaching over a websocket"],
  ["HEAD", "/containers/:id/archive", "copying files (docker cp)"],
  ["GET", "/containers/:id/archive", "copying files (docker cp)"],
  ["PUT", "/containers/:id/archive", "copying files (docker cp)"],
];

const features: readonly Feature[] = [
  ["POST", "/build", "building images"],
  ["POST", "/build/cancel", "building images"],
  ["POST", "/session", "building images"],
  ["POST", "/grpc", "building images"],
  ["GET", "/plugins", "plugins"],
  ["GET", "/plugins/privileges", "plugins"],
  ["POST", "/plugins/*name", "plugins"],
  ["DELETE", "/plugins/*name", "plugins"],
];

const swarmObjects = ["swarm", "nodes", "services", "tasks", "secrets", "configs"] as const;

/** Docker's own answer of an engine that is in no swarm, at every place and to every method. */
function swarmRoutes(name: (typeof swarmObjects)[number]): readonly Route[] {
  const handle = () => {
    throw new Fault(
      "unavailable",
      'This node is not a swarm manager. Swarm mode is not supported yet: "docker swarm init" and "docker swarm join" do not work here.',
    );
  };
  return (["GET", "POST", "DELETE"] as const).flatMap((method) => [
    { method, pattern: `/${name}`, handle },
    { method, pattern: `/${name}/*rest`, handle },
  ]);
}
