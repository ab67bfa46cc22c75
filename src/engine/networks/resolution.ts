import { exposedPorts, networkModeOf, readEndpoint } from "#container";
import type { Fd } from "#kernel";
import { type NamedContainer, resolvConfOf } from "#network";
import type { ContainerRecord } from "../containers/container-record.ts";
import type { OpenSandbox } from "../containers/sandbox.ts";
import type { NetworkAttachment } from "../contract.ts";
import type { Parts } from "../parts.ts";
import { changeNameFile } from "./name-file.ts";
import { namesOf } from "./names.ts";

type ResolutionParts = Parts<"networks" | "names">;

/** Whether a container of these networks asks the engine's resolver: in the networks that always exist there are no names, as in Docker. */
export function hasNames(
  parts: Parts<"networks">,
  endpoints: readonly Pick<NetworkAttachment, "networkId">[],
): boolean {
  return endpoints.some(({ networkId }) => isNamed(parts, networkId));
}

function isNamed(parts: Parts<"networks">, networkId: string): boolean {
  return networkId !== "" && !parts.networks.find(networkId).isPredefined;
}

/** A container as its networks know it. */
function namedContainer(
  parts: Parts<"networks">,
  record: ContainerRecord,
  endpoints: readonly NetworkAttachment[],
): NamedContainer {
  return {
    id: record.id,
    endpoints: endpoints
      .filter(({ networkId }) => isNamed(parts, networkId))
      .map((endpoint) => ({
        id: endpoint.endpointId,
        network: endpoint.networkId,
        ...(endpoint.address !== "" && { ipv4: endpoint.address }),
        ...(endpoint.address6 !== "" && { ipv6: endpoint.address6 }),
        names: qualified(namesOf(record, endpoint), endpoint.network),
        ports: portsOf(record),
      })),
    asksOutside: endpoints.some(
      ({ networkId }) => networkId !== "" && !parts.networks.find(networkId).isInternal,
    ),
    dns: record.host.Dns,
    links: endpoints
      .filter(({ networkId }) => isNamed(parts, networkId))
      .flatMap((endpoint) => linksIn(record, endpoint)),
  };
}

/** As many of the exposed ports as the resolver takes; those that are published are among them. */
function portsOf({
  config,
}: ContainerRecord): NonNullable<NamedContainer["endpoints"][number]["ports"]> {
  return exposedPorts(config)
    .slice(0, 256)
    .map(({ containerPort, protocol }) => ({ port: containerPort, protocol }));
}

/** In one network: an alias there leads to no container of another one. */
function linksIn(
  { host }: ContainerRecord,
  { network, networkId, settings }: NetworkAttachment,
): NamedContainer["links"] {
  const mode = networkModeOf(host);
  const isMain = mode.kind === "bridge" && (mode.network === network || mode.network === networkId);
  const all = [...readEndpoint(settings).links, ...(isMain ? host.Links : [])];
  // The docker CLI sends those of the main network in both places.
  const once = new Map(all.map((link) => [`${link.name}:${link.alias}`, link]));
  return [...once.values()].flatMap(({ name, alias }) =>
    [alias, `${alias}.${network}`]
      .filter((each) => isHostName(each) && isHostName(`${name}.${network}`))
      .map((each) => [each, `${name}.${network}`] as const),
  );
}

/** With the network's name behind a dot as well; a look-up by address gives "web.front", as under Docker. */
function qualified(names: readonly string[], network: string): readonly string[] {
  const [first = ""] = names;
  const all = [`${first}.${network}`, ...names, ...names.map((name) => `${name}.${network}`)];
  return [...new Set(all.map((name) => name.toLowerCase()).filter(isHostName))];
}

/** Networks and aliases can have names that no question can carry. */
function isHostName(name: string): boolean {
  return name.length < 254 && name.split(".").every((label) => /^[!-~]{1,63}$/.test(label));
}

/** The names of a run, which are made while the rest of the start goes on; disposing ends them. */
interface RunNames extends AsyncDisposable {
  /** The container finds others by name, and is found. */
  readonly ready: Promise<void>;
}

/** To be ready before the program runs. The namespace stays open until then, or until the end. */
export function serveNames(
  parts: ResolutionParts,
  record: ContainerRecord,
  { netns, stored }: OpenSandbox,
): RunNames {
  const ready =
    netns && hasNames(parts, stored.endpoints)
      ? parts.names.add(namedContainer(parts, record, stored.endpoints), netns)
      : Promise.resolve();
  // A start that fails for another reason looks only at the end.
  ready.catch(() => undefined);
  return {
    ready,
    async [Symbol.asyncDispose]() {
      await ready.catch(() => undefined);
      await parts.names.remove(record.id);
    },
  };
}

/**
 * After a container has joined a network or left one. The resolver serves it from its first network
 * with names to its end, since its programs may have read where to ask.
 */
export async function changeNames(
  parts: ResolutionParts,
  record: ContainerRecord,
  { netns, endpoints }: { readonly netns: Fd; readonly endpoints: readonly NetworkAttachment[] },
): Promise<void> {
  const named = namedContainer(parts, record, endpoints);
  if (parts.names.has(record.id)) await parts.names.change(named);
  else if (named.endpoints.length > 0) await parts.names.add(named, netns);
  changeResolvConf(record, named.endpoints.length > 0);
}

/** The container's own changes are kept. */
function changeResolvConf({ host, files }: ContainerRecord, resolver: boolean): void {
  const text = (asks: boolean) => resolvConfOf(host, { isHost: false, resolver: asks });
  changeNameFile(files.resolvConf, (found) => (found === text(!resolver) ? text(resolver) : found));
}

/** After a restart of the engine: the containers that run on keep their names, and those that ended meanwhile lose them. */
export async function restoreNames(
  parts: ResolutionParts & Parts<"live" | "store">,
): Promise<void> {
  const named = [...parts.live.values()].flatMap(({ id, sandbox }) => {
    const record = parts.store.get(id);
    const { endpoints } = sandbox.stored;
    return record && hasNames(parts, endpoints) ? [namedContainer(parts, record, endpoints)] : [];
  });
  await parts.names.restore(named);
}
