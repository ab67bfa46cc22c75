import { posix } from "node:path";
import { formatPlatform, isSignalName } from "#image";
import { checkTransfer } from "./check-transfer.ts";
import { DockerfileFault, type LineRange, located, quote } from "./fault.ts";
import type { IgnoreMatcher } from "./ignore.ts";
import type { CommandLine, Instruction } from "./instruction.ts";
import type { Mount } from "./mount.ts";
import { exposedPorts, hasUpperCaseProtocol, namesHostPort } from "./ports.ts";
import {
  isReady,
  type KnownImage,
  type ResolvedFile,
  type ResolvedStage,
} from "./resolve-stages.ts";
import type { Report } from "./rules.ts";
import { StageScope } from "./stage-scope.ts";

/** A secret or an agent that a stage asks for, and where it does so first. */
export interface Wanted {
  readonly isRequired: boolean;
  readonly range: LineRange;
}

interface CheckerOptions {
  readonly resolved: ResolvedFile;
  readonly stage: ResolvedStage;
  /** Of the stage that it begins with, gone through. */
  readonly below: StageChecker | undefined;
  readonly ignored: IgnoreMatcher | undefined;
  readonly report: Report;
}

const secretWords = "apikey|auth|credential|credentials|key|password|pword|passwd|secret|token";
const secretName = new RegExp(`(?:_|^)(?:${secretWords})(?:_|$)`, "i");
const publicName = /(?:_|^)public(?:_|$)/i;

/** Goes through a stage as a build does, without running anything, and reports what looks wrong. */
export class StageChecker {
  readonly stage: ResolvedStage;
  readonly scope: StageScope;
  /** Secrets by id. */
  readonly secrets = new Map<string, Wanted>();
  /** SSH agents by id. */
  readonly agents = new Map<string, Wanted>();
  readonly #resolved: ResolvedFile;
  readonly #ignored: IgnoreMatcher | undefined;
  readonly #report: Report;
  /** Where CMD, ENTRYPOINT and HEALTHCHECK stand. */
  readonly #places = new Map<string, LineRange>();
  #hasWorkdir: boolean;
  #hasShell: boolean;
  /** Undefined while an unknown image decides it. */
  #workdir: string | undefined;

  constructor({ resolved, stage, below, ignored, report }: CheckerOptions) {
    this.stage = stage;
    this.#resolved = resolved;
    this.#ignored = ignored;
    this.#report = report;
    const known = stage.base.kind === "image" ? stage.base.known : undefined;
    this.scope = new StageScope({ resolved, stage, below: below?.scope, report });
    this.#hasWorkdir = below ? below.#hasWorkdir : false;
    this.#hasShell = below ? below.#hasShell : (known?.shell.length ?? 0) > 0;
    this.#workdir = below
      ? below.#workdir
      : stage.base.kind === "scratch"
        ? "/"
        : known && (known.workdir || "/");
    if (known) this.#checkPlatform(known);
  }

  /** Goes through the instructions; a `DockerfileFault` is what ends a build. */
  run(): void {
    for (const instruction of [...this.stage.triggers, ...this.stage.stage.instructions]) {
      if (instruction.kind === "arg") {
        for (const { name } of instruction.declared) this.#checkSecret("ARG", name, instruction);
      }
      const expanded = this.scope.apply(instruction);
      located(instruction.range, () => this.#check(expanded));
    }
  }

  #checkPlatform({ platform: actual }: KnownImage): void {
    const { stage, base, platform } = this.stage;
    const expected = platform ?? this.#resolved.request.targetPlatform;
    if (base.kind !== "image") return;
    if (expected.os === actual.os && expected.architecture === actual.architecture) return;
    const detail = `Base image ${base.name} was pulled with platform ${quote(formatPlatform(actual))}, expected ${quote(formatPlatform(expected))} for current build`;
    this.#report({ rule: "InvalidBaseImagePlatform", detail, range: stage.range });
  }

