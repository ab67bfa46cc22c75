import { defined, Fault } from "#base";
import type {
  DeviceNode,
  FdIndex,
  IdMap,
  LaunchPlan,
  MountOperation,
  NamespaceEntry,
  PlanProcess,
} from "./plan.ts";
import {
  creations,
  modes,
  NO_FD,
  namespaceKinds,
  planHeader,
  planLimits,
  planMagic,
  planVersion,
  propagations,
  stdioModes,
  stdioWith,
  tag,
} from "./tags.ts";

/** The inverse of `encodePlan`; `invalid` for what native/init would refuse to read as well. */
export function decodePlan(bytes: Uint8Array): LaunchPlan {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (buffer.byteLength < planHeader || buffer.readUInt32LE(0) !== planMagic)
    throw broken("this is not a launch plan");
  if (buffer.readUInt32LE(4) !== planVersion)
    throw broken(`it has version ${buffer.readUInt32LE(4)}, this program reads ${planVersion}`);
  if (buffer.readUInt32LE(8) !== buffer.byteLength || buffer.byteLength > planLimits.bytes)
    throw broken("its length is wrong");
  const draft = emptyDraft();
  for (const record of records(buffer.subarray(planHeader))) {
    const read = readers[record.number];
    if (!read) throw broken(`tag ${record.number} is unknown`);
    read(draft, record);
    record.expectEnd();
  }
  const { mode, id, stdio } = draft;
  if (mode === undefined || id === undefined || stdio === undefined)
    throw broken("mode, id or standard streams are missing");
  return { ...draft, mode, id, stdio };
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };
type Required = "mode" | "id" | "stdio";
type Lists =
  | "namespaces"
  | "uidMaps"
  | "gidMaps"
  | "mounts"
  | "devices"
  | "symlinks"
  | "maskedPaths"
  | "readonlyPaths"
  | "sysctls"
  | "resourceLimits";
type Element<T> = T extends readonly (infer Item)[] ? Item : never;
type Draft = Mutable<Omit<LaunchPlan, Required | Lists>> &
  Partial<Mutable<Pick<LaunchPlan, Required>>> & {
    [Key in Lists]: Element<LaunchPlan[Key]>[];
  };

function emptyDraft(): Draft {
  return {
    namespaces: [],
    uidMaps: [],
    gidMaps: [],
    mounts: [],
    rootReadonly: false,
    devices: [],
    symlinks: [],
    maskedPaths: [],
    readonlyPaths: [],
    sysctls: [],
    resourceLimits: [],
    noNewPrivileges: false,
    init: false,
  };
}

function broken(why: string): Fault {
  return new Fault("invalid", `cannot read the launch plan: ${why}`);
}

/** One tag with its value, read from front to back. */
class PlanRecord {
  readonly number: number;
  readonly #value: Buffer;
  #at = 0;

  constructor(number: number, value: Buffer) {
    this.number = number;
    this.#value = value;
  }

  get left(): number {
    return this.#value.byteLength - this.#at;
  }

  u32(): number {
    return this.#value.readUInt32LE(this.#advance(4));
  }

  i32(): number {
    return this.#value.readInt32LE(this.#advance(4));
  }

  u64(): bigint {
    return this.#value.readBigUInt64LE(this.#advance(8));
  }

  text(): string {
    const end = this.#value.indexOf(0, this.#at);
    if (end < 0) throw broken(`a text of tag ${this.number} has no end`);
    const text = this.#value.toString("utf8", this.#at, end);
    this.#at = end + 1;
    return text;
  }

  rest(): Buffer {
    return this.#value.subarray(this.#advance(this.left));
  }

  choice<T extends string>(choices: readonly T[]): T {
    const number = this.u32();
    const choice = choices[number];
    if (choice === undefined) throw broken(`tag ${this.number} has no choice ${number}`);
    return choice;
  }

  fd(): FdIndex {
    const index = this.u32();
    if (index >= planLimits.fds) throw broken(`descriptor index ${index} is out of range`);
    return index as FdIndex;
  }

  expectEnd(): void {
    if (this.left > 0) throw broken(`tag ${this.number} is longer than its value`);
  }

  #advance(size: number): number {
    const at = this.#at;
    if (size > this.left) throw broken(`tag ${this.number} is cut off`);
    this.#at += size;
    return at;
  }
}

function* records(buffer: Buffer): Generator<PlanRecord> {
  for (let at = 0; at < buffer.byteLength; ) {
    if (buffer.byteLength - at < 8) throw broken("a record is cut off");
    const length = buffer.readUInt32LE(at + 4);
    const start = at + 8;
    if (length > buffer.byteLength - start)
      throw broken("a record is longer than the one that holds it");
    yield new PlanRecord(buffer.readUInt32LE(at), buffer.subarray(start, start + length));
    at = start + length;
  }
}

