import { Fault } from "#base";
import { type OciDevice, readHostDevice } from "#runtime";
import { type CdiDevice, type CdiDevices, type ContainerEdits, readCdiDevices } from "./cdi.ts";
import { resolveEnv } from "./image-default.ts";
import { option, type SpecDraft, shapes } from "./option.ts";

const { list, object } = shapes;

/** Devices by what they can do, or by their names in CDI specifications (`--gpus`, `--device`). */
export interface DeviceRequest {
  readonly Driver: string;
  /** -1: all there are. */
  readonly Count: number;
  readonly DeviceIDs: readonly string[];
  /** One of the lists has to be met, whole. */
  readonly Capabilities: readonly (readonly string[])[];
  readonly Options: Readonly<Record<string, string>>;
}

/** HostConfig.DeviceRequests. */
export const deviceRequests = option({
  shape: list(
    object({
      Driver: shapes.text,
      Count: shapes.whole,
      DeviceIDs: shapes.texts,
      Capabilities: list(list(shapes.text)),
      Options: shapes.textMap,
    }),
  ),
  value: (sent): readonly DeviceRequest[] =>
    (sent ?? []).map((each) => ({
      Driver: each.Driver ?? "",
      Count: each.Count ?? 0,
      DeviceIDs: each.DeviceIDs ?? [],
      Capabilities: each.Capabilities ?? [],
      Options: each.Options ?? {},
    })),
  effect: (draft, requests) => {
    if (requests.length > 0) addDevices(draft, requests, readCdiDevices());
  },
  inspect: (_, sent) =>
    sent
      ? sent.map(({ Driver, Count, DeviceIDs, Capabilities, Options }) => ({
          Driver: Driver ?? "",
          Count: Count ?? 0,
          DeviceIDs: DeviceIDs ?? null,
          Capabilities: Capabilities ?? null,
          Options: Options ?? null,
        }))
      : null,
});

/**
 * Changes a configuration by the devices that are asked for. `invalid`, in Docker's words, where no
 * specification has them; `unsupported` for edits that this engine cannot make.
 */
export function addDevices(
  draft: SpecDraft,
  requests: readonly DeviceRequest[],
  known: CdiDevices,
): void {
  const found = new Map<string, CdiDevice>();
  for (const request of requests)
    for (const device of selectDevices(request, known)) found.set(device.name, device);
  const shared = new Set([...found.values()].flatMap((device) => device.shared ?? []));
  for (const edits of shared) applyEdits(draft, edits, "a CDI specification");
  for (const { name, edits } of found.values()) applyEdits(draft, edits, `the device ${name}`);
}

function selectDevices(request: DeviceRequest, known: CdiDevices): readonly CdiDevice[] {
  const { Driver: driver, Count: count, DeviceIDs: ids } = request;
  const hasOptions = Object.keys(request.Options).length > 0;
  const noOptions = new Fault("invalid", "unexpected options in CDI device request");
  if (driver === "cdi") {
    if (count !== 0) throw new Fault("invalid", "unexpected count in CDI device request");
    if (hasOptions) throw noOptions;
    return named(ids, known);
  }
  const gpus = isForGpus(request) ? gpusOf(known) : [];
  const [first] = gpus;
  if (!first) {
    const lists = request.Capabilities.map((words) => `[${words.join(" ")}]`).join(" ");
    const message = `could not select device driver ${JSON.stringify(driver)} with capabilities: [${lists}]`;
    throw new Fault("invalid", message, { about: "DeviceRequests" });
  }
  if (hasOptions) throw noOptions;
  if (count !== 0 && ids.length > 0)
    throw new Fault("invalid", "cannot set both Count and DeviceIDs on device request");
  const kind = first.name.split("=")[0];
  if (ids.length > 0)
    return named(
      ids.map((id) => (id.includes("=") ? id : `${kind}=${id}`)),
      known,
    );
  // "all" stands for the others.
  const single = gpus.filter(({ name }) => name !== `${kind}=all`);
  if (count < 0) return single.length > 0 ? single : gpus;
  if (count <= single.length) return single.slice(0, count);
  throw new Fault(
    "invalid",
    `${count} GPUs are asked for, and the CDI specifications of this host have ${single.length}`,
    { about: "DeviceRequests" },
  );
}

