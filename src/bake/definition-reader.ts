import { Fault, isFault } from "#base";
import {
  type Attribute,
  type Block,
  type Body,
  type BodySchema,
  childScope,
  convert,
  type Diagnostic,
  type Expression,
  elementsOf,
  entriesOf,
  evaluate,
  HclFault,
  hclFault,
  mapValue,
  objectValue,
  parseType,
  type Range,
  referencesOf,
  rootScope,
  type Scope,
  type Surroundings,
  standardFunctions,
  stringType,
  type Type,
  textOf,
  textValue,
  typeName,
  type Value,
} from "#hcl";
import type { Definition, Group, Target } from "./target.ts";
import { mergeTarget } from "./target.ts";
import { fieldValue, groupFields, groupValue, targetFields, targetValue } from "./target-fields.ts";
import { checkTargetName } from "./target-name.ts";
import { userFunction } from "./user-function.ts";
import { shownValue, variableValue } from "./variable.ts";

/** What the reader of a definition knows beside the files. */
export interface DefinitionInput extends Surroundings {
  /** A variable of the environment, or one that was set for this run. */
  lookUp(name: string): string | undefined;
  /** Variables of the file .env, which compose files see under those of the environment. */
  readonly dotenv?: ReadonlyMap<string, string>;
  /** Variables that no file may define: BAKE_CMD_CONTEXT and its like. */
  readonly builtins: ReadonlyMap<string, string>;
}

/** A variable, as `--list=variables` shows it. */
export interface ListedVariable {
  readonly name: string;
  readonly type: string | undefined;
  readonly value: string | undefined;
  readonly description: string | undefined;
}

interface Variable {
  readonly name: string;
  readonly range: Range;
  readonly initial: Attribute | undefined;
  readonly type: Attribute | undefined;
  readonly description: string | undefined;
  readonly validations: readonly {
    readonly condition: Expression | undefined;
    readonly message: Expression | undefined;
  }[];
}

interface UserFunction {
  readonly block: Block;
  readonly params: Attribute | undefined;
  readonly rest: Attribute | undefined;
  readonly result: Attribute | undefined;
}

/** One target or group of a block; a block with a matrix has several. */
interface Instance {
  readonly scope: Scope;
  readonly made: Target | Group;
  readonly done: Set<string>;
  readonly started: Set<string>;
}

type BlockType = "target" | "group";

const topSchema: BodySchema = {
  attributes: [],
  blocks: [
    { type: "group", labels: ["name"] },
    { type: "target", labels: ["name"] },
  ],
};
const inputSchema: BodySchema = {
  attributes: [],
  blocks: [
    { type: "variable", labels: ["name"] },
    { type: "function", labels: ["name"] },
  ],
};
/** Targets that the matrices of a definition may make. */
const maxTargets = 10_000;

/** A name that nothing defines: the expression itself will tell where. */
class UndefinedFault extends Fault {
  constructor(message: string) {
    super("invalid", `${message}: undefined`);
  }
}

/** Reads HCL and JSON files, merged into one body, onto what compose files defined. */
export function readDefinition(
  body: Body,
  input: DefinitionInput,
  onto: Definition,
): { readonly definition: Definition; readonly variables: readonly ListedVariable[] } {
  return new DefinitionReader(body, input, onto).read();
}

function asDiagnostics(summary: string, error: unknown, subject: Range): HclFault {
  if (error instanceof HclFault) return error;
  if (!isFault(error, "invalid")) throw error;
  return hclFault(summary, error.message, subject);
}

class DefinitionReader {
  readonly #body: Body;
  readonly #input: DefinitionInput;
  readonly #definition: Definition;
  readonly #root: Scope;
  readonly #variables = new Map<string, Variable>();
  readonly #attributes = new Map<string, Attribute>();
  readonly #functions = new Map<string, UserFunction>();
  readonly #instances = new Map<Block, Instance[]>();
  readonly #names = new Map<Block, readonly string[]>();
  #blocks = new Map<string, Block[]>();
  readonly #started = new Map<Scope, Set<string>>();
  readonly #startedFunctions = new Set<string>();
  #count = 0;

  constructor(body: Body, input: DefinitionInput, onto: Definition) {
    this.#body = body;
    this.#input = input;
    this.#definition = onto;
    this.#root = rootScope(standardFunctions(input));
  }

