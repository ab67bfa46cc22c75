import { attestText, parseAttest, parseCache, type Target } from "#bake";
import { Fault } from "#base";
import {
  composeLabel,
  composeVersion,
  imageOf,
  itemsAt,
  mappingAt,
  numberAt,
  type Project,
  textAt,
  textsAt,
} from "#compose";
import { isMapping, type Mapping } from "#yaml";

/** What the flags of a build say for all services. */
export interface BuildWishes {
  readonly args: readonly string[];
  readonly noCache: boolean;
  readonly pull: boolean;
  readonly push: boolean;
  readonly call: string | undefined;
  readonly ssh: readonly string[];
  readonly provenance: string | undefined;
  readonly sbom: string | undefined;
}

/** The project whose services are built, and the variables that its files may use. */
interface BuildSource {
  readonly project: Project;
  readonly environment: ReadonlyMap<string, string>;
}

/** The builds of services, and of those whose images are their contexts, as targets of bake. */
export function buildTargets(
  from: BuildSource,
  names: readonly string[],
  wishes: BuildWishes,
): Map<string, Target> {
  const { project } = from;
  const targets = new Map<string, Target>();
  const add = (name: string, isLinked: boolean) => {
    if (targets.has(name)) return;
    const service = project.services.get(name) ?? project.disabled.get(name);
    const build = service?.get("build");
    if (service === undefined || !isMapping(build)) {
      throw new Fault("invalid", `service ${JSON.stringify(name)} is not built from a context`);
    }
    const target = targetOf(from, { name, service, build }, wishes);
    targets.set(name, isLinked ? { ...target, isLinked } : target);
    for (const source of target.contexts?.values() ?? []) {
      if (source.startsWith("target:")) add(source.slice("target:".length), true);
    }
  };
  for (const name of names) add(name, false);
  return targets;
}

interface Built {
  readonly name: string;
  readonly service: Mapping;
  readonly build: Mapping;
}

function targetOf(
  { project, environment }: BuildSource,
  built: Built,
  wishes: BuildWishes,
): Target {
  const { name, service, build } = built;
  refuseKeys(built);
  const contexts = [...mappingAt(build, "additional_contexts")].map(([key, value]) => {
    return [key, String(value).replace(/^service:/, "target:")] as const;
  });
  const shmSize = numberAt(build, "shm_size");
  const own = (key: string) => textAt(build, key) || undefined;
  const inline = own("dockerfile_inline");
  const optional: Partial<Target> = {
    ...pair("dockerfile", inline === undefined ? own("dockerfile") : undefined),
    ...pair("dockerfileInline", inline),
    ...pair("target", own("target")),
    ...pair("network", own("network")),
    ...pair("call", wishes.call),
    ...pair("shmSize", shmSize > 0 ? String(shmSize) : undefined),
  };
  return {
    name,
    context: textAt(build, "context") || ".",
    contexts: new Map(contexts),
    ...optional,
    args: argsOf(build, wishes.args, environment),
    labels: new Map([
      ...texts(build, "labels"),
      [composeLabel("project"), project.name],
      [composeLabel("service"), name],
      [composeLabel("version"), composeVersion],
    ]),
    tags: [...(textsAt(build, "tags") ?? []), imageOf(project, name, service)],
    cacheFrom: (textsAt(build, "cache_from") ?? []).flatMap(parseCache),
    cacheTo: (textsAt(build, "cache_to") ?? []).flatMap(parseCache),
    secrets: itemsAt(build, "secrets").map((secret) => secretOf(project, secret)),
    ssh: sshOf(build, wishes.ssh),
    platforms: platformsOf(service, build, wishes.push),
    ulimits: [...mappingAt(build, "ulimits")].map(([key, limit]) => `${key}=${limitText(limit)}`),
    extraHosts: new Map(
      [...mappingAt(build, "extra_hosts")].map(([host, addresses]) => [host, String(addresses)]),
    ),
    entitlements: [
      ...(textsAt(build, "entitlements") ?? []),
      ...(build.get("privileged") === true ? ["security.insecure"] : []),
    ],
    attest: attestOf(build, wishes),
    pull: wishes.pull || build.get("pull") === true,
    noCache: wishes.noCache || build.get("no_cache") === true,
    outputs: [{ type: wishes.push ? "registry" : "docker", options: new Map(), destination: "" }],
  };
}

const pair = <K extends keyof Target>(key: K, value: Target[K] | undefined) =>
  value === undefined ? {} : { [key]: value };

function texts(part: Mapping, key: string): [string, string | null][] {
  return [...mappingAt(part, key)].map(([name, value]) => [
    name,
    value === null ? null : String(value),
  ]);
}

function refuseKeys({ name, build }: Built): void {
  const isolation = textAt(build, "isolation");
  if (isolation === "" || isolation === "default") return;
  const problem = `service ${JSON.stringify(name)} is built with isolation "${isolation}"`;
  throw new Fault("unsupported", `${problem}, which Linux does not have`);
}

/** An argument without a value has that of the environment; without one there, it is not set. */
function argsOf(
  build: Mapping,
  args: readonly string[],
  environment: ReadonlyMap<string, string>,
): Map<string, string> {
  const given = args.map((text): [string, string | null] => {
    const equals = text.indexOf("=");
    return equals < 0 ? [text, null] : [text.slice(0, equals), text.slice(equals + 1)];
  });
  const found = new Map<string, string>();
  for (const [name, value] of [...texts(build, "args"), ...given]) {
    const known = value ?? environment.get(name);
    if (known !== undefined) found.set(name, known);
  }
  return found;
}

function secretOf(project: Project, secret: Mapping) {
  const source = textAt(secret, "source");
  const definition = project.secrets.get(source) ?? new Map();
  return {
    id: textAt(secret, "target") || source,
    path: textAt(definition, "file"),
    variable: textAt(definition, "environment"),
  };
}

function sshOf(build: Mapping, given: readonly string[]): { id: string; paths: string[] }[] {
  const own = texts(build, "ssh").map(([id, path]) => ({ id, path: path ?? "" }));
  const asked = given.map((text) => {
    const [id = "", path = ""] = text.split("=", 2);
    return { id, path };
  });
  return [...own, ...asked].map(({ id, path }) => ({ id, paths: path === "" ? [] : [path] }));
}

/** An image for the engine has one platform, that of the service where it is among those of the build. */
function platformsOf(service: Mapping, build: Mapping, isPushed: boolean): string[] {
  const own = [...(textsAt(build, "platforms") ?? [])];
  const platform = textAt(service, "platform");
  if (platform === "") return own;
  if (own.length > 0 && !own.includes(platform)) {
    const problem = `service.build.platforms MUST include service.platform ${JSON.stringify(platform)}`;
    throw new Fault("invalid", problem);
  }
  return isPushed && own.length > 0 ? own : [platform];
}

function limitText(limit: unknown): string {
  if (!isMapping(limit)) return String(limit);
  const single = numberAt(limit, "single");
  return single > 0 ? String(single) : `${numberAt(limit, "soft")}:${numberAt(limit, "hard")}`;
}

function attestOf(build: Mapping, wishes: BuildWishes) {
  return (["provenance", "sbom"] as const).flatMap((type) => {
    const text = wishes[type] ?? textAt(build, type);
    return text === "" ? [] : [parseAttest(attestText(type, text))];
  });
}
