import { visibleText } from "#base";
import { composeLabel } from "#compose";
import type { EventMessage } from "#wire";
import type { Verb } from "../command.ts";
import type { eventsFlags } from "../table/compose-look.ts";
import { parseTimeFlag } from "../time-flag.ts";
import { eventNanoseconds, localTimestamp } from "../verb/events.ts";
import { projectName } from "./project.ts";

/** What happens to the containers of a project, those that `run` made apart. */
export const events: Verb<typeof eventsFlags> = async (context, { flags, args }) => {
  const name = await projectName(context, flags);
  const stream = context.client.system.events({
    since: parseTimeFlag(flags.since),
    until: parseTimeFlag(flags.until),
    filters: { label: [`${composeLabel("project")}=${name}`], type: ["container"] },
  });
  const show = context.out.isTerminal ? visibleText : (line: string) => line;
  for await (const { value, text } of stream) {
    const labels = value.Actor.Attributes ?? {};
    const service = labels[composeLabel("service")] ?? "";
    if (labels[composeLabel("oneoff")] === "True") continue;
    if (args.length > 0 && !args.includes(service)) continue;
    const stamp = localTimestamp(eventNanoseconds(value, text));
    const line = flags.json ? jsonLine(value, service, stamp) : show(textLine(value, stamp));
    await context.out.write(line);
  }
  return 0;
};

function ownAttributes({ Actor }: EventMessage): [string, string][] {
  return Object.entries(Actor.Attributes ?? {})
    .filter(([key]) => !key.startsWith(composeLabel("")))
    .sort(([a], [b]) => (a < b ? -1 : 1));
}

function jsonLine(event: EventMessage, service: string, stamp: string): string {
  const { Action: action, Actor, Type: type } = event;
  const attributes = Object.fromEntries(ownAttributes(event));
  // Go writes no zeros at the end of a fraction.
  const time = stamp.replace(/\.?0+(?=Z|[-+]\d\d:\d\d$)/, "");
  return `${JSON.stringify({ action, attributes, id: Actor.ID, service, time, type })}\n`;
}

/** "2026-01-02 15:04:05.000000 container start ID (key=value, ...)", with an empty line behind it. */
function textLine(event: EventMessage, stamp: string): string {
  const time = `${stamp.slice(0, 10)} ${stamp.slice(11, 26)}`;
  const attributes = ownAttributes(event).map(([key, value]) => `${key}=${value}`);
  return `${time} container ${event.Action} ${event.Actor.ID} (${attributes.join(", ")})\n\n`;
}
