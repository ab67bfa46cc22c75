import { posix } from "node:path";
import { Fault } from "#base";
import { parsePlatform } from "#image";
import { parseAnnotation } from "./annotation.ts";
import type { OutputEntry, SecretEntry, SshEntry } from "./entries.ts";
import type { ResolvedTargets } from "./resolve-targets.ts";
import type { Target } from "./target.ts";

/** A context or a Dockerfile that is fetched, and no path. */
function isRemote(text: string): boolean {
  return (
    /^(?:https?|git|ssh):\/\//.test(text) ||
    /^git@[^:/]+:/.test(text) ||
    /^(?:github\.com|gitlab\.com|bitbucket\.org)\//.test(text)
  );
}

/** What a local path is without "cwd://", in its shortest form. */
function cleanPath(path: string): string {
  const cleaned = posix.normalize(path.replace(/^cwd:\/\//, "") || ".");
  return cleaned.length > 1 ? cleaned.replace(/\/$/, "") : cleaned;
}

/** What of the machine decides whether targets can be built. */
export interface BuildSurroundings {
  /** Variables of the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Whether there is a file or directory. */
  hasPath(path: string): boolean;
}

/** Targets as they are built: paths in their shortest form, the time of the sources set; wrong values are refused. */
export function finishTargets(
  { targets, groups }: ResolvedTargets,
  surroundings: BuildSurroundings,
): ResolvedTargets {
  const finished = new Map<string, Target>();
  for (const [name, target] of [...targets].sort(([a], [b]) => (a < b ? -1 : 1))) {
    finished.set(name, finishTarget(target, surroundings));
  }
  return { targets: finished, groups };
}

function finishTarget(target: Target, surroundings: BuildSurroundings): Target {
  const { context = ".", dockerfile, outputs } = target;
  if (context === "-") throw new Fault("invalid", "context from stdin not allowed in bake");
  if (dockerfile === "-") throw new Fault("invalid", "dockerfile from stdin not allowed in bake");
  checkNumbers(target);
  for (const platform of target.platforms ?? []) parsePlatform(platform);
  for (const secret of target.secrets ?? []) checkSecret(secret, surroundings);
  for (const keys of target.ssh ?? []) checkKeys(keys, surroundings);
  const finished = outputs?.map(withDestination);
  for (const annotation of target.annotations ?? []) parseAnnotation(annotation);
  const args = new Map(target.args ?? []);
  const epoch = surroundings.env.SOURCE_DATE_EPOCH;
  if (epoch && !args.has("SOURCE_DATE_EPOCH")) args.set("SOURCE_DATE_EPOCH", epoch);
  return {
    ...target,
    context: isRemote(context) ? context : cleanPath(context),
    ...(args.size > 0 && { args }),
    ...(finished && { outputs: finished }),
  };
}

function refuse(message: string): never {
  throw new Fault("invalid", message);
}

const sizePattern = /^\d+(?:\.\d+)?\s*(?:[kKmMgGtTpP](?:i?[bB])?|[bB])?$/;

function checkNumbers({ shmSize, ulimits = [] }: Target): void {
  if (shmSize !== undefined && !sizePattern.test(shmSize)) {
    refuse(`invalid value ${shmSize} for membytes key shm-size`);
  }
  for (const limit of ulimits) {
    const [, values] = /^[^=]+=(.*)$/.exec(limit) ?? [];
    if (values === undefined) refuse(`invalid ulimit argument: ${limit}`);
    const wrong = values.split(":").find((value) => !/^-?\d+$/.test(value));
    if (wrong !== undefined)
      refuse(`strconv.ParseInt: parsing ${JSON.stringify(wrong)}: invalid syntax`);
  }
}

/** Without a source, a secret is the variable of its name, or the file of its name. */
function checkSecret(
  { id, path, variable }: SecretEntry,
  { env, hasPath }: BuildSurroundings,
): void {
  if (id === "") refuse("secret missing ID");
  if (variable !== "") return;
  const file = path === "" && env[id] === undefined ? id : path;
  if (file !== "" && !hasPath(file)) {
    refuse(`failed to stat ${file}: stat ${file}: no such file or directory`);
  }
}

function checkKeys({ id, paths }: SshEntry, { env, hasPath }: BuildSurroundings): void {
  const failed = `failed to convert agent config {${id} [${paths.join(" ")}] false}: `;
  const agent = env.SSH_AUTH_SOCK ?? "";
  if (paths.length === 0 && agent === "") {
    refuse(`${failed}invalid empty ssh agent socket: make sure SSH_AUTH_SOCK is set`);
  }
  for (const path of paths.length > 0 ? paths : [agent]) {
    if (hasPath(path)) continue;
    refuse(
      `${failed}failed to convert agent config for ID: ${JSON.stringify(id)}: stat ${path}: no such file or directory`,
    );
  }
}

function withDestination(output: OutputEntry): OutputEntry {
  const { type, destination } = output;
  if (type === "local" && destination === "") refuse("dest is required for local exporter");
  return (type === "oci" || type === "tar") && destination === ""
    ? { ...output, destination: "-" }
    : output;
}
