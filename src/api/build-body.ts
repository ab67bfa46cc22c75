import { defined, Fault } from "#base";
import type { BuildContext, BuildRequest, GivenContext, ImageLayout } from "#engine";
import { parsePlatform, parseReference, type Reference, withDefaultTag } from "#image";
import type { Schemas } from "#wire";

/** The body of POST /thimble/v1/build, with the defaults of what it leaves out. */
export type ParsedBuild = ReturnType<Schemas["buildBodySchema"]["parse"]>;

type BodyOptions = Omit<BuildRequest, "dockerfile" | "context" | "contexts" | "report" | "signal">;

/** What a request says beside its files. */
export function bodyOptions(body: ParsedBuild): BodyOptions {
  const { network, epoch, secrets, noCache } = body;
  return {
    platforms: body.platforms.map((each) => parsePlatform(each)),
    buildArgs: new Map(Object.entries(body.buildArgs)),
    labels: new Map(Object.entries(body.labels)),
    noCache: typeof noCache === "boolean" ? noCache : new Set(noCache),
    pull: body.pull,
    extraHosts: body.extraHosts,
    allowed: new Set(body.allow),
    explains: body.explain,
    limits: limitsOf(body),
    secrets: {
      get: async (id) =>
        Object.hasOwn(secrets, id) ? Buffer.from(secrets[id] ?? "", "base64") : undefined,
    },
    ...defined({
      entry: body.entry,
      ignore: body.ignore,
      target: body.target || undefined,
      network: network || undefined,
      epoch: epoch === undefined ? undefined : BigInt(epoch) * 1_000_000_000n,
    }),
  };
}

function limitsOf(body: ParsedBuild): NonNullable<BuildRequest["limits"]> {
  const ulimits = body.ulimits.map(({ Name, Soft, Hard }) => ({
    name: Name,
    soft: Soft,
    hard: Hard,
  }));
  const { shmSize, memory, memorySwap, cpuShares, cpuPeriod, cpuQuota } = body;
  const { cpusetCpus, cpusetMems, cgroupParent } = body;
  return {
    ulimits,
    ...defined({ shmSize, memory, memorySwap, cpuShares, cpuPeriod, cpuQuota }),
    ...defined({ cpusetCpus, cpusetMems, cgroupParent }),
  };
}

/** The contexts that were given names; those that were sent by their ids, those that are fetched by their URLs. */
export async function namedContexts(
  { contexts }: Pick<ParsedBuild, "contexts">,
  from: {
    readonly sent: (id: string) => BuildContext;
    readonly fetched: (url: string) => Promise<BuildContext>;
    readonly layoutOf: (context: BuildContext) => ImageLayout;
  },
): Promise<ReadonlyMap<string, GivenContext>> {
  const named = new Map<string, GivenContext>();
  for (const [name, given] of Object.entries(contexts)) {
    if (typeof given === "string") {
      named.set(name, { kind: "directory", context: from.sent(given) });
    } else if ("image" in given) named.set(name, { kind: "image", reference: given.image });
    else if ("remote" in given) {
      named.set(name, { kind: "directory", context: await from.fetched(given.remote) });
    } else if ("layout" in given) {
      const layout = from.layoutOf(from.sent(given.layout));
      named.set(name, { kind: "layout", layout, reference: given.reference ?? "latest" });
    } else named.set(name, { kind: "target", target: given.target });
  }
  return named;
}

/** A name of an image; one with a digest cannot be given. */
export function tagOf(text: string): Reference {
  const reference = withDefaultTag(parseReference(text));
  if (reference.digest === undefined) return reference;
  throw new Fault("invalid", "build tag cannot contain a digest", { about: text });
}
