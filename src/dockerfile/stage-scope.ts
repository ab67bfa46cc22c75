import { Environment } from "./environment.ts";
import { type ExpandOptions, type Expansion, expand } from "./expand.ts";
import { expandInstruction } from "./expand-instruction.ts";
import { type LineRange, located } from "./fault.ts";
import { nearest } from "./flags.ts";
import type { DeclaredArgument } from "./global-scope.ts";
import type { Argument, Instruction } from "./instruction.ts";
import { type Mount, parseMount } from "./mount.ts";
import type { ResolvedFile, ResolvedStage } from "./resolve-stages.ts";
import type { Report } from "./rules.ts";

/** As Docker sets it where an image does not. */
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** Values of it decide what is scanned, and are no variables of the build's processes. */
const noVariables: ReadonlySet<string> = new Set([
  "BUILDKIT_SBOM_SCAN_CONTEXT",
  "BUILDKIT_SBOM_SCAN_STAGE",
]);

/** Beyond this many names none is proposed for a mistyped one. */
const maxProposed = 1000;

interface ScopeOptions {
  readonly resolved: ResolvedFile;
  readonly stage: ResolvedStage;
  /** Of the stage that this one begins with, gone through. */
  readonly below: StageScope | undefined;
  readonly report: Report;
}

/**
 * The variables of a stage while its instructions are gone through in order: `apply` gives each
 * with its variables expanded, and then lets ENV and ARG change them.
 */
export class StageScope {
  /** Variables of the processes that run in the stage: those of the base, ENV and ARG. */
  readonly variables: Environment;
  /** The arguments that ARG declares in this stage and gives a value of its own. */
  readonly declared = new Map<string, DeclaredArgument>();
  /** Names of arguments that the stage makes use of. */
  readonly usedArguments: Set<string>;
  readonly #resolved: ResolvedFile;
  readonly #report: Report;
  /** Names of ARG, here and in the stages below. */
  readonly #arguments: Environment;
  /** Variables of the base that are not known may be used. */
  readonly #isOpen: boolean;

  constructor({ resolved, stage, below, report }: ScopeOptions) {
    const known = stage.base.kind === "image" ? stage.base.known : undefined;
    this.#resolved = resolved;
    this.#report = report;
    this.variables = new Environment(below?.variables);
    this.usedArguments = new Set(stage.usedArguments);
    this.#arguments = new Environment(below ? below.#arguments : undefined);
    this.#isOpen = below ? below.#isOpen : stage.base.kind === "image" && !known;
    this.#setAll(known?.variables ?? []);
    if (this.variables.get("PATH") === undefined) this.variables.set("PATH", defaultPath);
  }

  /** The instruction with its variables expanded. `invalid`, located, where one cannot be. */
  apply(instruction: Instruction): Instruction {
    const { range } = instruction;
    const expanded = located(range, () =>
      expandInstruction(instruction, {
        word: (text) => this.#expand(text, range).text,
        words: (text) => this.#expand(text, range).words,
        document: (text) => this.#expand(text, range, { escape: "\\", quotes: "ignore" }).text,
      }),
    );
    if (expanded.kind === "env") {
      for (const { name, value } of expanded.pairs) this.variables.set(name, value);
    }
    if (expanded.kind !== "arg") return expanded;
    return { ...expanded, declared: expanded.declared.map((each) => this.#declare(each, range)) };
  }

  /** The mounts of RUN. */
  mounts({ mounts, range }: Instruction<"run">): Mount[] {
    return located(range, () =>
      mounts.map((each) => parseMount(each, (word) => this.#expand(word, range).text)),
    );
  }

  /** The argument with its value: that of the build, else its default, else the global one. */
  #declare(argument: Argument, range: LineRange): Argument {
    const { name, description } = argument;
    const { request, globals } = this.#resolved;
    const given = request.buildArgs.get(name);
    const written =
      given ??
      (argument.value === undefined
        ? undefined
        : located(range, () => this.#expand(argument.value ?? "", range).text));
    const value = written ?? globals.variables.get(name);
    if (value !== undefined && !noVariables.has(name)) this.variables.set(name, value);
    const isInherited = written === undefined && value !== undefined;
    if (!isInherited) {
      this.declared.set(name, {
        name,
        value: value ?? "",
        ...(description === undefined ? {} : { description }),
        range,
        uses: new Set(),
      });
    }
    this.usedArguments.add(name);
    this.#arguments.set(name, "");
    return { ...argument, ...(value === undefined ? {} : { value }) };
  }

  #expand(text: string, range: LineRange, options: Partial<ExpandOptions> = {}): Expansion {
    const { file, budget } = this.#resolved;
    const unset = new Set<string>();
    try {
      return expand(text, this.variables, { escape: file.escape, budget, ...options, unset });
    } finally {
      if (unset.size > 0) {
        for (const name of [...unset].toSorted()) this.#reportUnset(name, range);
      }
    }
  }

  #reportUnset(name: string, range: LineRange): void {
    if (this.#arguments.get(name) !== undefined || noVariables.has(name)) return;
    const { variables } = this;
    const near = variables.size > maxProposed ? undefined : nearest(name, [...variables.names()]);
    if (this.#isOpen && near === undefined) return;
    const hint = near === undefined ? "" : ` (did you mean $${near}?)`;
    const detail = `Usage of undefined variable '$${name}'${hint}`;
    this.#report({ rule: "UndefinedVar", detail, range });
  }

  #setAll(variables: readonly string[]): void {
    for (const variable of variables) {
      const equals = variable.indexOf("=");
      if (equals < 0) this.variables.set(variable, "");
      else this.variables.set(variable.slice(0, equals), variable.slice(equals + 1));
    }
  }
}
