import { defined } from "#base";
import type { Context } from "./context.ts";
import { bool, type Completion, type Flags, type Values } from "./flag.ts";
import type { ParsedFlags } from "./parse-flags.ts";

/** The flags and arguments of one call of a verb. */
export interface Invocation<F extends Flags> {
  readonly flags: Values<F>;
  /** The flags that were written out. */
  readonly given: ReadonlySet<keyof F & string>;
  readonly args: readonly string[];
}

/** Does the work of a command; gives the exit status. */
export type Verb<F extends Flags> = (
  context: Context,
  invocation: Invocation<F>,
) => Promise<number>;

interface Example {
  /** Without the program's name: "run --rm -it debian". */
  readonly command: string;
  readonly what: string;
}

/** A command as the table has it; parsing, help and completion are made from this alone. */
export interface Command {
  readonly kind: "command";
  readonly summary: string;
  /** The words after the name: "[OPTIONS] CONTAINER [CONTAINER...]". */
  readonly usage: string;
  readonly flags: Flags;
  readonly args: { readonly min: number; readonly max: number };
  /** False: the first argument ends the flags. */
  readonly interspersed: boolean;
  readonly examples: readonly Example[];
  /** The kind of words with which arguments are completed. */
  readonly complete?: Completion;
  readonly hidden: boolean;
  /**
   * Commands named by the first argument, where more arguments follow than this one takes: "port add
   * web 8080:80". Containers may have such names.
   */
  readonly variants: Readonly<Record<string, Command>>;
  /** The exit status of a failure; docker has 125 for run, 1 elsewhere. */
  readonly failure: number;
  run(context: Context, parsed: ParsedFlags<Flags>): Promise<number>;
}

export interface Group {
  readonly kind: "group";
  readonly summary: string;
  readonly commands: Readonly<Record<string, Command | Group>>;
  /** Flags of each command below that may stand before its name, too: "compose -f FILE config". */
  readonly flags?: Flags;
}

interface Spec<F extends Flags> {
  readonly summary: string;
  readonly usage: string;
  readonly flags?: F;
  readonly args?: readonly [min: number, max: number];
  readonly interspersed?: boolean;
  readonly examples?: readonly (readonly [command: string, what: string])[];
  readonly complete?: Completion;
  readonly hidden?: boolean;
  readonly failure?: number;
  readonly variants?: Command["variants"];
  /** How many connections the verb is going to open at once; they are made while it loads. */
  readonly calls?: number;
  /** Imports the verb when it is used, so that a start pays for one command only. */
  readonly load: () => Promise<Verb<F>>;
  /** What says with --dry-run what the verb would do, and does nothing; the flag is there when this is. */
  readonly rehearse?: () => Promise<Verb<F>>;
}

const dryRun = bool("Say what would be done, and do nothing");

/** A command for the table, with the defaults filled in: no flags, no arguments, shown in help. */
export function command<F extends Flags>(spec: Spec<F>): Command {
  const [min, max] = spec.args ?? [0, 0];
  return {
    kind: "command",
    summary: spec.summary,
    usage: spec.usage,
    flags: { ...(spec.rehearse && { "dry-run": dryRun }), ...spec.flags },
    args: { min, max },
    interspersed: spec.interspersed ?? true,
    examples: (spec.examples ?? []).map(([line, what]) => ({ command: line, what })),
    ...defined({ complete: spec.complete }),
    hidden: spec.hidden ?? false,
    variants: spec.variants ?? {},
    failure: spec.failure ?? 1,
    run: async (context, parsed) => {
      if (spec.calls) context.expectCalls(spec.calls);
      const load = parsed.flags["dry-run"] === true ? (spec.rehearse ?? spec.load) : spec.load;
      return (await load())(context, parsed as unknown as Invocation<F>);
    },
  };
}

/** A word with commands below it, as "container". */
export function group(summary: string, commands: Group["commands"], flags?: Flags): Group {
  return { kind: "group", summary, commands, ...defined({ flags }) };
}

/** For commands that take any number of arguments. */
export const many = Number.POSITIVE_INFINITY;
