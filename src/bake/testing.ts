import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

/** Files, and what is asked of them. */
export interface Case {
  readonly name: string;
  /** Texts by the names of their files. */
  readonly files: ReadonlyMap<string, string>;
  readonly env: Readonly<Record<string, string>>;
  /** The arguments of `bake`. */
  readonly args: readonly string[];
}

/** What `docker buildx bake` prints: here buildx 0.29. */
export interface Answer {
  /** Standard output, of what worked. */
  readonly out?: string;
  /** The error, with the lines that it is about. */
  readonly error?: string;
}

/**
 * Cases of a file: "=== NAME", then "--- FILE" before each text; "env: NAME=VALUE" and
 * "args: WORDS" stand before the first text. Without a file's name, it is docker-bake.hcl;
 * without arguments, they are --print.
 */
export function readCases(path: string): Case[] {
  return readFileSync(path, "utf8")
    .split(/^=== /m)
    .slice(1)
    .map((part) => {
      const [, name = "", body = ""] = /^(.*)\n([\s\S]*)$/.exec(part) ?? [];
      const env: Record<string, string> = {};
      let args: readonly string[] = ["--print"];
      const [head = "", ...texts] = body.split(/^--- /m);
      const plain = head.replace(/^(env|args): (.*)\n/gm, (_, word: string, value: string) => {
        const at = value.indexOf("=");
        if (word === "env") env[value.slice(0, at)] = value.slice(at + 1);
        else args = value.split(" ");
        return "";
      });
      const files = new Map<string, string>(plain === "" ? [] : [["docker-bake.hcl", plain]]);
      for (const text of texts) {
        const end = text.indexOf("\n");
        files.set(text.slice(0, end), text.slice(end + 1));
      }
      return { name, files, env, args };
    });
}

/** Asks buildx, the program at `buildx`, about each case. */
export async function recordAnswers(
  cases: readonly Case[],
  buildx: string,
): Promise<Record<string, Answer>> {
  const answers: Record<string, Answer> = {};
  for (const { name, files, env, args } of cases) {
    const cwd = await mkdtemp("/tmp/thimble-bake-");
    for (const [file, text] of files) await Bun.write(join(cwd, file), text);
    const ran = Bun.spawnSync([buildx, "bake", "--progress=plain", ...args], {
      cwd,
      env: { ...env, HOME: cwd, PATH: "/usr/bin" },
    });
    await rm(cwd, { recursive: true });
    const error = ran.stderr
      .toString()
      .split("\n")
      .filter((line) => !line.startsWith("#"))
      .join("\n")
      .replace(/^\n+|\n+$/g, "");
    answers[name] = ran.exitCode === 0 ? { out: ran.stdout.toString() } : { error };
  }
  return answers;
}