  #check(instruction: Instruction): void {
    const { range, keyword } = instruction;
    switch (instruction.kind) {
      case "env":
      case "label":
        this.#checkPairs(instruction);
        break;
      case "add":
      case "copy":
        checkTransfer(instruction, {
          stage: this.stage,
          file: this.#resolved,
          ignored: this.#ignored,
          report: this.#report,
        });
        break;
      case "run":
        this.#checkRun(instruction);
        break;
      case "workdir":
        this.#checkWorkdir(instruction);
        break;
      case "cmd":
      case "entrypoint":
        this.#checkOnce(instruction);
        this.#checkForm(instruction, keyword, range);
        break;
      case "healthcheck":
        this.#checkOnce(instruction);
        break;
      case "shell":
        this.#hasShell = true;
        break;
      case "expose":
        this.#checkPorts(instruction);
        break;
      case "volume":
        if (!instruction.volumes.includes("")) break;
        throw new DockerfileFault("VOLUME specified can not be an empty string");
      case "stopsignal":
        // BuildKit takes any number but 0.
        if (Number(instruction.signal) || isSignalName(instruction.signal)) break;
        throw new DockerfileFault(`invalid signal: ${instruction.signal}`);
      default:
        break;
    }
  }

  #checkPairs(instruction: Instruction<"env" | "label">): void {
    const { keyword, range } = instruction;
    for (const { name, isLegacy } of instruction.pairs) {
      if (isLegacy) {
        const detail = `"${keyword} key=value" should be used instead of legacy "${keyword} key value" format`;
        this.#report({ rule: "LegacyKeyValueFormat", detail, range });
      }
      if (instruction.kind === "env") this.#checkSecret("ENV", name, instruction);
    }
  }

  #checkSecret(keyword: string, name: string, { range }: Instruction): void {
    if (!secretName.test(name) || publicName.test(name)) return;
    const detail = `Do not use ARG or ENV instructions for sensitive data (${keyword} ${quote(name)})`;
    this.#report({ rule: "SecretsUsedInArgOrEnv", detail, range });
  }

  #checkOnce({ kind, keyword, range }: Instruction): void {
    const before = this.#places.get(kind);
    this.#places.set(kind, range);
    if (!before) return;
    const detail = `Multiple ${keyword} instructions should not be used in the same stage because only the last one will be used`;
    this.#report({ rule: "MultipleInstructionsDisallowed", detail, range: before });
  }

  #checkForm({ isJson }: CommandLine, keyword: string, range: LineRange): void {
    if (isJson || this.#hasShell) return;
    const detail = `JSON arguments recommended for ${keyword} to prevent unintended behavior related to OS signals`;
    this.#report({ rule: "JSONArgsRecommended", detail, range });
  }

  #checkWorkdir({ path, range }: Instruction<"workdir">): void {
    if (!this.#hasWorkdir && !path.startsWith("/")) {
      const detail = `Relative workdir ${quote(path)} can have unexpected results if the base image changes`;
      this.#report({ rule: "WorkdirRelativePath", detail, range });
    }
    this.#hasWorkdir = true;
    this.#workdir = this.#resolve(path);
  }

  /** A path from the root; undefined where the image decides what it is relative to. */
  #resolve(path: string): string | undefined {
    if (path.startsWith("/")) return posix.resolve("/", path);
    return this.#workdir === undefined ? undefined : posix.resolve(this.#workdir, path);
  }

  #checkPorts({ ports, range }: Instruction<"expose">): void {
    for (const port of ports) {
      if (namesHostPort(port)) {
        const detail = `EXPOSE instruction should not define an IP address or host-port mapping, found '${port}'`;
        this.#report({ rule: "ExposeInvalidFormat", detail, range });
      }
      if (hasUpperCaseProtocol(port)) {
        const detail = `Defined protocol '${port}' in EXPOSE instruction should be lowercase`;
        this.#report({ rule: "ExposeProtoCasing", detail, range });
      }
    }
    for (const port of ports) exposedPorts(port);
  }

  #checkRun(run: Instruction<"run">): void {
    const [first] = run.heredocs;
    if (first && run.isJson) {
      throw new DockerfileFault(
        `parsing produced an invalid run command: [${run.words.join(" ")}]`,
      );
    }
    if (run.devices.length > 0 && !this.#resolved.file.isLabs) {
      throw new DockerfileFault(
        "device feature is only supported in Dockerfile frontend 1.14.0-labs or later",
      );
    }
    for (const mount of this.scope.mounts(run)) this.#checkMount(mount, run.range);
  }

  #checkMount(mount: Mount, range: LineRange): void {
    const { type, from, target = "" } = mount;
    const isLate = from !== undefined && !isReady(from, this.stage, this.#resolved);
    if (isLate) {
      throw new DockerfileFault(
        `cannot mount from stage ${quote(from)} to ${quote(target)}, stage needs to be defined before current command`,
      );
    }
    const { isRequired } = mount;
    if (type === "secret") {
      const id = mount.source || mount.id || posix.basename(target);
      if (!this.secrets.has(id)) this.secrets.set(id, { isRequired, range });
    } else if (type === "ssh") {
      const id = mount.id || "default";
      if (!this.agents.has(id)) this.agents.set(id, { isRequired, range });
    } else if (this.#resolve(target) === "/") {
      throw new DockerfileFault('invalid mount target "/"');
    }
  }
}
