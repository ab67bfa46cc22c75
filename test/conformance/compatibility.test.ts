/**
 * docs/compatibility.md, made from the routes, the options of containers, the table of commands and
 * the sessions of the docker CLI. UPDATE=1 writes it anew.
 */

import { expect, test } from "bun:test";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { ApiContext } from "../../src/api/context.ts";
import { notYetRoutes } from "../../src/api/not-yet.ts";
import type { Route } from "../../src/api/router.ts";
import { routes } from "../../src/api/routes.ts";
import { swarmRoutes } from "../../src/api/swarm.ts";
import type { Command, Group } from "../../src/cli/command.ts";
import { commands } from "../../src/cli/table.ts";
import { configOptions } from "../../src/container/config-options.ts";
import { hostOptions } from "../../src/container/host-options.ts";
import { parseSession } from "../support/session-script.ts";

const root = join(import.meta.dir, "../..");
const page = join(root, "docs/compatibility.md");
const sessions = join(root, "test/conformance/testdata/docker-cli");

/** Routes close over their context and use it in a call only. */
const context = { engine: {} } as ApiContext;

const nameOf = ({ method, pattern }: Route) => `${method} ${pattern.replace(/[:*](\w+)/g, "{$1}")}`;

function endpoints(): string[] {
  const among = (some: readonly Route[]) => new Set(some.map(nameOf));
  const refused = among(notYetRoutes());
  const swarm = among(swarmRoutes());
  const state = (name: string) => {
    if (name.includes("/thimble/")) return "thimble's own";
    if (refused.has(name)) return "refused: thimble does not have this yet (501)";
    return swarm.has(name) ? "answers as a dockerd that is in no swarm" : "works";
  };
  const names = [...among(routes(context))].toSorted((a, b) => pathOf(a).localeCompare(pathOf(b)));
  return table(
    ["endpoint", "state"],
    names.map((name) => [code(name), state(name)]),
  );
}

const pathOf = (name: string) => name.slice(name.indexOf(" ") + 1);

function options(): string[] {
  const rows = [
    ...Object.entries(configOptions).map(([name, option]) => [name, option] as const),
    ...Object.entries(hostOptions).map(([name, option]) => [`HostConfig.${name}`, option] as const),
  ].map(([name, { effect }]) => {
    if (effect === "none") return [code(name), "refused, unless the value asks for nothing"];
    return [code(name), effect === "shown" ? "kept and shown, as in Docker" : "works"];
  });
  return table(["field", "state"], rows);
}

function flags(): string[] {
  const rows: string[][] = [];
  const add = (name: string, entry: Command | Group) => {
    if (entry.kind === "group") {
      for (const [word, each] of Object.entries(entry.commands)) add(`${name} ${word}`, each);
    } else if (!entry.hidden) {
      const shown = Object.entries(entry.flags).filter(([, flag]) => !flag.hidden);
      rows.push([code(name), shown.map(([flag]) => code(`--${flag}`)).join(" ")]);
    }
  };
  for (const [name, entry] of Object.entries(commands)) add(name, entry);
  return table(["command", "options"], rows);
}

function differences(): { readonly count: number; readonly rows: string[] } {
  let count = 0;
  const rows: string[][] = [];
  for (const file of readdirSync(sessions).toSorted()) {
    const steps = parseSession(readFileSync(join(sessions, file), "utf8"));
    count += steps.length;
    for (const { command, difference } of steps)
      if (difference) rows.push([code(command), difference.reason]);
  }
  return { count, rows: table(["command", "thimble's answer differs, since"], rows) };
}

const code = (text: string) => `\`${text.replaceAll("|", "\\|").replaceAll("`", "'")}\``;

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), line(head.map(() => "---")), ...rows.map(line)];
}

function written(): string {
  const { count, rows } = differences();
  return `${[
    "# Compatibility with Docker",
    "",
    "Made from the source and the tests; `UPDATE=1 bun test test/conformance/compatibility.test.ts` writes it anew.",
    "",
    "The clients that the tests run unmodified: the docker CLI, docker compose 2 and docker-compose 1.29,",
    "python3-docker, dockerode, and testcontainers for Node with its reaper off.",
    "",
    "## Answers that differ",
    "",
    `Of ${count} commands of the docker CLI that were recorded before dockerd 28.5.2, all but these have the same`,
    "exit status and the same output before thimble, without ids, times and sizes.",
    "",
    ...rows,
    "",
    "## Endpoints",
    "",
    ...endpoints(),
    "",
    "## Fields of a container's create",
    "",
    "What cannot be honoured is refused with an error that names the field.",
    "",
    ...options(),
    "",
    "## Commands and their options",
    "",
    "Those of docker have its names and meanings.",
    "",
    ...flags(),
  ].join("\n")}\n`;
}

test("docs/compatibility.md says what is there", () => {
  if (process.env.UPDATE === "1") writeFileSync(page, written());
  expect(readFileSync(page, "utf8")).toBe(written());
});