function isForGpus({ Driver: driver, Capabilities: capabilities }: DeviceRequest): boolean {
  return ["", "nvidia"].includes(driver) && capabilities.some((words) => words.includes("gpu"));
}

/** The GPUs of the first vendor that has a specification. */
function gpusOf({ devices }: CdiDevices): readonly CdiDevice[] {
  const all = [...devices.values()].filter(({ name }) => /^[^=]+\/gpu=/.test(name));
  const kind = all[0]?.name.split("=")[0];
  return all.filter(({ name }) => name.split("=")[0] === kind);
}

function named(names: readonly string[], { devices, faults }: CdiDevices): readonly CdiDevice[] {
  const missing = names.filter((name) => !devices.has(name));
  if (missing.length === 0) return names.flatMap((name) => devices.get(name) ?? []);
  const more = faults.length > 0 ? ` (${faults.join("; ")})` : "";
  throw new Fault(
    "invalid",
    `CDI device injection failed: unresolvable CDI devices ${missing.join(", ")}${more}`,
    { about: missing[0] ?? "" },
  );
}

function applyEdits(draft: SpecDraft, edits: ContainerEdits, whose: string): void {
  refuseEdits(edits, whose);
  draft.env = resolveEnv([...draft.env, ...(edits.env ?? [])]);
  for (const node of edits.deviceNodes ?? []) addNode(draft, node ?? {}, whose);
  for (const mount of edits.mounts ?? []) {
    const { hostPath: source, containerPath: destination, options, type } = mount ?? {};
    if (!source || !destination)
      throw new Fault("invalid", `a mount of ${whose} lacks hostPath or containerPath`);
    const isBind = (options ?? []).some((word) => /^r?bind$/.test(word));
    const own = isBind || (type && type !== "bind") ? [] : ["rbind"];
    draft.mounts.push({
      destination,
      type: type || "bind",
      source,
      options: [...own, ...(options ?? [])],
    });
  }
  const groups = [
    ...draft.user.additionalGids,
    ...(edits.additionalGids ?? []).filter((gid) => gid > 0),
  ];
  draft.user = { ...draft.user, additionalGids: [...new Set(groups)] };
}

function refuseEdits({ hooks, intelRdt, netDevices }: ContainerEdits, whose: string): void {
  const refuse = (what: string) => {
    throw new Fault("unsupported", `${whose} needs ${what}`, { about: whose });
  };
  const [hook] = hooks ?? [];
  if (hook)
    refuse(
      `a hook (${hook.hookName}: ${hook.path}), and thimble runs no programs of the host for containers`,
    );
  if (intelRdt) refuse("intelRdt, and thimble does not divide cache and memory bandwidth");
  if (netDevices) refuse("netDevices, and thimble moves no network devices");
}

type DeviceNode = NonNullable<NonNullable<ContainerEdits["deviceNodes"]>[number]>;

/** What the specification leaves out is as on the host. */
function addNode(draft: SpecDraft, node: DeviceNode, whose: string): void {
  const { path = "", hostPath, type, major, minor, fileMode, uid, gid, permissions } = node;
  const host = readHostDevice(hostPath || path || "");
  const kind = (type || host?.type) as OciDevice["type"] | undefined;
  if (!path || !kind || !["b", "c", "u", "p"].includes(kind))
    throw new Fault("invalid", `the device node ${JSON.stringify(path)} of ${whose} is not there`);
  const device: OciDevice = {
    path,
    type: kind,
    major: major ?? host?.major ?? 0,
    minor: minor ?? host?.minor ?? 0,
    fileMode: fileMode ?? host?.fileMode ?? 0o660,
    uid: uid ?? host?.uid ?? 0,
    gid: gid ?? host?.gid ?? 0,
  };
  draft.devices.push(device);
  if (kind === "p") return;
  const access = permissions || "rwm";
  const { major: first = 0, minor: second = 0 } = device;
  draft.deviceRules.push({
    ...{ allow: true, type: kind === "b" ? "b" : "c", major: first, minor: second, access },
  });
}
