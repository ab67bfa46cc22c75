import { posix } from "node:path";
import { Fault, suggest } from "#base";
import type { HealthConfig, ImageDefaults } from "./config.ts";
import { isSignalName } from "./signal-name.ts";
import { parseExecForm, splitWords } from "./word.ts";

type Writable = { -readonly [K in keyof ImageDefaults]: ImageDefaults[K] };
type Change = (config: Writable, rest: string) => void;

const maxChanges = 1000;
const maxChangeLength = 1 << 20;

/**
 * The configuration with instructions applied in order, as `docker import --change`
 * and `commit --change` take them: CMD, ENTRYPOINT, ENV, EXPOSE, HEALTHCHECK, LABEL,
 * ONBUILD, STOPSIGNAL, USER, VOLUME, WORKDIR. A complaint (`invalid`) shows the
 * instruction as it was written.
 */
export function applyChanges(config: ImageDefaults, changes: readonly string[]): ImageDefaults {
  if (changes.length > maxChanges) {
    throw new Fault("exhausted", `there are more than ${maxChanges} changes`);
  }
  const result: Writable = { ...config };
  for (const line of changes.flatMap((each) => each.split("\n"))) {
    if (line.trim() !== "") applyLine(result, line.trim());
  }
  return result;
}

function applyLine(config: Writable, line: string): void {
  const shown = line.length > 200 ? `${line.slice(0, 200)}...` : line;
  const refuse: (why: string) => never = (why) => {
    throw new Fault("invalid", `change "${shown}": ${why}`, { about: shown });
  };
  if (line.length > maxChangeLength) refuse(`it is longer than ${maxChangeLength} characters`);
  const [, name = "", rest = ""] = /^(\S+)\s*([\s\S]*)$/.exec(line) ?? [];
  const change = instructions.get(name.toUpperCase());
  if (!change) {
    const near = suggest(name.toUpperCase(), instructions.keys());
    const known = [...instructions.keys()].join(", ");
    refuse(`${name} cannot be used here; ${near ? `did you mean ${near}?` : `use ${known}`}`);
  }
  if (rest === "") refuse(`${name} needs an argument`);
  try {
    change(config, rest);
  } catch (error) {
    refuse(error instanceof Error ? error.message : String(error));
  }
}

const instructions: ReadonlyMap<string, Change> = new Map<string, Change>([
  [
    "CMD",
    (config, rest) => {
      config.Cmd = command(config, rest);
    },
  ],
  [
    "ENTRYPOINT",
    (config, rest) => {
      config.Entrypoint = command(config, rest);
    },
  ],
  ["ENV", applyEnv],
  ["EXPOSE", applyExpose],
  ["HEALTHCHECK", applyHealthcheck],
  [
    "LABEL",
    (config, rest) => {
      const labels = assignments(rest, environment(config));
      config.Labels = Object.fromEntries([...Object.entries(config.Labels ?? {}), ...labels]);
    },
  ],
  ["ONBUILD", applyOnBuild],
  ["STOPSIGNAL", applyStopSignal],
  [
    "USER",
    (config, rest) => {
      config.User = one(splitWords(rest, environment(config)), "a user");
    },
  ],
  [
    "VOLUME",
    (config, rest) => {
      const paths = parseExecForm(rest) ?? splitWords(rest, environment(config));
      if (paths.some((path) => path.trim() === "")) throw new Error("a volume needs a path");
      config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((p) => [p, {}])) };
    },
  ],
  [
    "WORKDIR",
    (config, rest) => {
      const path = one(splitWords(rest, environment(config)), "a directory");
      config.WorkingDir = posix.resolve("/", config.WorkingDir ?? "", path);
    },
  ],
]);

function one(words: readonly string[], what: string): string {
  const [word, ...more] = words;
  if (word === undefined || word === "") throw new Error(`${what} is expected`);
  if (more.length > 0) throw new Error(`${what} is expected, not ${words.length} words`);
  return word;
}

function environment(config: ImageDefaults): Map<string, string> {
  const variables = new Map<string, string>();
  for (const each of config.Env ?? []) {
    const equals = each.indexOf("=");
    if (equals > 0) variables.set(each.slice(0, equals), each.slice(equals + 1));
  }
  return variables;
}

/** Exec form as it is; shell form handed to the image's SHELL. */
function command(config: ImageDefaults, rest: string): string[] {
  return parseExecForm(rest) ?? [...(config.Shell ?? ["/bin/sh", "-c"]), rest];
}

