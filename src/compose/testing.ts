import { readdirSync, readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { Files } from "./files.ts";

/** Files with the calls of docker compose that were recorded upon them. */
export interface RecordedCase {
  readonly name: string;
  readonly files: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string>>;
  /** Where the command is called, under the root. */
  readonly directory: string;
  readonly stdin: string;
  readonly runs: readonly RecordedRun[];
}

/** What a call printed. */
interface RecordedRun {
  readonly args: readonly string[];
  readonly status: number;
  readonly stdout: string;
  readonly stderr: readonly string[];
}

/** The directory in which docker compose was called. */
export const recordedRoot = "/tmp/case/app";

const directory = join(import.meta.dir, "testdata");

/**
 * Cases of testdata/*.txt: "=== name", "--- file" with its text, "% NAME=VALUE" for the environment,
 * "> directory", "< file" for the input, "$ arguments" for a call; what it printed is in *.expected.
 */
export function recordedCases(): (RecordedCase & { topic: string })[] {
  const topics = readdirSync(directory).filter((file) => file.endsWith(".txt"));
  return topics.flatMap((file) => {
    const topic = file.slice(0, -4);
    const runs = parseExpected(readFileSync(join(directory, `${topic}.expected`), "utf8"));
    return parseCases(readFileSync(join(directory, file), "utf8"), runs).map((one) => ({
      ...one,
      topic,
    }));
  });
}

/** The words of a call; double quotes hold them together. */
const wordsOf = (line: string) =>
  (line.match(/"[^"]*"|\S+/g) ?? []).map((word) => word.replaceAll('"', ""));

function parseCases(text: string, expected: ReadonlyMap<string, RecordedRun[]>): RecordedCase[] {
  return text
    .split(/^=== /m)
    .slice(1)
    .map((part) => {
      const lines = part.split("\n");
      const name = lines.shift() ?? "";
      const files = new Map<string, string>();
      const env: Record<string, string> = {};
      let [file, where, stdin] = ["", "", ""];
      for (const line of lines) {
        const header = /^--- (\S+)$/.exec(line)?.[1];
        const [, mark = "", rest = ""] = /^([$%<>]) (.*)$/.exec(line) ?? [];
        if (header !== undefined) {
          file = header;
          files.set(file, "");
        } else if (mark === "%") env[rest.split("=", 1)[0] as string] = rest.replace(/^[^=]*=/, "");
        else if (mark === ">") where = rest;
        else if (mark === "<") stdin = files.get(rest) ?? "";
        else if (mark === "" && file !== "") files.set(file, `${files.get(file)}${line}\n`);
        if (mark !== "") file = "";
      }
      return { name, files, env, directory: where, stdin, runs: expected.get(name) ?? [] };
    });
}

function parseExpected(text: string): Map<string, RecordedRun[]> {
  const cases = new Map<string, RecordedRun[]>();
  for (const part of text.split(/^=== /m).slice(1)) {
    const [name = "", ...runs] = part.split(/\n\$ /);
    cases.set(name.split("\n")[0] as string, runs.map(parseRun));
  }
  return cases;
}

function parseRun(text: string): RecordedRun {
  const lines = text.replace(/\n$/, "").split("\n");
  const out = lines.filter((line) => line.startsWith("| ")).map((line) => `${line.slice(2)}\n`);
  const stdout = out.join("");
  return {
    args: wordsOf(lines[0] ?? ""),
    status: Number(/^exit (\d+)$/.exec(lines[1] ?? "")?.[1]),
    stdout: lines.includes("|no newline") ? stdout.slice(0, -1) : stdout,
    stderr: lines.filter((line) => line.startsWith("! ")).map((line) => line.slice(2)),
  };
}

/** Files in memory, under the root of the recording. */
export function memoryFiles(files: ReadonlyMap<string, string>): Files {
  const all = new Map([...files].map(([path, text]) => [posix.join(recordedRoot, path), text]));
  const isDirectory = (path: string) =>
    path === recordedRoot || [...all.keys()].some((one) => one.startsWith(`${path}/`));
  return {
    read: (path) => all.get(path) ?? { errno: isDirectory(path) ? "EISDIR" : "ENOENT" },
    kind: (path) => (all.has(path) ? "file" : isDirectory(path) ? "directory" : undefined),
    real: (path) => path,
  };
}
