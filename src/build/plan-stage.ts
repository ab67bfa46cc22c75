import { posix } from "node:path";
import { defined } from "#base";
import {
  expand,
  type Instruction,
  located,
  type ResolvedFile,
  type ResolvedStage,
  StageScope,
} from "#dockerfile";
import { formatPlatform, type ImageConfig, type Platform } from "#image";
import { configure, defaultShell } from "./configure.ts";
import { fullReference } from "./named-context.ts";
import type { Base, ContextSource, Operation, Source, Step, Surroundings } from "./operation.ts";
import { copyOf } from "./plan-copy.ts";
import { commandOf, runMounts } from "./plan-run.ts";
import { ImageDraft } from "./planned-image.ts";
import type { PlannedStage, StageArgument } from "./planned-stage.ts";
import { capitalized } from "./step-text.ts";

/** What holds for all steps of a build. */
export interface BuildSettings {
  readonly network: "default" | "none" | "host";
  /** "name:address", for /etc/hosts. */
  readonly hosts: readonly string[];
  /** Bytes of /dev/shm. */
  readonly shmSize?: number;
  readonly hostname?: string;
  /** Before the ids of cache mounts. */
  readonly cacheNamespace: string;
  /** Variables of proxies. */
  readonly proxy: readonly string[];
  /** Steps that are carried out anew: all, or those of stages. */
  readonly ignoresCache: boolean | ReadonlySet<string>;
  /** The names of steps tell the platform. */
  readonly namesPlatform: boolean;
  /** The operation, or one of another platform's plan that is the same. */
  readonly share: (operation: Operation) => Operation;
}

/** What a stage starts with. */
interface Start {
  readonly below: PlannedStage | undefined;
  /** Of the image in FROM; absent for scratch, and above another stage. */
  readonly config: ImageConfig | undefined;
  readonly platform: Platform;
}

interface StageParts {
  readonly resolved: ResolvedFile;
  readonly stage: ResolvedStage;
  readonly settings: BuildSettings;
  /** A stage, an image or a named context by its name in "from". */
  readonly sourceOf: (from: string, platform: Platform, step: Step) => Source | "scratch";
}

const main: ContextSource = { kind: "context", name: "" };
const targetVariable = /^TARGET(?:PLATFORM|OS|ARCH|VARIANT)$/;
/** Instructions that are counted in the names of steps. */
const counted: ReadonlySet<Instruction["kind"]> = new Set(["add", "copy", "run", "workdir"]);

/** Goes through the instructions of a stage in order, as BuildKit's Dockerfile frontend does. */
export class StagePlanner {
  readonly #parts: StageParts;
  readonly #platform: Platform;
  readonly #draft: ImageDraft;
  readonly #scope: StageScope;
  readonly #arguments: StageArgument[];
  readonly #name: string;
  readonly #total: number;
  #step = 0;
  #result: Base = "scratch";
  #hasCommand = false;

