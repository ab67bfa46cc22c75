import { posix } from "node:path";
import { defined } from "#base";
import { heredocText, type Instruction, type Mount, parseHeredocWord } from "#dockerfile";
import type { RunMount, Source } from "./operation.ts";
import { summary } from "./step-text.ts";

/** What RUN executes. */
export interface Command {
  readonly argv: readonly string[];
  /** The script of a document that begins with "#!". */
  readonly mounts: readonly RunMount[];
  /** What is shown after the instruction. */
  readonly note: string;
}

const pipes = "/dev/pipes";

/** The command of RUN: documents are the shell's input, or a program of their own. */
export function commandOf(run: Instruction<"run">, shell: readonly string[]): Command {
  const { words, heredocs, isJson } = run;
  const [first] = heredocs;
  if (isJson) return { argv: words, mounts: [], note: "" };
  const [line = ""] = words;
  if (!first) return { argv: [...shell, words.join(" ")], mounts: [], note: "" };
  if (!parseHeredocWord(line)) {
    const documents = heredocs.map(({ content, name }) => `\n${content}${name}`);
    return { argv: [...shell, line + documents.join("")], mounts: [], note: "" };
  }
  const text = heredocText(first);
  const note = ` (${summary(first.content)})`;
  if (!text.startsWith("#!")) return { argv: [...shell, text], mounts: [], note };
  const document = { name: first.name, text };
  return {
    argv: [...shell, `${pipes}/${first.name}`],
    mounts: [{ type: "document", target: pipes, document }],
    note,
  };
}

/** Where a mount's relative paths start, and what its "from" means. */
export interface MountScope {
  readonly cwd: string;
  /** Before the ids of caches. */
  readonly namespace: string;
  readonly sourceOf: (from: string | undefined) => Source | "scratch";
}

/** The mounts of RUN with their defaults (docs.docker.com/reference/dockerfile, RUN --mount). */
export function runMounts(mounts: readonly Mount[], scope: MountScope): RunMount[] {
  let agents = 0;
  return mounts.map((mount) => {
    if (mount.type === "ssh") return agentMount(mount, scope, agents++);
    if (mount.type === "secret") return secretMount(mount, scope);
    const target = posix.resolve(scope.cwd, mount.target ?? "");
    if (mount.type === "tmpfs") return { type: "tmpfs", target, ...defined({ size: mount.size }) };
    const path = posix.join("/", mount.source ?? "");
    if (mount.type === "cache") return cacheMount(mount, { target, path, scope });
    const from = scope.sourceOf(mount.from);
    return { type: "bind", from, path, target, isReadOnly: mount.isReadOnly };
  });
}

function cacheMount(
  mount: Mount,
  at: { readonly target: string; readonly path: string; readonly scope: MountScope },
): RunMount {
  const { target, path, scope } = at;
  const from = mount.from === undefined ? "scratch" : scope.sourceOf(mount.from);
  return {
    type: "cache",
    id: `${scope.namespace}/${mount.id || posix.normalize(mount.target ?? "")}`,
    sharing: mount.sharing ?? "shared",
    target,
    ...(from === "scratch" ? {} : { from }),
    path,
    isReadOnly: mount.isReadOnly,
    mode: mount.mode ?? 0o755,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
  };
}

function secretMount(mount: Mount, { cwd }: MountScope): RunMount {
  const id = mount.source || mount.id || posix.basename(mount.target ?? "");
  const isFile = mount.target !== undefined || mount.variable === undefined;
  const file = mount.target ?? `/run/secrets/${posix.basename(id)}`;
  return {
    type: "secret",
    id,
    ...(isFile && { target: posix.resolve(cwd, file) }),
    ...(mount.variable === undefined ? {} : { variable: mount.variable || id }),
    mode: mount.mode ?? 0o400,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
    isRequired: mount.isRequired,
  };
}

function agentMount(mount: Mount, { cwd }: MountScope, index: number): RunMount {
  return {
    type: "ssh",
    id: mount.id || "default",
    target: posix.resolve(cwd, mount.target ?? `/run/buildkit/ssh_agent.${index}`),
    mode: mount.mode ?? 0o600,
    uid: mount.uid ?? 0,
    gid: mount.gid ?? 0,
    isRequired: mount.isRequired,
  };
}
