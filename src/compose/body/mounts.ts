import { posix } from "node:path";
import { Fault } from "#base";
import type { HostConfigBody } from "#container";
import { isMapping, type Mapping } from "#yaml";
import { itemsAt, mappingAt, numberAt, pairsAt, textAt, textsAt } from "../project/fields.ts";
import type { Project } from "../project/project.ts";

type Mount = NonNullable<NonNullable<HostConfigBody["Mounts"]>[number]>;

/** A volume without a name of a former container, which the next one keeps. */
export interface InheritedVolume {
  readonly name: string;
  readonly target: string;
  readonly isReadOnly: boolean;
}

interface Mounts {
  readonly binds: string[];
  readonly mounts: Mount[];
}

/** Volumes, binds, secrets and configs of a service; one that has no options beyond the old form takes that. */
export function mountsOf(
  project: Project,
  service: Mapping,
  inherited: readonly InheritedVolume[],
): Mounts {
  const binds: string[] = [];
  const byTarget = new Map<string, Mount>();
  for (const { name, target, isReadOnly } of inherited) {
    byTarget.set(target, { Type: "volume", Source: name, Target: target, ReadOnly: isReadOnly });
  }
  for (const volume of itemsAt(service, "volumes")) {
    const target = textAt(volume, "target");
    const source = sourceOf(project, volume);
    if (source === "" && byTarget.has(target)) continue;
    byTarget.delete(target);
    if (fitsBind(volume, source)) binds.push(bindText(volume, source));
    else byTarget.set(target, mountOf(volume, source));
  }
  const taken = new Set(itemsAt(service, "volumes").map((volume) => textAt(volume, "target")));
  for (const mount of fileMounts(project, service)) {
    const target = mount.Target ?? "";
    if (!byTarget.has(target) && !taken.has(target)) byTarget.set(target, mount);
  }
  return { binds, mounts: [...byTarget.values()] };
}

function sourceOf(project: Project, volume: Mapping): string {
  const source = textAt(volume, "source");
  if (textAt(volume, "type") !== "volume" || source === "") return source;
  const declared = project.volumes.get(source);
  return declared === undefined ? source : textAt(declared, "name");
}

function fitsBind(volume: Mapping, source: string): boolean {
  const type = textAt(volume, "type");
  if (type === "bind") {
    const bind = volume.get("bind");
    if (!isMapping(bind)) return true;
    return (
      bind.get("create_host_path") !== false &&
      textAt(bind, "propagation") === "" &&
      textAt(bind, "recursive") === ""
    );
  }
  const options = mappingAt(volume, "volume");
  const isPlain =
    !options.has("labels") && !options.has("subpath") && options.get("nocopy") !== true;
  return type === "volume" && source !== "" && isPlain;
}

function bindText(volume: Mapping, source: string): string {
  const selinux = textAt(mappingAt(volume, "bind"), "selinux");
  const mode = volume.get("read_only") === true ? "ro" : "rw";
  const options = selinux === "" ? mode : `${mode},${selinux}`;
  return `${source}:${textAt(volume, "target")}:${options}`;
}

function mountOf(volume: Mapping, source: string): Mount {
  const type = textAt(volume, "type");
  const part = volume.get(type);
  return {
    Type: type,
    Source: source,
    Target: textAt(volume, "target"),
    ReadOnly: volume.get("read_only") === true,
    Consistency: textAt(volume, "consistency"),
    ...(isMapping(part) && optionsOf(type, part)),
  };
}

function optionsOf(type: string, part: Mapping): Mount {
  if (type === "bind") {
    const recursive = textAt(part, "recursive");
    return {
      BindOptions: {
        Propagation: textAt(part, "propagation"),
        CreateMountpoint: part.get("create_host_path") === true,
        NonRecursive: recursive === "disabled",
        ReadOnlyNonRecursive: recursive === "writable",
        ReadOnlyForceRecursive: recursive === "readonly",
      },
    };
  }
  if (type === "tmpfs") {
    return { TmpfsOptions: { SizeBytes: numberAt(part, "size"), Mode: numberAt(part, "mode") } };
  }
  if (type === "image") return { ImageOptions: { Subpath: textAt(part, "subpath") } };
  if (type !== "volume") return {};
  return {
    VolumeOptions: {
      NoCopy: part.get("nocopy") === true,
      Subpath: textAt(part, "subpath"),
      Labels: pairsAt(part, "labels"),
    },
  };
}