const readers: Record<number, (draft: Draft, record: PlanRecord) => void> = {
  [tag.MODE]: (draft, record) => {
    draft.mode = record.choice(modes);
  },
  [tag.ID]: (draft, record) => {
    draft.id = record.text();
  },
  [tag.NAMESPACE]: (draft, record) => draft.namespaces.push(readNamespace(record)),
  [tag.UID_MAP]: (draft, record) => draft.uidMaps.push(readMap(record)),
  [tag.GID_MAP]: (draft, record) => draft.gidMaps.push(readMap(record)),
  [tag.ROOT_ANCHOR]: (draft, record) => {
    draft.rootAnchor = record.text();
  },
  [tag.MOUNT]: (draft, record) => draft.mounts.push(readMount(record)),
  [tag.ROOT_READONLY]: (draft) => {
    draft.rootReadonly = true;
  },
  [tag.ROOT_PROPAGATION]: (draft, record) => {
    draft.rootPropagation = record.choice(propagations);
  },
  [tag.DEVICE]: (draft, record) => draft.devices.push(readDevice(record)),
  [tag.SYMLINK]: (draft, record) =>
    draft.symlinks.push({ target: record.text(), path: record.text() }),
  [tag.MASKED_PATH]: (draft, record) => draft.maskedPaths.push(record.text()),
  [tag.READONLY_PATH]: (draft, record) => draft.readonlyPaths.push(record.text()),
  [tag.SYSCTL]: (draft, record) =>
    draft.sysctls.push({ name: record.text(), value: record.text() }),
  [tag.HOSTNAME]: (draft, record) => {
    draft.hostname = record.text();
  },
  [tag.DOMAINNAME]: (draft, record) => {
    draft.domainname = record.text();
  },
  [tag.CGROUP]: (draft, record) => {
    draft.cgroup = readCgroup(record);
  },
  [tag.OOM_COUNTER]: (draft, record) => {
    draft.oomCounter = record.fd();
  },
  [tag.OOM_EVENT]: (draft, record) => {
    draft.oomEvent = record.fd();
  },
  [tag.RESOURCE_LIMIT]: (draft, record) =>
    draft.resourceLimits.push({
      resource: record.u32(),
      soft: record.u64(),
      hard: record.u64(),
    }),
  [tag.OOM_SCORE_ADJ]: (draft, record) => {
    draft.oomScoreAdj = record.i32();
  },
  [tag.CAPABILITIES]: (draft, record) => {
    draft.capabilities = {
      bounding: record.u64(),
      effective: record.u64(),
      permitted: record.u64(),
      inheritable: record.u64(),
      ambient: record.u64(),
    };
  },
  [tag.NO_NEW_PRIVILEGES]: (draft) => {
    draft.noNewPrivileges = true;
  },
  [tag.SECCOMP]: (draft, record) => {
    draft.seccomp = new Uint8Array(record.rest());
  },
  [tag.SECCOMP_FLAGS]: (draft, record) => {
    draft.seccompFlags = record.u32();
  },
  [tag.PROCESS]: (draft, record) => {
    draft.process = readProcess(record);
  },
  [tag.INIT]: (draft) => {
    draft.init = true;
  },
  [tag.STDIO]: (draft, record) => {
    draft.stdio = readStdio(record);
  },
  [tag.LOG]: (draft, record) => {
    const maxSize = record.u64();
    draft.log = { maxSize, maxFiles: record.u32(), path: record.text() };
  },
  [tag.LOG_ATTRIBUTES]: (draft, record) => {
    if (!draft.log) throw broken("it has attributes of a log, but no log");
    draft.log = { ...draft.log, attributes: record.text() };
  },
  [tag.CONTROL_SOCKET]: (draft, record) => {
    draft.controlSocket = record.text();
  },
  [tag.EXIT_RECORD]: (draft, record) => {
    draft.exitRecord = record.text();
  },
  [tag.AWAIT_START]: (draft) => {
    draft.awaitStart = true;
  },
};

function readNamespace(record: PlanRecord): NamespaceEntry {
  const kind = record.choice(namespaceKinds);
  const join = record.u32();
  return join === NO_FD ? { kind } : { kind, join: join as FdIndex };
}

function readMap(record: PlanRecord) {
  return { inside: record.u32(), outside: record.u32(), count: record.u32() };
}

function readDevice(record: PlanRecord): DeviceNode {
  const letter = String.fromCharCode(record.u32());
  const type = (["c", "b", "p"] as const).find((candidate) => candidate === letter);
  if (!type) throw broken(`there is no device type "${letter}"`);
  const numbers = { major: record.u32(), minor: record.u32(), mode: record.u32() };
  return { type, ...numbers, uid: record.u32(), gid: record.u32(), path: record.text() };
}

