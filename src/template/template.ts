import { suggest } from "#base";
import { strictKeys } from "./go-value.ts";
import { applyFunction, isFunction, printed, truth } from "./template-functions.ts";
import {
  type Block,
  type Operand,
  type Pipe,
  parseTemplate,
  TemplateError,
} from "./template-parse.ts";

export { TemplateError } from "./template-parse.ts";

/** A template, ready for any number of values. */
export type Template = (data: unknown) => string;

/**
 * Compiles a template; a TemplateError, now or when it is used, says what is wrong. The output of
 * its actions passes through `show`.
 */
export function compileTemplate(text: string, show: Show = (printed) => printed): Template {
  const { block, defined } = parseTemplate(text);
  const columns = columnsOf(block);
  if (columns) return (data) => printColumns(columns, data, show);
  return (data) => {
    const out: string[] = [];
    new Evaluator(out, show, defined).block(block, { dot: data, variables: [["", data]] });
    return out.join("");
  };
}

type Show = (printed: string) => string;
type Column = { readonly text: string } | { readonly field: string };

/**
 * The form of most tables: texts and fields of the dot. The evaluator takes ten times as long for a
 * line of them.
 */
function columnsOf(block: Block): readonly Column[] | undefined {
  const columns: Column[] = [];
  for (const node of block) {
    if (node.kind === "text") columns.push(node);
    else if (node.kind === "print" && node.pipe.variables.length === 0) {
      const [command, piped] = node.pipe.commands;
      const [operand, argument] = command ?? [];
      if (piped || argument || operand?.kind !== "path" || operand.root.kind !== "dot") return;
      const [field, deeper] = operand.fields;
      if (field === undefined || deeper !== undefined) return;
      columns.push({ field });
    } else return;
  }
  return columns;
}

function printColumns(columns: readonly Column[], data: unknown, show: Show): string {
  let line = "";
  for (const column of columns) {
    if ("text" in column) line += column.text;
    else line += show(printed(fieldOf(data, column.field, [])));
  }
  return line;
}

interface Scope {
  readonly dot: unknown;
  /** Innermost last; "" is `$`. */
  readonly variables: [name: string, value: unknown][];
}

/** Templates that loop over each other's output could fill the memory. */
const maxOutput = 64 << 20;
/** Nodes, about half a second. */
const maxSteps = 1_000_000;
/** Templates that call each other. */
const maxDepth = 100;

/** How a block ended before its end. */
type Jump = "break" | "continue" | undefined;

class Evaluator {
  readonly #out: string[];
  readonly #show: Show;
  readonly #defined: ReadonlyMap<string, Block>;
  #size = 0;
  #steps = 0;
  #depth = 0;

  constructor(out: string[], show: Show, defined: ReadonlyMap<string, Block>) {
    this.#out = out;
    this.#show = show;
    this.#defined = defined;
  }

  block(block: Block, outer: Scope): Jump {
    const scope = { dot: outer.dot, variables: [...outer.variables] };
    for (const node of block) {
      if (++this.#steps > maxSteps) throw new TemplateError("the template takes too long");
      if (node.kind === "text") this.#print(node.text);
      else if (node.kind === "print") {
        const value = this.#pipe(node.pipe, scope);
        if (node.pipe.variables.length === 0) this.#print(this.#show(printed(value)));
      } else if (node.kind === "range") {
        const jump = this.#range(node, scope);
        if (jump) return jump;
      } else if (node.kind === "template") this.#call(node, scope);
      else if (node.kind === "break") return "break";
      else if (node.kind === "continue") return "continue";
      else {
        const inner = { dot: scope.dot, variables: [...scope.variables] };
        const value = this.#pipe(node.pipe, inner);
        const dot = node.kind === "with" && truth(value) ? value : inner.dot;
        const jump = this.block(truth(value) ? node.body : node.otherwise, { ...inner, dot });
        if (jump) return jump;
      }
    }
    return undefined;
  }

  #call(node: { name: string; pipe: Pipe | undefined }, scope: Scope): void {
    const block = this.#defined.get(node.name);
    if (!block) throw new TemplateError(`template "${node.name}" not defined`);
    if (++this.#depth > maxDepth) throw new TemplateError("templates call each other too deep");
    const dot = node.pipe && this.#pipe(node.pipe, scope);
    this.block(block, { dot, variables: [["", dot]] });
    this.#depth--;
  }

  /** A jump within the loop ends there; one of `else` is of the loop outside. */
  #range(node: { pipe: Pipe; body: Block; otherwise: Block }, scope: Scope): Jump {
    const { variables, ...pipe } = node.pipe;
    const value = this.#pipe({ ...pipe, variables: [] }, scope);
    const entries = entriesOf(value, node.pipe.source);
    if (entries.length === 0) return this.block(node.otherwise, scope);
    const [first, second] = variables;
    for (const [key, item] of entries) {
      const inner: Scope = { dot: item, variables: [...scope.variables] };
      if (first && second) inner.variables.push([first, key], [second, item]);
      else if (first) inner.variables.push([first, item]);
      if (this.block(node.body, inner) === "break") break;
    }
    return undefined;
  }

