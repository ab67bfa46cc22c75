import { visibleText } from "#base";
import type { EventMessage } from "#wire";
import type { Verb } from "../command.ts";
import { eventShape } from "../inspect-shapes.ts";
import { userTemplate } from "../listing.ts";
import type { eventsFlags } from "../table/system.ts";
import { parseTimeFlag } from "../time-flag.ts";

export const events: Verb<typeof eventsFlags> = async (context, { flags }) => {
  const format = flags.json ? "json" : flags.format;
  const template = format && format !== "json" ? userTemplate(format, eventShape) : undefined;
  const stream = context.client.system.events({
    since: parseTimeFlag(flags.since),
    until: parseTimeFlag(flags.until),
    filters: flags.filter,
  });
  // Names and labels are a stranger's.
  const show = context.out.isTerminal ? visibleText : (line: string) => line;
  for await (const { value, text } of stream) {
    const nanoseconds = eventNanoseconds(value, text);
    if (format === "json") await context.out.write(`${text.trim()}\n`);
    else if (template) await context.out.write(`${template(fields(value, nanoseconds))}\n`);
    else await context.out.write(`${show(eventLine(value, nanoseconds))}\n`);
  }
  return 0;
};

/** The time of an event from its JSON: it has more digits than a number holds. */
export function eventNanoseconds(event: EventMessage, text: string): string {
  return /"timeNano":\s*(\d+)/.exec(text)?.[1] ?? `${event.time}000000000`;
}

/** "TIME TYPE ACTION ID (key=value, ...)". */
export function eventLine(event: EventMessage, nanoseconds: string): string {
  const attributes = Object.entries(event.Actor.Attributes ?? {})
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const behind = attributes.length > 0 ? ` (${attributes.join(", ")})` : "";
  const { Type, Action, Actor } = event;
  return `${localTimestamp(nanoseconds)} ${Type} ${Action} ${Actor.ID}${behind}`;
}

/** Local time with nine digits of fraction and the zone: 2026-01-02T15:04:05.000000006+01:00. */
export function localTimestamp(nanoseconds: string): string {
  const milliseconds = Number(BigInt(nanoseconds) / 1_000_000n);
  const minutes = -new Date(milliseconds).getTimezoneOffset();
  const shifted = new Date(milliseconds + minutes * 60_000).toISOString().slice(0, 19);
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const size = Math.abs(minutes);
  const zone =
    minutes === 0 ? "Z" : `${minutes < 0 ? "-" : "+"}${two(size / 60)}:${two(size % 60)}`;
  return `${shifted}.${nanoseconds.slice(-9).padStart(9, "0")}${zone}`;
}

function fields(event: EventMessage, nanoseconds: string) {
  const { Type, Action, Actor, time, scope } = event;
  return {
    Type,
    Action,
    Actor,
    Time: time,
    TimeNano: nanoseconds,
    Scope: scope,
    ID: Actor.ID,
    Status: event.status ?? "",
    From: event.from ?? "",
  };
}
