import { Fault, parseBytes } from "#base";
import type { MountBody } from "#container";
import { csvFields } from "./csv-fields.ts";
import { absolute } from "./local-file.ts";

export interface Volumes {
  /** "source:target[:options]". */
  readonly binds: readonly string[];
  /** Targets of anonymous volumes. */
  readonly anonymous: readonly string[];
}

/** `-v`: a target alone is an anonymous volume; a source that begins with "." is relative to where we are. */
export function parseVolumes(words: readonly string[]): Volumes {
  const binds: string[] = [];
  const anonymous: string[] = [];
  for (const word of words) {
    const parts = word.split(":");
    if (word === "" || (parts.length > 1 && !parts[1])) {
      throw new Fault("invalid", `invalid spec: ${word}: write SOURCE:TARGET[:OPTIONS]`, {
        about: word,
      });
    }
    const [source = "", ...rest] = parts;
    if (rest.length === 0) anonymous.push(word);
    else if (source === "")
      throw new Fault("invalid", `invalid spec: ${word}: empty section between colons`);
    else binds.push([absolute(source), ...rest].join(":"));
  }
  return { binds, anonymous };
}

/** `--tmpfs TARGET[:OPTIONS]`. */
export function parseTmpfs(words: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    words.map((word) => {
      const colon = word.indexOf(":");
      return colon < 0 ? [word, ""] : [word.slice(0, colon), word.slice(colon + 1)];
    }),
  );
}

/** `--mount type=bind,source=...,target=...[,readonly]` as the API takes it. */
export function parseMount(word: string): MountBody {
  const mount: Mutable<MountBody> = { Type: "volume" };
  for (const field of csvFields(word)) {
    const equals = field.indexOf("=");
    const key = (equals < 0 ? field : field.slice(0, equals)).trim().toLowerCase();
    const value = equals < 0 ? undefined : field.slice(equals + 1);
    setMountField(mount, { word, key, value });
  }
  if (!mount.Type) throw invalidMount(word, "type is required");
  if (!mount.Target) throw invalidMount(word, "target is required");
  for (const [type, field] of optionFields)
    if (mount[field] && mount.Type !== type)
      throw invalidMount(word, `cannot mix '${type}-*' options with mount type '${mount.Type}'`);
  return mount;
}

const optionFields = [
  ["volume", "VolumeOptions"],
  ["image", "ImageOptions"],
  ["bind", "BindOptions"],
  ["tmpfs", "TmpfsOptions"],
] as const;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

interface MountField {
  readonly word: string;
  readonly key: string;
  /** Absent: the key stood alone. */
  readonly value: string | undefined;
}

function setMountField(mount: Mutable<MountBody>, field: MountField): void {
  const { word, key, value } = field;
  if (value === undefined && !switches.has(key)) {
    throw invalidMount(word, `invalid field '${key}' must be a key=value pair`);
  }
  const text = value ?? "";
  const on = () => {
    if (/^(|1|t|true)$/i.test(text)) return true;
    if (/^(0|f|false)$/i.test(text)) return false;
    throw invalidMount(word, `invalid value for ${key}: ${text}`);
  };
  const bind = (options: MountBody["BindOptions"]) => {
    mount.BindOptions = { ...mount.BindOptions, ...options };
  };
  if (key === "type") mount.Type = text.toLowerCase();
  else if (key === "source" || key === "src") mount.Source = absolute(text);
  else if (key === "target" || key === "dst" || key === "destination") mount.Target = text;
  else if (key === "readonly" || key === "ro") mount.ReadOnly = on();
  else if (key === "consistency") mount.Consistency = text.toLowerCase();
  else if (key === "bind-propagation") bind({ Propagation: text.toLowerCase() });
  else if (key === "bind-nonrecursive") bind({ NonRecursive: on() });
  else if (key === "bind-recursive") bind(recursion(word, text));
  else if (key === "bind-idmap") bind({ IDMapping: idMapping(text) });
  else if (key === "tmpfs-size") {
    const SizeBytes = parseBytes(text);
    if (SizeBytes === undefined) throw invalidMount(word, `invalid value for ${key}: ${text}`);
    mount.TmpfsOptions = { ...mount.TmpfsOptions, SizeBytes };
  } else if (key === "tmpfs-mode") {
    if (!/^[0-7]{1,5}$/.test(text)) throw invalidMount(word, `invalid value for ${key}: ${text}`);
    mount.TmpfsOptions = { ...mount.TmpfsOptions, Mode: Number.parseInt(text, 8) };
  } else if (key === "image-subpath") {
    mount.ImageOptions = { ...mount.ImageOptions, Subpath: text };
  } else if (key === "volume-nocopy") {
    mount.VolumeOptions = { ...volumeOptions(mount), NoCopy: on() };
  } else if (Object.hasOwn(volumeFields, key)) {
    mount.VolumeOptions = volumeFields[key]?.(volumeOptions(mount), text) ?? {};
  } else throw invalidMount(word, `unexpected key '${key}' in '${key}=${text}'`);
}

type VolumeOptions = NonNullable<MountBody["VolumeOptions"]>;

/** As docker's CLI sends them: with a driver, which may be nothing. */
function volumeOptions({ VolumeOptions }: MountBody): VolumeOptions {
  return VolumeOptions ?? { DriverConfig: {} };
}

const volumeFields: Readonly<
  Record<string, (options: VolumeOptions, text: string) => VolumeOptions>
> = {
  "volume-subpath": (options, Subpath) => ({ ...options, Subpath }),
  "volume-label": (options, text) => ({ ...options, Labels: withPair(options.Labels, text) }),
  "volume-driver": (options, Name) => ({
    ...options,
    DriverConfig: { ...options.DriverConfig, Name },
  }),
  "volume-opt": (options, text) => ({
    ...options,
    DriverConfig: {
      ...options.DriverConfig,
      Options: withPair(options.DriverConfig?.Options, text),
    },
  }),
};

function withPair(map: Readonly<Record<string, string>> | null | undefined, text: string) {
  const equals = text.indexOf("=");
  const [key, value] = equals < 0 ? [text, ""] : [text.slice(0, equals), text.slice(equals + 1)];
  return { ...map, [key]: value };
}

const switches = new Set(["readonly", "ro", "bind-nonrecursive", "bind-idmap", "volume-nocopy"]);

/** "match-user[:USER]" or "userns", which the engine checks; alone it is the first. */
function idMapping(text: string) {
  const [, Source = "match-user", User] = /^([^:]+)(?::(.*))?$/.exec(text) ?? [];
  return { Source, ...(User && { User }) };
}

function recursion(word: string, mode: string): MountBody["BindOptions"] {
  if (mode === "enabled") return { NonRecursive: false };
  if (mode === "disabled") return { NonRecursive: true };
  if (mode === "writable") return { ReadOnlyNonRecursive: true };
  if (mode === "readonly") return { ReadOnlyForceRecursive: true };
  throw invalidMount(word, `invalid value for bind-recursive: ${mode}`);
}

function invalidMount(word: string, why: string): Fault {
  return new Fault("invalid", `invalid argument "${word}" for "--mount" flag: ${why}`, {
    about: word,
  });
}