  #pipe(pipe: Pipe, scope: Scope): unknown {
    let value: unknown;
    for (const [index, command] of pipe.commands.entries()) {
      const before = index === 0 ? [] : [value];
      value = this.#command(command, before, scope, pipe.source);
    }
    const [name] = pipe.variables;
    if (name !== undefined) {
      const known = pipe.assign && scope.variables.findLast(([other]) => other === name);
      if (known) known[1] = value;
      else scope.variables.push([name, value]);
    }
    return value;
  }

  #command(
    operands: readonly Operand[],
    piped: readonly unknown[],
    scope: Scope,
    source: string,
  ): unknown {
    const [head, ...rest] = operands as [Operand, ...Operand[]];
    if (head.kind === "function") {
      if (!isFunction(head.name)) throw new TemplateError(`function "${head.name}" not defined`);
      const lazy = rest.map((operand) => () => this.#operand(operand, scope, source, []));
      return applyFunction(head.name, [...lazy, ...piped.map((value) => () => value)]);
    }
    const args = [...rest.map((operand) => this.#operand(operand, scope, source, [])), ...piped];
    return this.#operand(head, scope, source, args);
  }

  #operand(operand: Operand, scope: Scope, source: string, args: readonly unknown[]): unknown {
    if (operand.kind === "function") return this.#command([operand], [], scope, source);
    if (operand.kind === "literal") {
      if (args.length > 0)
        throw new TemplateError(`can't give argument to non-function in {{${source}}}`);
      return operand.value;
    }
    const { root, fields } = operand;
    let value: unknown;
    if (root.kind === "dot") value = scope.dot;
    else if (root.kind === "pipe") value = this.#pipe(root.pipe, scope);
    else {
      const known = scope.variables.findLast(([name]) => name === root.name);
      if (!known) throw new TemplateError(`undefined variable "$${root.name}"`);
      value = known[1];
    }
    for (const [index, field] of fields.entries()) {
      const owner = value;
      value = fieldOf(owner, field, index === fields.length - 1 ? args : []);
      // As in Go, what stands behind a key that a map lacks has no value either.
      if (value === undefined && mayLack(owner)) return undefined;
    }
    return value;
  }

  #print(text: string): void {
    this.#size += text.length;
    if (this.#size > maxOutput) throw new TemplateError("the template prints too much");
    this.#out.push(text);
  }
}

/** Whether it is a map of which a missing key is no mistake. */
function mayLack(value: unknown): boolean {
  if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== null)
    return false;
  return !(strictKeys in value);
}

function fieldOf(value: unknown, field: string, args: readonly unknown[]): unknown {
  if (value === null || value === undefined) {
    throw new TemplateError(`nil pointer evaluating <.${field}>: there is no value before it`);
  }
  if (typeof value !== "object" || Array.isArray(value)) {
    throw new TemplateError(
      `can't evaluate field ${field}: ${JSON.stringify(value)} has no fields`,
    );
  }
  if (!Object.hasOwn(value, field)) {
    if (mayLack(value)) return undefined;
    if (Object.getPrototypeOf(value) === null) {
      throw new TemplateError(`map has no entry for key ${JSON.stringify(field)}`);
    }
    const meant = suggest(field, Object.keys(value));
    throw new TemplateError(
      `can't evaluate field ${field}: there is no such field${meant ? ` (did you mean .${meant}?)` : ""}`,
    );
  }
  const found = (value as Record<string, unknown>)[field];
  if (typeof found === "function") {
    const method = found as (...args: readonly unknown[]) => unknown;
    if (method.length !== args.length)
      throw new TemplateError(
        `wrong number of args for ${field}: want ${method.length} got ${args.length}`,
      );
    return method(...args);
  }
  if (args.length > 0) throw new TemplateError(`${field} is not a method but has arguments`);
  return found;
}

function entriesOf(value: unknown, source: string): [unknown, unknown][] {
  if (value === null || value === undefined) return [];
  if (Array.isArray(value)) return value.map((item, index) => [index, item]);
  if (typeof value === "object") {
    return Object.entries(value).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }
  throw new TemplateError(`range can't iterate over ${JSON.stringify(value)} in {{${source}}}`);
}
