import { Fault } from "#base";
import type { Containers } from "../contract.ts";
import { runHostProgram } from "../host-program.ts";
import type { Parts } from "../parts.ts";
import { requireUp } from "./live-container.ts";

/** The host's ps(1), with the processes that are in the container; as Docker does it. */
export async function topContainer(
  parts: Parts<"store" | "live">,
  ref: string,
  psArguments: readonly string[],
): ReturnType<Containers["top"]> {
  const record = parts.store.find(ref);
  const live = requireUp(parts, record);
  const given = psArguments.length > 0 ? psArguments : ["-ef"];
  return parsePs(await runPs(given), new Set(await live.task.pids()));
}

async function runPs(given: readonly string[]): Promise<string> {
  try {
    return await runHostProgram("ps", given);
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string };
    if (code === 127) {
      throw new Fault("unsupported", "ps is not installed on this host; install procps", {
        cause: error,
      });
    }
    throw new Fault("invalid", `error running ps ${given.join(" ")}: ${stderr?.trim() ?? ""}`, {
      cause: error,
    });
  }
}

/** Splits the table of ps by its titles; the last column keeps its spaces. Faults when there is no PID column. */
export function parsePs(
  text: string,
  pids: ReadonlySet<number>,
): Awaited<ReturnType<Containers["top"]>> {
  const [head = "", ...lines] = text.split("\n");
  const titles = head.trim().split(/\s+/);
  const pidColumn = titles.indexOf("PID");
  if (pidColumn < 0) {
    throw new Fault("invalid", "Couldn't find PID field in ps output: let ps print it");
  }
  const processes = lines
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => pids.has(Number(fields[pidColumn])))
    .map((fields) => [
      ...fields.slice(0, titles.length - 1),
      fields.slice(titles.length - 1).join(" "),
    ]);
  return { titles, processes };
}