/** A secret or config that is copied into a container before it starts, since no mount has its bytes or its owner. */
export interface CopiedFile {
  readonly kind: "secret" | "config";
  readonly target: string;
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  /** Where the bytes come from: a file of this side, or themselves. */
  readonly from: { readonly file: string } | { readonly content: string };
}

const kinds = [
  ["secrets", "secret", "/run/secrets/"],
  ["configs", "config", "/"],
] as const;

interface FileReference {
  readonly kind: "secret" | "config";
  readonly target: string;
  readonly reference: Mapping;
  readonly object: Mapping;
}

function fileReferences(project: Project, service: Mapping): FileReference[] {
  return kinds.flatMap(([section, kind, directory]) =>
    itemsAt(service, section).map((reference) => {
      const object = project[section].get(textAt(reference, "source")) ?? new Map();
      const name = textAt(object, "name");
      if (object.get("external") === true) {
        throw new Fault("unsupported", `unsupported external ${kind} ${name}`);
      }
      for (const key of ["driver", "template_driver"]) {
        if (textAt(object, key) === "") continue;
        throw new Fault("unsupported", `${kind} "${name}" has "${key}", which needs a cluster`);
      }
      const target = posix.resolve(
        directory,
        textAt(reference, "target") || textAt(reference, "source"),
      );
      return { kind, target, reference, object };
    }),
  );
}

/** Whether a file is mounted as it is: nothing is said of its owner or mode. */
const isMounted = ({ reference, object }: FileReference) =>
  object.has("file") && !["uid", "gid", "mode"].some((key) => reference.has(key));

function fileMounts(project: Project, service: Mapping): Mount[] {
  return fileReferences(project, service)
    .filter(isMounted)
    .map(({ kind, target, object }) => ({
      Type: "bind",
      Source: textAt(object, "file"),
      Target: target,
      ReadOnly: true,
      ...(kind === "secret" && { BindOptions: {} }),
    }));
}

/**
 * The secrets and configs of a service that are copied into its containers.
 * @throws Fault where a variable is not set, or the container's files cannot be written
 */
export function copiedFiles(
  project: Project,
  service: Mapping,
  { name, environment }: { name: string; environment: ReadonlyMap<string, string> },
): CopiedFile[] {
  const copied = fileReferences(project, service).filter((one) => !isMounted(one));
  return copied.map(({ kind, target, reference, object }): CopiedFile => {
    const label = textAt(object, "name");
    if (service.get("read_only") === true) {
      const problem = `cannot create ${kind} "${label}" in read-only service ${name}`;
      throw new Fault("invalid", `${problem}: \`file\` is the sole supported option`);
    }
    const variable = textAt(object, "environment");
    const content = variable === "" ? textAt(object, "content") : environment.get(variable);
    if (content === undefined) {
      const problem = `environment variable "${variable}" required by ${kind} "${label}" is not set`;
      throw new Fault("invalid", problem);
    }
    const owner = (key: "uid" | "gid") => {
      const text = textAt(reference, key) || "0";
      if (/^\d{1,10}$/.test(text)) return Number(text);
      throw new Fault("invalid", `${kind} "${label}": ${key} "${text}" is not a number`);
    };
    return {
      ...{ kind, target, uid: owner("uid"), gid: owner("gid") },
      mode: reference.has("mode") ? numberAt(reference, "mode") : 0o444,
      from: object.has("file") ? { file: textAt(object, "file") } : { content },
    };
  });
}

/** Mounts of memory, by where they are. */
export function tmpfsOf(service: Mapping): Record<string, string> {
  return Object.fromEntries(
    (textsAt(service, "tmpfs") ?? []).map((word) => {
      const at = word.indexOf(":");
      return at < 0 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
    }),
  );
}
