import { Fault, formatBytes, isFault, shortId } from "#base";
import {
  canonicalString,
  familiarName,
  familiarString,
  parseReference,
  withDefaultTag,
} from "#image";
import type { ContainerInspect } from "#wire";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { ipamConfig } from "../network-ipam.ts";
import { authFor } from "../registry-auth.ts";
import type { commitFlags, importFlags, loadFlags } from "../table/images.ts";
import type {
  networkConnectFlags,
  networkCreateFlags,
  networkDisconnectFlags,
} from "../table/networks.ts";
import type { pullFlags, pushFlags } from "../table/transfer.ts";
import type { volumeCreateFlags, volumeSnapshotFlags } from "../table/volumes.ts";
import { openArchive } from "./archive.ts";
import { referenceOf } from "./transfer.ts";

type NoFlags = Record<never, never>;

async function say({ out }: Context, line: string): Promise<number> {
  await out.write(`${line}\n`);
  return 0;
}

/** What is found; undefined when there is nothing of that name. */
async function unlessMissing<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if (isFault(error, "not_found")) return undefined;
    throw error;
  }
}

const nameOf = ({ Name }: Pick<ContainerInspect, "Name">) => Name.replace(/^\//, "");

export const rename: Verb<NoFlags> = async (context, { args }) => {
  const [from = "", to = ""] = args.map((arg) => arg.trim().replace(/^\//, ""));
  const { containers } = context.client;
  const container = await containers.inspect(from);
  const other = await unlessMissing(containers.inspect(to));
  if (other && nameOf(other) === to)
    throw new Fault("conflict", `container ${shortId(other.Id)} is named ${to} already`, {
      about: to,
    });
  return await say(context, `would rename container ${nameOf(container)} to ${to}`);
};

export const tag: Verb<NoFlags> = async (context, { args: [source = "", target = ""] }) => {
  const { Id } = await context.client.images.inspect(source);
  return await say(context, `would name image ${shortId(Id)} ${await naming(context, target, Id)}`);
};

/** The name with its tag, and which image would lose it. */
async function naming({ client }: Context, text: string, id?: string): Promise<string> {
  const name = familiarString(withDefaultTag(parseReference(text)));
  const owner = await unlessMissing(client.images.inspect(name));
  if (owner === undefined) return name;
  return owner.Id === id ? `${name}, as it is named` : `${name}, which is ${shortId(owner.Id)} now`;
}

export const commit: Verb<typeof commitFlags> = async (context, { flags, args }) => {
  const [ref = "", reference] = args;
  const container = await context.client.containers.inspect(ref, { size: true });
  const stop = flags.pause && container.State.Running ? "pause it, and " : "";
  const named = reference ? ` named ${await naming(context, reference)}` : " without a name";
  return await say(
    context,
    `would ${stop}make an image${named} of container ${nameOf(container)}, whose changes take ${formatBytes(container.SizeRw ?? 0)}`,
  );
};

export const importImage: Verb<typeof importFlags> = async (context, { args }) => {
  const [source = "", reference] = args;
  const named = reference ? ` named ${await naming(context, reference)}` : " without a name";
  return await say(context, `would make an image${named} of ${archiveAt(source)}`);
};

export const load: Verb<typeof loadFlags> = async (context, { flags: { input = "-" } }) =>
  await say(context, `would load the images in ${archiveAt(input)}`);

/** Where an archive is, and how large; throws when it cannot be read. */
function archiveAt(path: string): string {
  if (path === "-") return "the standard input";
  const { source, size } = openArchive(path);
  void source[Symbol.asyncIterator]().return?.();
  return size === undefined ? path : `${path} (${formatBytes(size)})`;
}

export const pull: Verb<typeof pullFlags> = async (context, { flags, args: [text = ""] }) => {
  const { images } = context.client;
  if (flags["all-tags"])
    throw new Fault("unsupported", "--dry-run does not list the tags of a registry: name one");
  const reference = await referenceOf(context, text, { all: false, quiet: flags.quiet });
  const name = familiarString(reference);
  const auth = await authFor(context, familiarName(reference));
  const { Descriptor } = await images.distribution(canonicalString(reference), { auth });
  const here = await unlessMissing(images.inspect(name));
  const digests = (here?.RepoDigests ?? []).map((each) => each.split("@")[1]);
  if (digests.includes(Descriptor.digest))
    return await say(
      context,
      `${name} is ${Descriptor.digest} here as well: nothing would be done`,
    );
  const instead = here ? ` in the place of ${shortId(here.Id)}` : "";
  return await say(context, `would pull ${name}${instead}: ${Descriptor.digest}`);
};

export const push: Verb<typeof pushFlags> = async (context, { flags, args: [text = ""] }) => {
  const { images } = context.client;
  const all = flags["all-tags"];
  const reference = await referenceOf(context, text, { all, quiet: flags.quiet });
  const base = familiarName(reference);
  const names = all
    ? (await images.list({ filters: { reference: [base] } })).flatMap(
        ({ RepoTags }) => RepoTags ?? [],
      )
    : [familiarString(reference)];
  if (names.length === 0)
    throw new Fault("not_found", `there is no image named ${base}`, { about: base });
  for (const name of names) {
    const { Id, Size, RootFS } = await images.inspect(name, { platform: flags.platform });
    const layers = RootFS.Layers?.length ?? 0;
    await say(
      context,
      `would push ${name} to ${reference.domain}: image ${shortId(Id)}, ${layers} layers of ${formatBytes(Size)} unpacked, those that it has excepted`,
    );
  }
  return 0;
};

export const createNetwork: Verb<typeof networkCreateFlags> = async (context, { flags, args }) => {
  const [name = ""] = args;
  const found = await context.client.networks.list({ name: [name] });
  if (found.some(({ Name }) => Name === name))
    throw new Fault("exists", `network with name ${name} already exists`, { about: name });
  const asked = ipamConfig(flags).flatMap(({ Subnet }) => Subnet ?? []);
  const subnets = asked.length > 0 ? asked.join(" and ") : "a free one";
  const kind = [flags.internal ? "internal " : "", flags.driver ?? "bridge"].join("");
  return await say(context, `would create network ${name}: ${kind}, its addresses from ${subnets}`);
};

export const connectNetwork: Verb<typeof networkConnectFlags> = async (context, invocation) => {
  const { network, container } = await endsOf(context, invocation.args);
  const name = nameOf(container);
  if (container.NetworkSettings.Networks[network])
    throw new Fault("denied", `container ${name} is connected to network ${network} already`);
  const { ip, ip6 } = invocation.flags;
  const addresses = [ip, ip6].filter(Boolean).join(" and ");
  const detail = addresses === "" ? "" : ` with ${addresses}`;
  const when = container.State.Running ? "" : ", from its next start on";
  return await say(
    context,
    `would connect container ${name} to network ${network}${detail}${when}`,
  );
};

export const disconnectNetwork: Verb<typeof networkDisconnectFlags> = async (context, { args }) => {
  const { network, container } = await endsOf(context, args);
  const name = nameOf(container);
  const endpoint = container.NetworkSettings.Networks[network];
  if (!endpoint)
    throw new Fault("denied", `container ${name} is not connected to network ${network}`);
  const address = endpoint.IPAddress ? `, where it is ${endpoint.IPAddress}` : "";
  return await say(context, `would disconnect container ${name} from network ${network}${address}`);
};

async function endsOf({ client }: Context, [network = "", container = ""]: readonly string[]) {
  const [{ Name }, found] = await Promise.all([
    client.networks.inspect(network),
    client.containers.inspect(container),
  ]);
  return { network: Name, container: found };
}

export const volumeCreate: Verb<typeof volumeCreateFlags> = async (context, { flags, args }) => {
  const [name] = args;
  const driver = flags.driver ?? "local";
  if (name === undefined)
    return await say(context, `would create a volume without a name by driver ${driver}`);
  const found = await unlessMissing(context.client.volumes.inspect(name));
  return await say(
    context,
    found
      ? `volume ${name} is there already: nothing would be done`
      : `would create volume ${name} by driver ${driver}`,
  );
};

export const volumeClone: Verb<NoFlags> = async (context, { args: [source = "", to = ""] }) => {
  await requireFreeVolume(context, to);
  return await say(
    context,
    `would create volume ${to} with the files of ${await filesOf(context, source)}`,
  );
};

export const volumeRename: Verb<NoFlags> = async (context, { args: [name = "", to = ""] }) => {
  await requireUnused(context, name);
  await requireFreeVolume(context, to);
  return await say(context, `would rename volume ${name} to ${to}`);
};

export const volumeSnapshot: Verb<typeof volumeSnapshotFlags> = async (
  context,
  { flags, args },
) => {
  const [name = "", asked] = args;
  await context.client.volumes.inspect(name);
  const users = await usersOf(context, name, ["running"]);
  const pause = flags.pause && users.length > 0 ? `pause ${users.join(", ")} a moment, and ` : "";
  const as = asked === undefined ? "" : ` as ${name}@${asked}`;
  return await say(context, `would ${pause}keep the files of volume ${name}${as}`);
};

export const volumeRollback: Verb<NoFlags> = async (context, { args: [name = "", to = ""] }) => {
  const files = await filesOf(context, `${name}@${to}`);
  const users = await usersOf(context, name, ["running", "paused"]);
  if (users.length > 0)
    throw new Fault("conflict", `volume ${name} is used by ${users.join(", ")}`, { about: name });
  return await say(context, `would give volume ${name} the files of ${files}; its own are lost`);
};

/** A volume, or its snapshot, that is there: "volume data" or "snapshot monday of volume data". */
async function filesOf({ client }: Context, source: string): Promise<string> {
  const [name = "", wanted] = source.split("@");
  await client.volumes.inspect(name);
  if (wanted === undefined) return `volume ${name}`;
  const snapshots = await client.volumes.snapshots(name);
  if (!snapshots.some(({ Tag }) => Tag === wanted))
    throw new Fault("not_found", `volume ${name} has no snapshot ${wanted}`, { about: source });
  return `snapshot ${wanted} of volume ${name}`;
}

async function requireFreeVolume({ client }: Context, name: string): Promise<void> {
  if (await unlessMissing(client.volumes.inspect(name)))
    throw new Fault("exists", `there is a volume ${name} already`, { about: name });
}

async function requireUnused(context: Context, name: string): Promise<void> {
  await context.client.volumes.inspect(name);
  const users = await usersOf(context, name);
  if (users.length > 0)
    throw new Fault("conflict", `volume ${name} is used by ${users.join(", ")}`, { about: name });
}

/** The names of the containers that have a volume, of those in any of the states. */
async function usersOf(
  { client }: Context,
  volume: string,
  status: readonly string[] = [],
): Promise<readonly string[]> {
  const filters = { volume: [volume], ...(status.length > 0 && { status: [...status] }) };
  const users = await client.containers.list({ all: true, filters });
  return users.map(({ Names }) => (Names[0] ?? "").replace(/^\//, ""));
}
