import { Fault, StepBudget } from "#base";
import type { Expression } from "./expression.ts";
import type { Type } from "./type.ts";
import type { Value } from "./value.ts";

/** What a function takes: a value of a type, which may be null only where it says so. */
export interface Parameter {
  readonly name: string;
  readonly type: Type;
  readonly allowsNull?: boolean;
}

/** A function that is called with values. */
export interface PlainFunction {
  readonly params: readonly Parameter[];
  /** Of the arguments after those of `params`, where there may be any number. */
  readonly rest?: Parameter;
  /** The type of its results, as far as it is the same for all arguments. */
  readonly returns: Type;
  /** Gives the result; an ArgumentFault or a Fault when there is none. */
  call(args: readonly Value[]): Value;
}

/** A function that is called with expressions, and tries them itself. */
export interface LazyFunction {
  readonly params: readonly Parameter[];
  readonly rest?: Parameter;
  callLazily(args: readonly Expression[], scope: Scope): Value;
}

export type HclFunction = PlainFunction | LazyFunction;

/** What is wrong with one argument of a call. */
export class ArgumentFault extends Fault {
  readonly index: number;

  constructor(index: number, message: string) {
    super("invalid", message);
    this.index = index;
  }
}

/** Steps of evaluation that all expressions of a definition may take together. */
const maxSteps = 2_000_000;
/** The text that they may make, in characters. */
const maxText = 32 << 20;

/** What all expressions of a definition may use up together; hostile ones end. */
class EvaluationBudget {
  readonly #steps = new StepBudget(maxSteps);
  readonly #text = new StepBudget(maxText);

  /** Counts steps; `exhausted` once they are too many. */
  take(steps = 1): void {
    if (this.#steps.take(steps)) return;
    throw new Fault("exhausted", `the definition takes more than ${maxSteps} steps to evaluate`);
  }

  /** Counts characters of texts that were made; `exhausted` once they are too many. */
  takeText(length: number): void {
    if (this.#text.take(length)) return;
    throw new Fault("exhausted", `the definition makes more than ${maxText} characters of text`);
  }
}

/** The names that an expression may use. */
export interface Scope {
  readonly variables: Map<string, Value>;
  readonly functions: Map<string, HclFunction>;
  readonly parent: Scope | undefined;
  readonly budget: EvaluationBudget;
  /** The elements that a splat goes through. */
  readonly items: ReadonlyMap<symbol, Value>;
}

/** A scope without a name. */
export function rootScope(functions: Map<string, HclFunction>): Scope {
  return {
    variables: new Map(),
    functions,
    parent: undefined,
    budget: new EvaluationBudget(),
    items: new Map(),
  };
}

/** A scope within another one, with more names. */
export function childScope(parent: Scope, variables: Map<string, Value>): Scope {
  return { ...parent, variables, parent };
}

/** The value of a name, from the nearest scope that has it. */
export function lookUp(scope: Scope, name: string): Value | undefined {
  for (let each: Scope | undefined = scope; each; each = each.parent) {
    const value = each.variables.get(name);
    if (value) return value;
  }
  return undefined;
}
