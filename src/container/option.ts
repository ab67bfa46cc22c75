import { z } from "zod";
import type {
  Machine,
  OciDevice,
  OciDeviceRule,
  OciMount,
  OciResources,
  SpecOptions,
} from "#runtime";
import type { Owners } from "./id-mapping.ts";

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** The OCI configuration in the making, which the options change one after another. */
export type SpecDraft = Omit<Mutable<SpecOptions>, "resources"> & {
  namespaces: Mutable<NonNullable<SpecOptions["namespaces"]>>;
  resources: {
    readonly memory: Mutable<NonNullable<OciResources["memory"]>>;
    readonly cpu: Mutable<NonNullable<OciResources["cpu"]>>;
    readonly blockIO: Mutable<NonNullable<OciResources["blockIO"]>>;
    pids?: NonNullable<OciResources["pids"]>;
  };
  mounts: OciMount[];
  devices: OciDevice[];
  deviceRules: OciDeviceRule[];
};

/** The facts of one run beyond the options: looked up or made for each start. */
export interface Run {
  readonly argv: readonly string[];
  readonly user: {
    readonly uid: number;
    readonly gid: number;
    readonly additionalGids: readonly number[];
    readonly home: string;
  };
  /** The name that the container has, its own or another's. */
  readonly hostname: string;
  /** /dev/shm of the container or the host whose ipc namespace is shared. */
  readonly shmSource?: string;
  /** Volumes, and mounts of other containers. */
  readonly volumes?: readonly OciMount[];
  /** Of binds whose owners are mapped, by target. */
  readonly owners?: ReadonlyMap<string, Owners>;
  /** Paths of the namespaces that are entered in place of new ones. */
  readonly joined: { readonly network: string; readonly pid: string; readonly ipc: string };
  readonly machine: Machine;
}

/**
 * One field of Docker's Config or HostConfig, with all that this program knows of it.
 * A field that cannot be honoured is an entry too: see `unsupported`.
 */
export interface Option<Sent, Value> {
  /** The form on the wire. `null` and absence mean the same for every field. */
  readonly shape: z.ZodType<Sent>;
  /**
   * The value that counts: what was sent, in the engine's form, or else the default. May throw
   * `invalid`.
   */
  readonly value: (sent: Sent | undefined) => Value;
  /** Why a value cannot be honoured here, in words that name the field; undefined when it can. */
  readonly refusal: (sent: Sent) => readonly string[];
  /** Throws `invalid`, in Docker's words, for a value that is wrong by itself. */
  readonly check: (value: Value) => void;
  /**
   * The effect on the OCI configuration. "engine": the engine acts on it; "shown": it is stored and
   * shown by inspect, as in Docker; "none": a refused field has no effect.
   */
  readonly effect:
    | ((draft: SpecDraft, value: Value, run: Run) => void)
    | "engine"
    | "shown"
    | "none";
  /** The form in inspect. */
  readonly inspect: (value: Value, sent: Sent | undefined) => unknown;
}

type Parts<Sent, Value> = Pick<Option<Sent, Value>, "shape" | "value" | "effect"> &
  Partial<Option<Sent, Value>>;

/** An option by its parts; inspect shows the value that counts unless told otherwise. */
export function option<Sent, Value>(parts: Parts<Sent, Value>): Option<Sent, Value> {
  return { refusal: () => [], check: () => undefined, inspect: (value) => value, ...parts };
}

interface Simple<T> {
  readonly default: T;
  readonly effect: Option<T, T>["effect"];
  readonly check?: (value: T) => void;
  readonly inspect?: (value: T) => unknown;
}

const simple =
  <T>(shape: z.ZodType<T>) =>
  ({ default: fallback, ...rest }: Simple<T>): Option<T, T> =>
    option<T, T>({ shape, value: (sent) => sent ?? fallback, ...rest });

/** Items of lists that people write, and of those that programs fill. */
const fewItems = 1024;
const manyItems = 65_536;

export const shapes = {
  text: z.string(),
  flag: z.boolean(),
  whole: z.int(),
  /** Of Go's unsigned types. */
  unsigned: z.int().min(0),
  number: z.number(),
  texts: z.array(z.string()).max(fewItems),
  longTexts: z.array(z.string()).max(manyItems),
  textMap: z.record(z.string(), z.string()),
  /** A set, as Go writes it: `{"80/tcp": {}}`. */
  keySet: z.record(z.string(), z.unknown()),
  /** One string or a list of them. */
  argv: z.union([z.string(), z.array(z.string()).max(manyItems)]),
  list: <T extends z.ZodType>(item: T) => z.array(item).max(fewItems),
  record: <T extends z.ZodType>(item: T) => z.record(z.string(), item),
  /** A JSON object; each of its fields may be missing or null. */
  object: <T extends z.ZodRawShape>(fields: T) =>
    z.object(
      Object.fromEntries(
        Object.entries(fields).map(([name, shape]) => [name, (shape as z.ZodType).nullish()]),
      ) as unknown as { [K in keyof T]: z.ZodOptional<z.ZodNullable<T[K]>> },
    ),
} as const;

export const text = simple<string>(shapes.text);
export const flag = simple<boolean>(shapes.flag);
export const whole = simple<number>(shapes.whole);
export const texts = simple<readonly string[]>(shapes.texts);
export const textMap = simple<Readonly<Record<string, string>>>(shapes.textMap);

/** A value that asks for nothing: Go's zero values, and empty ones. */
export function isZero(value: unknown): boolean {
  if (value === undefined || value === null) return true;
  if (value === "" || value === 0 || value === false) return true;
  return typeof value === "object" && Object.keys(value).length === 0;
}

/**
 * A field of Docker's that is refused unless it asks for nothing. `zero` is what inspect
 * shows; `isAllowed` names further values that ask for nothing.
 */
export function unsupported<Sent>(
  what: string,
  parts: {
    readonly shape: z.ZodType<Sent>;
    readonly zero: unknown;
    readonly isAllowed?: (sent: Sent) => boolean;
  },
): Option<Sent, undefined> {
  const { shape, zero, isAllowed = isZero } = parts;
  return option<Sent, undefined>({
    shape,
    value: () => undefined,
    refusal: (sent) => (isZero(sent) || isAllowed(sent) ? [] : [what]),
    effect: "none",
    inspect: () => zero,
  });
}

/** A table of options, of whatever types. */
export type Options = Readonly<
  Record<
    string,
    Omit<Option<never, never>, "shape" | "value"> & {
      readonly shape: z.ZodType;
      readonly value: (sent: never) => unknown;
    }
  >
>;

/** The values that count, by field. */
export type ValuesOf<T> = {
  readonly [K in keyof T]: T[K] extends { readonly value: (sent: never) => infer V } ? V : never;
};

/** The body that a client may send, by field. */
export type SentOf<T> = {
  readonly [K in keyof T]?:
    | (T[K] extends { readonly shape: z.ZodType<infer S> } ? S : never)
    | null
    | undefined;
};
