import { Fault } from "#base";
import type { BuildKit } from "#buildkit";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";

const protocol = "h2c";

/** Connections that become BuildKit's: of its services, and of sessions of clients. */
export function buildkitRoutes({ buildkit }: ApiContext): readonly Route[] {
  if (!buildkit) return [];
  return [
    {
      method: "POST",
      pattern: "/grpc",
      upgrade: protocol,
      async handle(exchange) {
        requireUpgrade(exchange, "internal");
        const { socket, early } = exchange.switchTo(protocol);
        await buildkit.accept(socket, early);
      },
    },
    {
      method: "POST",
      pattern: "/session",
      upgrade: protocol,
      handle: (exchange) => serveSession(buildkit, exchange),
    },
  ];
}

async function serveSession(buildkit: BuildKit, exchange: Exchange): Promise<void> {
  requireUpgrade(exchange, "invalid");
  const { headers } = exchange.request;
  const header = (name: string) => headers[name]?.toString();
  await buildkit.checkSession(header);
  const { socket, early } = exchange.switchTo(protocol);
  await buildkit.serveSession(socket, header, early);
}

/** dockerd's words, and its status for each of the two. */
function requireUpgrade({ request }: Exchange, code: "internal" | "invalid"): void {
  const { upgrade } = request.headers;
  if (upgrade === undefined)
    throw new Fault(code, "no upgrade proto in request", { about: "upgrade" });
  if (upgrade.toLowerCase() !== protocol)
    throw new Fault(code, `protocol ${upgrade} not supported`, { about: "upgrade" });
}