  read(): { readonly definition: Definition; readonly variables: readonly ListedVariable[] } {
    const blocks = this.#collect();
    for (const name of this.#input.builtins.keys()) this.#resolveValue(this.#root, name);
    const variables = this.#resolveVariables();
    this.#validate();
    this.#resolveFunctions();
    const renamed = this.#resolveNames(blocks);
    this.#resolveBlocks(blocks);
    for (const [name, { range }] of this.#attributes) {
      try {
        this.#resolveValue(this.#root, name);
      } catch (error) {
        throw asDiagnostics("Invalid attribute", error, range);
      }
    }
    for (const [name, targets] of renamed) {
      const names = [...new Set(targets)];
      if (names.length !== 1 || names[0] !== name) {
        this.#definition.groups.push({ name, targets: names });
      }
    }
    return { definition: this.#definition, variables };
  }

  #collect(): readonly Block[] {
    const diagnostics: Diagnostic[] = [];
    const throwFound = () => {
      if (diagnostics.length > 0) throw new HclFault(diagnostics);
    };
    const inputs = this.#body.partialContent(inputSchema, diagnostics);
    throwFound();
    for (const block of inputs.blocks) {
      const [name = ""] = block.labels;
      const isReserved = name === "target" || name === "group" || this.#input.builtins.has(name);
      const own: Diagnostic[] = [];
      if (block.type === "variable") {
        const variable = readVariable(block, own);
        if (!isReserved) this.#variables.set(name, variable);
      } else {
        const found = readFunction(block, own);
        if (!isReserved) this.#functions.set(name, found);
      }
      diagnostics.push(...own);
    }
    throwFound();
    const top = this.#body.partialContent(topSchema, diagnostics);
    throwFound();
    const { rest } = top.rest.partialContent(inputSchema, diagnostics);
    throwFound();
    const attributes = rest.justAttributes(diagnostics);
    // Blocks of other types are left out, and a value that several files give is the first one.
    const serious = diagnostics.filter(
      ({ detail }) =>
        detail !== "Blocks are not allowed here." &&
        !/^Argument ".*" was already set at /.test(detail),
    );
    if (serious.length > 0) throw new HclFault(serious);
    for (const [name, attribute] of attributes) {
      if (
        name !== "target" &&
        name !== "group" &&
        name !== "function" &&
        !this.#input.builtins.has(name)
      ) {
        this.#attributes.set(name, attribute);
      }
    }
    return top.blocks;
  }

  #resolveVariables(): ListedVariable[] {
    const listed: ListedVariable[] = [];
    for (const variable of this.#variables.values()) {
      const { name, range, description } = variable;
      try {
        this.#resolveValue(this.#root, name);
      } catch (error) {
        throw asDiagnostics("Invalid value", error, range);
      }
      const value = this.#root.variables.get(name) ?? textValue("");
      const type = variable.type && typeName(parseType(variable.type.expression));
      listed.push({ name, type, value: shownValue(value), description });
    }
    return listed.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #validate(): void {
    const diagnostics: Diagnostic[] = [];
    for (const { validations } of this.#variables.values()) {
      for (const { condition, message } of validations) {
        if (!condition || !message) continue;
        try {
          const value = evaluate(condition, this.#root);
          if (value.type.kind !== "bool" || value.content === null) {
            diagnostics.push({
              summary: "Invalid condition",
              detail: "The condition of a validation must be true or false.",
              subject: condition.range,
            });
          } else if (value.content === false) {
            const detail = textOf(convert(evaluate(message, this.#root), stringType));
            diagnostics.push({ summary: "Validation failed", detail, subject: condition.range });
          }
        } catch (error) {
          diagnostics.push(
            ...asDiagnostics("Invalid error message", error, message.range).diagnostics,
          );
        }
      }
    }
    if (diagnostics.length > 0) throw new HclFault(diagnostics);
  }

  #resolveFunctions(): void {
    for (const [name, { params, block }] of this.#functions) {
      try {
        this.#resolveFunction(this.#root, name);
      } catch (error) {
        const subject = params?.range ?? block.labelRanges[0] ?? block.definitionRange;
        throw asDiagnostics("Invalid function", error, subject);
      }
    }
  }

  /** The names of all blocks: a matrix may compute them. Gives them by the label of their block. */
  #resolveNames(blocks: readonly Block[]): ReadonlyMap<string, readonly string[]> {
    const named = new Map<string, Block[]>();
    const renamed = new Map<string, string[]>();
    for (const block of blocks) {
      const [label = ""] = block.labels;
      const subject = block.labelRanges[0] ?? block.definitionRange;
      let names: readonly string[];
      try {
        names = this.#namesOf(block);
      } catch (error) {
        throw asDiagnostics("Invalid name", error, subject);
      }
      for (const name of names) {
        const key = `${block.type}.${name}`;
        named.set(key, [...(named.get(key) ?? []), block]);
        if (block.type === "target") renamed.set(label, [...(renamed.get(label) ?? []), name]);
      }
    }
    this.#blocks = named;
    return renamed;
  }

  #resolveBlocks(blocks: readonly Block[]): void {
    const diagnostics: Diagnostic[] = [];
    for (const block of blocks) {
      try {
        this.#resolveBlock(block);
      } catch (error) {
        const subject = block.labelRanges[0] ?? block.definitionRange;
        if (!(error instanceof HclFault)) throw asDiagnostics("Invalid block", error, subject);
        diagnostics.push(...error.diagnostics);
        continue;
      }
      for (const { made } of this.#instances.get(block) ?? []) {
        if (block.type === "group") this.#addGroup(made as Group);
        else this.#addTarget(made as Target);
      }
    }
    if (diagnostics.length > 0) throw new HclFault(diagnostics);
  }

  #addGroup(group: Group): void {
    const { groups } = this.#definition;
    const at = groups.findIndex(({ name }) => name === group.name);
    if (at < 0) groups.push(group);
    else groups[at] = group;
  }