  constructor(parts: StageParts, { below, config, platform }: Start) {
    const { resolved, stage } = parts;
    this.#parts = parts;
    this.#platform = platform;
    this.#draft = below ? ImageDraft.above(below.image) : ImageDraft.from(config, platform);
    this.#scope = new StageScope({
      resolved,
      stage,
      below: below?.scope,
      report: () => undefined,
    });
    this.#arguments = [...(below?.arguments ?? [])];
    this.#name = resolved.stages.length === 1 && stage.stage.name === undefined ? "" : stage.name;
    const steps = stage.stage.instructions.filter(({ kind }) => counted.has(kind)).length;
    this.#total = steps + stage.triggers.length + (stage.base.kind === "image" ? 1 : 0);
    if (below) this.#result = below.result;
    const path = this.#scope.variables.get("PATH") ?? "";
    const hasPath = this.#draft.config.Env?.some((each) => each.startsWith("PATH="));
    if (!hasPath) this.#draft.setVariable("PATH", path);
  }

  /** Begins with an image or a context; `make` gets the step's names. */
  begin(name: string, make: (step: Step) => Base): void {
    const step = this.#named(`FROM ${name}`, this.#parts.stage.stage);
    this.#result = make({ ...step, surroundings: this.#surroundings() });
  }

  run(): PlannedStage {
    const { triggers, stage } = this.#parts.stage;
    for (const trigger of triggers) this.#apply(trigger, "ONBUILD ");
    for (const instruction of stage.instructions) this.#apply(instruction, "");
    return {
      result: this.#result,
      image: this.#draft.finish(),
      platform: this.#platform,
      scope: this.#scope,
      arguments: this.#arguments,
    };
  }

  #apply(instruction: Instruction, prefix: string): void {
    const expanded = this.#scope.apply(instruction);
    located(instruction.range, () => this.#plan(expanded, prefix));
  }

  #plan(instruction: Instruction, prefix: string): void {
    const { kind } = instruction;
    if (kind === "run") this.#run(instruction, prefix);
    else if (kind === "add" || kind === "copy") this.#copy(instruction, prefix);
    else if (kind === "workdir") this.#workdir(instruction, prefix);
    else if (kind === "arg") this.#arg(instruction);
    else {
      configure(this.#draft, instruction, { shell: this.#shell, hasCommand: this.#hasCommand });
      if (kind === "cmd") this.#hasCommand = true;
    }
  }

  #run(run: Instruction<"run">, prefix: string): void {
    const { settings } = this.#parts;
    const command = commandOf(run, this.#shell);
    const parsed = this.#scope.mounts(run);
    const step = this.#named(this.#shown(run, true) + command.note, run, prefix);
    const mounts = runMounts(parsed, {
      cwd: this.#cwd,
      namespace: settings.cacheNamespace,
      sourceOf: (from) =>
        from === undefined ? main : this.#parts.sourceOf(from, this.#platform, step),
    });
    const [agent] = mounts.filter((each) => each.type === "ssh");
    const variables = this.#variables();
    if (agent && !variables.has("SSH_AUTH_SOCK")) variables.set("SSH_AUTH_SOCK", agent.target);
    const operation = settings.share({
      kind: "run",
      ...step,
      base: this.#result,
      platform: this.#platform,
      argv: command.argv,
      env: [...variables].map(([name, value]) => `${name}=${value}`),
      proxy: settings.proxy,
      cwd: this.#cwd,
      user: this.#draft.config.User ?? "",
      mounts: [...command.mounts, ...mounts],
      network: run.network === "default" ? settings.network : run.network,
      security: run.security,
      hosts: settings.hosts,
      ...defined({ shmSize: settings.shmSize, hostname: settings.hostname }),
    });
    this.#result = operation;
    this.#draft.record(`RUN ${this.#runText(command.argv)}`, operation);
  }

  /** The command with the arguments that it may have seen: "|2 A=1 B=2 /bin/sh -c make". */
  #runText(argv: readonly string[]): string {
    const values = new Map<string, string>();
    for (const { name, value = "" } of this.#arguments) {
      values.set(name, this.#scope.variables.get(name) ?? value);
    }
    const given = [...values].map(([name, value]) => `${name}=${value}`);
    return [...(given.length > 0 ? [`|${given.length}`, ...given] : []), ...argv].join(" ");
  }

  #copy(instruction: Instruction<"add" | "copy">, prefix: string): void {
    const { kind, sources, documents, chown, chmod } = instruction;
    const step = this.#named(this.#shown(instruction), instruction, prefix);
    const given = kind === "copy" ? instruction.from : undefined;
    const from = given === undefined ? main : this.#parts.sourceOf(given, this.#platform, step);
    const copy = copyOf(instruction, { from, cwd: this.#cwd });
    const surroundings = this.#surroundings();
    const own = { ...step, surroundings, base: this.#result };
    const operation = this.#parts.settings.share({ kind: "copy", ...own, ...copy });
    this.#result = operation;
    const words = [
      kind.toUpperCase(),
      ...(kind === "copy" && instruction.parents ? ["--parents"] : []),
      ...(chown === "" ? [] : [`--chown=${chown}`]),
      ...(chmod === "" ? [] : [`--chmod=${chmod}`]),
      ...sources,
      ...documents.map(({ name }) => `<<${name}`),
      instruction.destination,
    ];
    this.#draft.record(words.join(" "), operation);
  }

  #workdir(instruction: Instruction<"workdir">, prefix: string): void {
    const path = posix.resolve("/", this.#cwd, instruction.path);
    // An absolute path stays as it is written, in BuildKit's configuration and history.
    const written = instruction.path.startsWith("/") ? instruction.path : path;
    this.#draft.config.WorkingDir = written;
    const step = this.#named(this.#shown(instruction), instruction, prefix);
    if (path === "/") {
      this.#draft.record(`WORKDIR ${written}`);
      return;
    }
    const user = this.#draft.config.User ?? "";
    const operation = this.#parts.settings.share({
      kind: "directory",
      ...step,
      surroundings: this.#surroundings(),
      base: this.#result,
      path,
      mode: 0o755,
      user,
    });
    this.#result = operation;
    this.#draft.record(`WORKDIR ${written}`, operation, { isPlain: true });
  }

  #arg({ declared }: Instruction<"arg">): void {
    this.#arguments.push(...declared);
    const words = declared.map(({ name, value }) =>
      value === undefined ? name : `${name}=${value}`,
    );
    this.#draft.record(["ARG", ...words].join(" "));
  }

  get #shell(): readonly string[] {
    const { Shell: shell = [] } = this.#draft.config;
    return shell.length > 0 ? shell : defaultShell;
  }

  get #cwd(): string {
    return posix.resolve("/", this.#draft.config.WorkingDir ?? "");
  }

  #variables(): Map<string, string> {
    const { variables } = this.#scope;
    return new Map([...variables.names()].map((name) => [name, variables.get(name) ?? ""]));
  }

  #surroundings(): Surroundings {
    const env = [...this.#variables()].map(([name, value]) => `${name}=${value}`);
    return { env, cwd: this.#cwd, user: this.#draft.config.User ?? "" };
  }

  /** An instruction as it is shown: with its variables, but without quotes taken away for RUN. */
  #shown({ source }: Instruction, isRun = false): string {
    const { variables } = this.#scope;
    const { file } = this.#parts.resolved;
    const options = isRun ? ({ quotes: "keep", keepUnset: true } as const) : {};
    try {
      return capitalized(expand(source, variables, { escape: file.escape, ...options }).text);
    } catch {
      return capitalized(source);
    }
  }

  /** That of the stage; where its steps know of the target's, that one too: "linux/amd64->arm64". */
  get #platforms(): string {
    const own = formatPlatform(this.#platform);
    const { targetPlatform } = this.#parts.resolved.request;
    const target = formatPlatform(targetPlatform);
    const knows = [...this.#scope.variables.names()].some((name) => targetVariable.test(name));
    if (own === target || !knows) return own;
    const isSameSystem = targetPlatform.os === this.#platform.os;
    return `${own}->${isSameSystem ? target.slice(target.indexOf("/") + 1) : target}`;
  }

  #named(text: string, { range }: Pick<Instruction, "range">, prefix = ""): Step {
    const { settings, stage } = this.#parts;
    const number = String(++this.#step).padStart(String(this.#total).length);
    const platform = settings.namesPlatform ? `${this.#platforms} ` : "";
    const where = this.#name === "" ? "" : `${this.#name} `;
    const { ignoresCache } = settings;
    return {
      name: `[${platform}${where}${number}/${this.#total}] ${prefix}${text}`,
      stage: stage.name,
      range,
      ignoresCache: typeof ignoresCache === "boolean" ? ignoresCache : ignoresCache.has(stage.name),
    };
  }
}

/** The operation of an image; `step` names it. */
export function imageOperation(
  step: Step,
  image: { readonly reference: string; readonly platform: Platform; readonly layout?: string },
): Operation {
  const { reference, platform, layout } = image;
  return {
    kind: "image",
    ...step,
    reference: layout === undefined ? fullReference(reference) : reference,
    platform,
    ...defined({ layout }),
  };
}
