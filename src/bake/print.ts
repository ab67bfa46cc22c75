import { jsonText } from "#hcl";
import type { ResolvedTargets } from "./resolve-targets.ts";
import type { Group, Target, Texts } from "./target.ts";

type Json = string | boolean | null | readonly Json[] | ReadonlyMap<string, Json | undefined>;

/** The definition that `--print` shows: in JSON, byte for byte as buildx writes it, with a line break. */
export function printTargets({ groups, targets }: ResolvedTargets): string {
  const shown = new Map<string, Json | undefined>([
    ["group", groups.size === 0 ? undefined : sorted(groups, shownGroup)],
    ["target", sorted(targets, shownTarget)],
  ]);
  return `${jsonDocument(shown)}\n`;
}

function sorted<T>(items: ReadonlyMap<string, T>, show: (item: T) => Json): Map<string, Json> {
  return new Map(
    [...items].sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, item]) => [name, show(item)]),
  );
}

/** Go's json.MarshalIndent with two blanks: what is undefined is left out. */
export function jsonDocument(value: Json, indent = ""): string {
  if (typeof value === "string") return jsonText(value);
  if (typeof value === "boolean" || value === null) return String(value);
  const within = `${indent}  `;
  const isList = Array.isArray(value);
  const lines = isList
    ? (value as readonly Json[]).map((item) => within + jsonDocument(item, within))
    : [...(value as ReadonlyMap<string, Json | undefined>)].flatMap(([key, item]) =>
        item === undefined ? [] : [`${within}${jsonText(key)}: ${jsonDocument(item, within)}`],
      );
  const [open, close] = isList ? ["[", "]"] : ["{", "}"];
  return lines.length === 0 ? open + close : `${open}\n${lines.join(",\n")}\n${indent}${close}`;
}

function shownGroup({ description, targets, isUnset }: Group): Json {
  return new Map<string, Json | undefined>([
    ["description", present(description)],
    ["targets", isUnset ? null : targets],
  ]);
}

function present(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

/** The signs that begin a template in HCL, doubled, so that the output can be read again. */
function escaped(text: string): string {
  return text.replace(/[$%]\{/g, (sign) => sign.slice(0, 1) + sign);
}

function list<T>(items: readonly T[] | undefined, show: (item: T) => Json): Json | undefined {
  return items === undefined || items.length === 0 ? undefined : items.map(show);
}

function same(text: string): Json {
  return text;
}

function texts(map: Texts | undefined): Json | undefined {
  const known = [...(map ?? [])].flatMap(([key, text]): [string, string][] =>
    text === null ? [] : [[key, escaped(text)]],
  );
  return known.length === 0 ? undefined : sorted(new Map(known), same);
}

function options(
  given: ReadonlyMap<string, string>,
  more: Readonly<Record<string, Json | undefined>>,
): Json {
  const known = Object.entries(more).filter(
    (entry): entry is [string, Json] => entry[1] !== undefined,
  );
  return sorted(new Map<string, Json>([...given, ...known]), (item) => item);
}

function shownTarget(target: Target): Json {
  return new Map<string, Json | undefined>([
    ["description", present(target.description)],
    ["annotations", list(target.annotations, escaped)],
    [
      "attest",
      list(target.attest, ({ type, options: given, isDisabled }) =>
        options(given, { type, disabled: isDisabled ? true : undefined }),
      ),
    ],
    ["context", target.context],
    ["contexts", target.contexts?.size ? sorted(target.contexts, same) : undefined],
    ["dockerfile", target.dockerfile],
    [
      "dockerfile-inline",
      target.dockerfileInline === undefined ? undefined : escaped(target.dockerfileInline),
    ],
    ["args", texts(target.args)],
    ["labels", texts(target.labels)],
    ["tags", list(target.tags, same)],
    ["cache-from", list(target.cacheFrom, ({ type, options: given }) => options(given, { type }))],
    ["cache-to", list(target.cacheTo, ({ type, options: given }) => options(given, { type }))],
    ["target", target.target],
    [
      "secret",
      list(
        target.secrets,
        ({ id, path, variable }) =>
          new Map([
            ["id", present(id)],
            ["src", present(path)],
            ["env", present(variable)],
          ]),
      ),
    ],
    [
      "ssh",
      list(
        target.ssh,
        ({ id, paths }) =>
          new Map<string, Json | undefined>([
            ["id", present(id)],
            ["paths", list(paths, same)],
          ]),
      ),
    ],
    ["platforms", list(target.platforms, same)],
    [
      "output",
      list(target.outputs, ({ type, options: given, destination }) =>
        options(given, { type, dest: present(destination) }),
      ),
    ],
    ["pull", target.pull],
    ["no-cache", target.noCache],
    ["network", target.network],
    ["no-cache-filter", list(target.noCacheFilter, same)],
    ["shm-size", target.shmSize],
    ["ulimits", list(target.ulimits, same)],
    ["call", target.call],
    ["entitlements", list(target.entitlements, same)],
    ["extra-hosts", texts(target.extraHosts)],
  ]);
}