  #addTarget(target: Target): void {
    const existing = this.#definition.targets.find(({ name }) => name === target.name);
    if (existing) mergeTarget(existing, target);
    else this.#definition.targets.push(target);
  }

  /** Resolves what an expression uses. What is not defined the expression tells of itself, with `allowsMissing`. */
  #load(
    scope: Scope,
    expression: Expression,
    {
      except = new Set(),
      allowsMissing,
    }: { readonly except?: ReadonlySet<string>; readonly allowsMissing: boolean },
  ): void {
    const attempt = (action: () => void) => {
      try {
        action();
      } catch (error) {
        if (allowsMissing && error instanceof UndefinedFault) return;
        throw asDiagnostics("Invalid expression", error, expression.range);
      }
    };
    const { variables, functions } = referencesOf(expression);
    for (const name of functions) attempt(() => this.#resolveFunction(scope, name));
    for (const { name, steps } of variables) {
      if (except.has(name)) continue;
      if (name !== "target" && name !== "group") {
        attempt(() => this.#resolveValue(scope, name));
        continue;
      }
      const refuse = (detail: string) => {
        throw hclFault("Invalid expression", detail, expression.range);
      };
      const [first, second] = steps;
      if (this.#blocks.size === 0) continue;
      if (!first) refuse(`cannot access ${name} as a variable`);
      else if (first.kind !== "attribute") refuse(`cannot traverse ${name} without attribute`);
      else {
        const wanted = second?.kind === "attribute" ? second.name : undefined;
        for (const block of this.#blocks.get(`${name}.${first.name}`) ?? []) {
          attempt(() => this.#resolveBlock(block, wanted));
        }
      }
    }
  }

  #resolveFunction(scope: Scope, name: string): void {
    if (this.#root.functions.has(name) || scope.functions.has(name)) return;
    const found = this.#functions.get(name);
    if (!found) throw new UndefinedFault(`function ${JSON.stringify(name)} does not exist`);
    if (this.#startedFunctions.has(name)) {
      throw new Fault("invalid", `function cycle not allowed for ${name}`);
    }
    this.#startedFunctions.add(name);
    const { params, rest, result } = found;
    if (!result) throw new Fault("invalid", `empty result not allowed for ${name}`);
    if (!params) throw new Fault("invalid", `empty params not allowed for ${name}`);
    const made = userFunction({ params, rest, result }, this.#root);
    this.#load(this.#root, result.expression, { except: made.names, allowsMissing: false });
    this.#root.functions.set(name, made.function);
  }

  #resolveValue(scope: Scope, name: string): void {
    if (this.#root.variables.has(name) || scope.variables.has(name)) return;
    const started = this.#started.get(scope) ?? new Set();
    this.#started.set(scope, started);
    if (started.has(name)) throw new Fault("invalid", `variable cycle not allowed for ${name}`);
    started.add(name);
    this.#root.variables.set(name, this.#computeValue(scope, name));
  }

  #computeValue(scope: Scope, name: string): Value {
    const attribute = this.#attributes.get(name);
    const builtin = this.#input.builtins.get(name);
    if (!attribute && builtin !== undefined) return textValue(builtin);
    const variable = this.#variables.get(name);
    if (!attribute && !variable) {
      throw new UndefinedFault(`variable ${JSON.stringify(name)} does not exist`);
    }
    const initial = attribute ?? variable?.initial;
    const within = attribute ? scope : this.#root;
    const type: Type | undefined = variable?.type && parseType(variable.type.expression);
    if (!initial)
      return variableValue({ name, type, initial: undefined }, (each) => this.#input.lookUp(each));
    this.#load(within, initial.expression, { allowsMissing: true });
    const value = evaluate(initial.expression, within);
    if (!variable) return value;
    return variableValue({ name, type, initial: value }, (each) => this.#input.lookUp(each));
  }

  #namesOf(block: Block): readonly string[] {
    const known = this.#names.get(block);
    if (known) return known;
    const [label = ""] = block.labels;
    const instances = this.#instancesOf(block);
    checkTargetName(label);
    const names = instances.map(({ scope, made }) => {
      const name = this.#nameOf(block, scope, label);
      checkTargetName(name);
      made.name = name;
      return name;
    });
    const again = names.find((name, at) => names.indexOf(name) !== at);
    if (again !== undefined) throw new Fault("invalid", `duplicate name ${JSON.stringify(again)}`);
    this.#names.set(block, names);
    return names;
  }

  #argument(block: Block, name: string): Attribute | undefined {
    return block.body
      .partialContent({ attributes: [{ name }], blocks: [] }, [])
      .attributes.get(name);
  }

  #nameOf(block: Block, scope: Scope, label: string): string {
    const [name, matrix] = [this.#argument(block, "name"), this.#argument(block, "matrix")];
    if (block.type === "group") {
      if (name) throw new Fault("invalid", "name is not supported for groups");
      return label;
    }
    if (!name) return label;
    if (!matrix) throw new Fault("invalid", "name requires matrix");
    this.#load(scope, name.expression, { allowsMissing: true });
    return textOf(convert(evaluate(name.expression, scope), stringType));
  }

  #instancesOf(block: Block): Instance[] {
    const known = this.#instances.get(block);
    if (known) return known;
    const instances = this.#scopesOf(block).map((scope): Instance => {
      const [name = ""] = block.labels;
      const made = block.type === "group" ? { name, targets: [] } : { name };
      return { scope, made, done: new Set(), started: new Set() };
    });
    this.#count += instances.length;
    if (this.#count > maxTargets) {
      throw new Fault("exhausted", `the definition has more than ${maxTargets} targets`);
    }
    this.#instances.set(block, instances);
    return instances;
  }

  /** One scope for each combination of a matrix's values. */
  #scopesOf(block: Block): Scope[] {
    const matrix = this.#argument(block, "matrix");
    if (!matrix) return [this.#root];
    if (block.type === "group") throw new Fault("invalid", "matrix is not supported for groups");
    this.#load(this.#root, matrix.expression, { allowsMissing: true });
    const value = evaluate(matrix.expression, this.#root);
    if (value.type.kind !== "map" && value.type.kind !== "object") {
      throw new Fault("invalid", "matrix must be a map");
    }
    let combinations: Map<string, Value>[] = [new Map()];
    for (const [name, axis] of entriesOf(value)) {
      if (!/^(?:tuple|list|set|map|object)$/.test(axis.type.kind) || axis.content === null) {
        throw new Fault("invalid", "matrix values must be a list");
      }
      const items = elementsOf(axis);
      if (combinations.length * items.length > maxTargets) {
        throw new Fault("exhausted", `the matrix has more than ${maxTargets} targets`);
      }
      combinations = items.flatMap((item) =>
        combinations.map((each) => new Map([...each, [name, item]])),
      );
    }
    return combinations.map((variables) => childScope(this.#root, variables));
  }

  /** Evaluates the arguments of a block, or one of them, where that is not done yet. */
  #resolveBlock(block: Block, only?: string): void {
    const type = block.type as BlockType;
    if (!this.#root.variables.has(type))
      this.#root.variables.set(type, mapValue(new Map(), stringType));
    const names = this.#names.get(block);
    for (const [at, instance] of this.#instancesOf(block).entries()) {
      const name = names?.[at] ?? block.labels[0] ?? "";
      if (only !== undefined) {
        if (instance.done.has(only)) continue;
        if (instance.started.has(only)) {
          throw new Fault("invalid", `reference cycle not allowed for ${type}.${name}.${only}`);
        }
        instance.started.add(only);
      }
      this.#resolveInstance(block, type, instance, only);
      const shown =
        type === "group"
          ? groupValue(instance.made as Group)
          : targetValue(instance.made as Target);
      const before = this.#root.variables.get(type);
      this.#root.variables.set(
        type,
        objectValue(new Map([...(before ? entriesOf(before) : []), [name, shown]])),
      );
    }
  }

  #resolveInstance(
    block: Block,
    type: BlockType,
    { scope, made, done }: Instance,
    only: string | undefined,
  ): void {
    const names = Object.keys(type === "group" ? groupFields : targetFields);
    const wanted = names.filter((name) => !done.has(name) && (only === undefined || only === name));
    const attributes = wanted.map((name) => ({
      name,
      isRequired: type === "group" && name === "targets",
    }));
    const diagnostics: Diagnostic[] = [];
    const content = block.body.partialContent({ attributes, blocks: [] }, diagnostics);
    if (diagnostics.length > 0) throw new HclFault(diagnostics);
    for (const { expression } of content.attributes.values())
      this.#load(scope, expression, { allowsMissing: true });
    for (const [name, { expression }] of content.attributes) {
      const [property, kind] =
        type === "group" ? [name, groupFields[name] ?? "text"] : (targetFields[name] ?? []);
      if (property === undefined || kind === undefined) continue;
      const value = fieldValue(kind, expression, scope, diagnostics);
      if (value !== undefined) Object.assign(made, { [property]: value });
    }
    if (diagnostics.length > 0) throw new HclFault(diagnostics);
    for (const name of only === undefined ? content.attributes.keys() : [only]) done.add(name);
  }
}

const variableSchema: BodySchema = {
  attributes: [{ name: "default" }, { name: "type" }, { name: "description" }],
  blocks: [{ type: "validation", labels: [] }],
};

function readVariable(block: Block, diagnostics: Diagnostic[]): Variable {
  const { attributes, blocks } = block.body.partialContent(variableSchema, diagnostics);
  const description = attributes.get("description");
  const schema = { attributes: [{ name: "condition" }, { name: "error_message" }], blocks: [] };
  return {
    name: block.labels[0] ?? "",
    range: block.body.missingRange,
    initial: attributes.get("default"),
    type: attributes.get("type"),
    description: description && constantText(description.expression, diagnostics),
    validations: blocks.map(({ body }) => {
      const content = body.content(schema, diagnostics).attributes;
      return {
        condition: content.get("condition")?.expression,
        message: content.get("error_message")?.expression,
      };
    }),
  };
}

function constantText(expression: Expression, diagnostics: Diagnostic[]): string | undefined {
  try {
    const value = convert(evaluate(expression, undefined), stringType);
    return value.content === null ? undefined : textOf(value);
  } catch (error) {
    diagnostics.push(
      ...asDiagnostics("Unsuitable value type", error, expression.range).diagnostics,
    );
    return undefined;
  }
}

const functionSchema: BodySchema = {
  attributes: [{ name: "params" }, { name: "variadic_params" }, { name: "result" }],
  blocks: [],
};

function readFunction(block: Block, diagnostics: Diagnostic[]): UserFunction {
  const { attributes } = block.body.content(functionSchema, diagnostics);
  return {
    block,
    params: attributes.get("params"),
    rest: attributes.get("variadic_params"),
    result: attributes.get("result"),
  };
}
