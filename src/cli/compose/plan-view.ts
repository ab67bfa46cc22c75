import type { Plan } from "#compose";
import { alignColumns } from "../listing.ts";

interface Row {
  readonly kind: "network" | "volume" | "container";
  readonly name: string;
  readonly service: string;
  readonly action: string;
  readonly reason: string;
}

/** A plan for people, as a table with a line that counts, or for programs. */
export function printPlan(plan: Plan, format: "table" | "json"): string {
  const rows = rowsOf(plan);
  if (format === "json") return `${JSON.stringify(rows, undefined, 2)}\n`;
  const lines = alignColumns([
    ["KIND", "NAME", "ACTION", "WHY"],
    ...rows.map(({ kind, name, action, reason }) => [kind, name, action, reason]),
  ]);
  const counts = ["create", "recreate", "restart", "start", "remove", "keep"].flatMap((action) => {
    const count = rows.filter((row) => row.action === action).length;
    return count === 0 ? [] : [`${count} to ${action}`];
  });
  const text = [...lines.map((line) => line.trimEnd()), "", counts.join(", ")].join("\n");
  return `${text}\n`;
}

function rowsOf({ resources, services, orphans }: Plan): Row[] {
  return [
    ...resources.map(({ kind, name, fate: action, reason }) => {
      return { kind, name, service: "", action, reason };
    }),
    ...orphans.map(({ name, service }): Row => {
      return { kind: "container", name, service, action: "remove", reason: "no service has it" };
    }),
    ...services.flatMap(({ name: service, containers }) =>
      containers.map(({ name, fate, reason, container }): Row => {
        const isStarted = fate === "keep" && container?.state !== "running";
        return isStarted
          ? { kind: "container", name, service, action: "start", reason: "it does not run" }
          : {
              kind: "container",
              name: container?.name ?? name,
              service,
              action: fate,
              reason,
            };
      }),
    ),
  ];
}
