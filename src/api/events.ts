import { defined, Fault } from "#base";
import type { EngineEvent } from "#engine";
import type { WireFilters } from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import type { Route } from "./router.ts";

const filterKeys = [
  "config",
  "container",
  "daemon",
  "event",
  "image",
  "label",
  "network",
  "node",
  "plugin",
  "scope",
  "secret",
  "service",
  "type",
  "volume",
] as const;

/** GET /events: past and live events as a stream of JSON lines. */
export function eventRoutes({ engine }: ApiContext): readonly Route[] {
  return [
    {
      method: "GET",
      pattern: "/events",
      handle: async (exchange: Exchange) => {
        const { query, signal } = exchange;
        const since = query.timestamp("since");
        const until = query.timestamp("until");
        if (since !== undefined && until !== undefined && since > until)
          throw new Fault(
            "invalid",
            `\`since\` time (${query.text("since")}) cannot be after \`until\` time (${query.text("until")})`,
          );
        const events = engine.events.subscribe({
          ...defined({ since, until }),
          filters: knownFilters(query.filters()),
          signal,
          // A client that does not read is not waited for: the engine would keep all events for it.
          onOverrun: () => exchange.response.destroy(),
        });
        await exchange.stream("application/json", lines(events), { atOnce: true });
      },
    },
  ];
}

/** As dockerd, which ignores filters that it does not know here and nowhere else. */
function knownFilters(filters: WireFilters): WireFilters {
  const known: readonly string[] = filterKeys;
  return Object.fromEntries(Object.entries(filters).filter(([key]) => known.includes(key)));
}

async function* lines(events: AsyncIterable<EngineEvent>): AsyncGenerator<string> {
  for await (const event of events) yield `${eventText(event)}\n`;
}

/** Go encodes maps in the order of their keys. */
function sorted(attributes: EngineEvent["attributes"]): EngineEvent["attributes"] {
  return Object.fromEntries(Object.entries(attributes).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** One event as Docker writes it. `timeNano` has more digits than a number holds, so it is put in as text. */
function eventText(event: EngineEvent): string {
  const { type, action, id, attributes, time } = event;
  const legacy =
    type === "container" || type === "image"
      ? {
          status: action,
          id,
          ...(type === "container" && attributes.image !== undefined && { from: attributes.image }),
        }
      : {};
  const message = {
    ...legacy,
    Type: type,
    Action: action,
    Actor: { ID: id, Attributes: sorted(attributes) },
    scope: "local",
    time: Number(time / 1_000_000_000n),
  };
  return `${JSON.stringify(message).slice(0, -1)},"timeNano":${time}}`;
}
