import { formatBytes, shortId } from "#base";
import type { ImagePathExplanation } from "#wire";
import { ellipsis } from "../human.ts";
import type { Style } from "../style.ts";
import { columns, permissions, plain, section } from "./explain-text.ts";

/** Where a path comes from, for people. */
export function describePath(found: ImagePathExplanation, style: Style): string {
  const { resolved, exists, type, bytes, mode = 0, uid, gid, target } = found;
  const lines = [style.bold(plain(resolved))];
  if (!exists) lines.push(style.yellow("A container does not see it: a layer deleted it."));
  else {
    const what = [
      type === "file" ? `file of ${formatBytes(bytes ?? 0)}` : type,
      ...(target === undefined ? [] : [`to ${plain(target)}`]),
    ].join(" ");
    lines.push(
      `${what}, mode ${permissions(mode)}, owner ${uid}:${gid}, from layer ${found.layer}`,
    );
    const { package: owner } = found;
    lines.push(
      owner
        ? `package ${plain(owner.name)} ${plain(owner.version)} (${owner.manager})`
        : "in no package",
    );
  }
  const rows = found.steps.map((step) => [
    String(step.layer),
    step.with === undefined ? step.action : `${step.action} with ${step.with}`,
    step.bytes === undefined ? "" : formatBytes(step.bytes),
    step.mode === undefined ? "" : permissions(step.mode),
    shortId(step.diffId),
    ellipsis(step.createdBy.replace(/\s+/g, " "), 70),
  ]);
  const head = ["#", "WHAT", "SIZE", "MODE", "DIFF ID", "CREATED BY"];
  const history = section("Layers", "", columns(head, rows, style), style);
  return `${lines.join("\n")}\n${history}`;
}