/** "k=v k2='v 2'", or the old form "k the rest". */
function assignments(
  rest: string,
  variables: ReadonlyMap<string, string>,
): [key: string, value: string][] {
  const words = splitWords(rest, variables);
  const [first = ""] = rest.split(/\s/, 1);
  if (!first.includes("=")) {
    const [key = "", ...others] = words;
    if (key === "" || others.length === 0) throw new Error("it must be of the form key=value");
    return [[key, others.join(" ")]];
  }
  return words.map((word) => {
    const equals = word.indexOf("=");
    if (equals < 0) throw new Error(`"${word}" is not of the form key=value`);
    if (equals === 0) throw new Error("a name must not be empty");
    return [word.slice(0, equals), word.slice(equals + 1)];
  });
}

function applyEnv(config: Writable, rest: string): void {
  const env = [...(config.Env ?? [])];
  for (const [key, value] of assignments(rest, environment(config))) {
    const at = env.findIndex((each) => each.startsWith(`${key}=`));
    if (at < 0) env.push(`${key}=${value}`);
    else env[at] = `${key}=${value}`;
  }
  config.Env = env;
}

function applyExpose(config: Writable, rest: string): void {
  const ports: Record<string, object> = { ...config.ExposedPorts };
  for (const word of splitWords(rest, environment(config))) {
    const match = /^(\d{1,5})(?:-(\d{1,5}))?(?:\/(tcp|udp|sctp))?$/i.exec(word);
    const first = Number(match?.[1]);
    const last = Number(match?.[2] ?? match?.[1]);
    if (!match || first < 1 || last > 65535 || last < first) {
      throw new Error(`"${word}" is not a port: write it as 80, 80/udp or 8000-8010/tcp`);
    }
    const protocol = (match[3] ?? "tcp").toLowerCase();
    for (let port = first; port <= last; port++) ports[`${port}/${protocol}`] = {};
  }
  config.ExposedPorts = ports;
}

function applyOnBuild(config: Writable, rest: string): void {
  const trigger = /^\S+/.exec(rest)?.[0].toUpperCase() ?? "";
  if (["ONBUILD", "FROM", "MAINTAINER"].includes(trigger)) {
    throw new Error(`${trigger} is not allowed as an ONBUILD trigger`);
  }
  config.OnBuild = [...(config.OnBuild ?? []), rest];
}

function applyStopSignal(config: Writable, rest: string): void {
  const signal = one(splitWords(rest, environment(config)), "a signal");
  const number = /^\d+$/.test(signal) ? Number(signal) : undefined;
  if (number === undefined ? !isSignalName(signal) : number < 1 || number > 64) {
    throw new Error(`"${signal}" is not a signal: write it as SIGTERM or 15`);
  }
  config.StopSignal = signal;
}

const durationUnits: Readonly<Record<string, number>> = {
  h: 3.6e12,
  m: 6e10,
  s: 1e9,
  ms: 1e6,
  us: 1e3,
  ns: 1,
};

function duration(text: string): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)/g)];
  if (parts.length === 0 || parts.map(([all]) => all).join("") !== text) {
    throw new Error(`"${text}" is not a duration: write it as 30s or 1m30s`);
  }
  const total = parts.reduce(
    (sum, [, n, unit]) => sum + Number(n) * (durationUnits[unit ?? ""] ?? 0),
    0,
  );
  if (total < 1e6) throw new Error(`"${text}" is less than a millisecond`);
  return Math.round(total);
}

const healthFlags: Readonly<Record<string, keyof HealthConfig>> = {
  interval: "Interval",
  timeout: "Timeout",
  "start-period": "StartPeriod",
  "start-interval": "StartInterval",
  retries: "Retries",
};

function applyHealthcheck(config: Writable, rest: string): void {
  const options: Record<string, number> = {};
  let text = rest;
  for (;;) {
    const flag = /^--([a-z-]+)=(\S+)\s*/.exec(text);
    if (!flag) break;
    const key = healthFlags[flag[1] ?? ""];
    if (!key) throw new Error(`"--${flag[1]}" is not a flag of HEALTHCHECK`);
    options[key] = key === "Retries" ? Number(flag[2]) : duration(flag[2] ?? "");
    if (!Number.isSafeInteger(options[key])) throw new Error(`"${flag[2]}" is not a number`);
    text = text.slice(flag[0].length);
  }
  if (/^NONE$/i.test(text.trim())) {
    config.Healthcheck = { Test: ["NONE"] };
    return;
  }
  const probe = /^CMD\s+([\s\S]+)$/i.exec(text)?.[1];
  if (!probe) throw new Error("CMD and a command, or NONE, is expected");
  const exec = parseExecForm(probe);
  config.Healthcheck = { ...options, Test: exec ? ["CMD", ...exec] : ["CMD-SHELL", probe] };
}