function readCgroup(record: PlanRecord): NonNullable<LaunchPlan["cgroup"]> {
  const version = record.u32();
  const fds: FdIndex[] = [];
  while (record.left > 0) fds.push(record.fd());
  if (version === 1) return { version, tasks: fds };
  const [directory] = fds;
  if (version !== 2 || directory === undefined || fds.length !== 1)
    throw broken("its cgroup is neither version 1 nor version 2 with one directory");
  return { version, directory };
}

function readMount(outer: PlanRecord): MountOperation {
  let source: MountOperation["source"] | undefined;
  const options: [string, string | null][] = [];
  const mount: Partial<Mutable<MountOperation>> = { recursiveAttributes: false };
  const uids: IdMap[] = [];
  const gids: IdMap[] = [];
  let recursive = false;
  for (const record of records(outer.rest())) {
    if (record.number === tag.MOUNT_FILESYSTEM)
      source = { kind: "filesystem", type: record.text(), options };
    else if (record.number === tag.MOUNT_FLAG) options.push([record.text(), null]);
    else if (record.number === tag.MOUNT_OPTION) options.push([record.text(), record.text()]);
    else if (record.number === tag.MOUNT_LEGACY)
      source = { kind: "legacy", type: record.text(), data: record.text() };
    else if (record.number === tag.MOUNT_BIND)
      source = { kind: "bind", path: record.text(), recursive };
    else if (record.number === tag.MOUNT_BIND_FD)
      source = { kind: "bind-fd", fd: record.fd(), recursive };
    else if (record.number === tag.MOUNT_RECURSIVE) recursive = true;
    else if (record.number === tag.MOUNT_TARGET) mount.target = record.text();
    else if (record.number === tag.MOUNT_ATTRIBUTES)
      mount.attributes = { set: Number(record.u64()), clear: Number(record.u64()) };
    else if (record.number === tag.MOUNT_RECURSIVE_ATTRIBUTES) mount.recursiveAttributes = true;
    else if (record.number === tag.MOUNT_PROPAGATION)
      mount.propagation = record.choice(propagations);
    else if (record.number === tag.MOUNT_CREATE) mount.create = record.choice(creations);
    else if (record.number === tag.MOUNT_UID_MAP) uids.push(readMap(record));
    else if (record.number === tag.MOUNT_GID_MAP) gids.push(readMap(record));
    else throw broken(`a mount has the unknown tag ${record.number}`);
    record.expectEnd();
  }
  const { target, attributes, create, recursiveAttributes = false, propagation } = mount;
  if (!source || target === undefined || !attributes || !create)
    throw broken("a mount lacks its source, target or attributes");
  if (source.kind === "bind" || source.kind === "bind-fd") source = { ...source, recursive };
  return {
    source,
    target,
    attributes,
    recursiveAttributes,
    ...defined({ propagation }),
    create,
    ...(uids.length + gids.length > 0 && { owners: { uids, gids } }),
  };
}

function readProcess(outer: PlanRecord): PlanProcess {
  const argv: string[] = [];
  const env: string[] = [];
  const additionalGids: number[] = [];
  let cwd: string | undefined;
  let user = { uid: 0, gid: 0 };
  let umask: number | undefined;
  for (const record of records(outer.rest())) {
    if (record.number === tag.ARGUMENT) argv.push(record.text());
    else if (record.number === tag.VARIABLE) env.push(record.text());
    else if (record.number === tag.CWD) cwd = record.text();
    else if (record.number === tag.USER) user = { uid: record.u32(), gid: record.u32() };
    else if (record.number === tag.GROUP) additionalGids.push(record.u32());
    else if (record.number === tag.UMASK) umask = record.u32();
    else throw broken(`the process has the unknown tag ${record.number}`);
    record.expectEnd();
  }
  if (cwd === undefined || argv.length === 0)
    throw broken("the process lacks arguments or a working directory");
  return { argv, env, cwd, ...user, additionalGids, ...defined({ umask }) };
}

function readStdio(record: PlanRecord): LaunchPlan["stdio"] {
  const mode = record.choice(stdioModes);
  const flags = record.u32();
  const rows = record.u32();
  const columns = record.u32();
  return {
    mode,
    stdin: (flags & stdioWith.STDIN) !== 0,
    stdinOnce: (flags & stdioWith.STDIN_ONCE) !== 0,
    ...((flags & stdioWith.ROWS) !== 0 && { rows }),
    ...((flags & stdioWith.COLUMNS) !== 0 && { columns }),
  };
}
