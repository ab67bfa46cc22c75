import { PassThrough, Readable, Writable } from "node:stream";
import { type ContainerId, type ExecId, Fault, newId } from "../../src/base/index.ts";
import type { Builder } from "../../src/build/index.ts";
import { describeContainer } from "../../src/container/index.ts";
import { describeStartFailure } from "../../src/engine/containers/start-failure.ts";
import type {
  AttachedStream,
  CommitRequest,
  Container,
  ContainerState,
  ContainerUsage,
  CreateRequest,
  DebugRequest,
  Engine,
  EngineEvent,
  Exec,
  ExecRequest,
} from "../../src/engine/contract.ts";
import type { ImageDetail } from "../../src/engine/images/image-contract.ts";
import { defaultSettings } from "../../src/engine/settings.ts";
import type { DiffId, Digest } from "../../src/image/index.ts";
import { encodeFrame } from "../../src/wire/index.ts";
import { fakeAnalysis } from "./fake-analysis.ts";
import { fakeBackups } from "./fake-backups.ts";
import { fakeFiles } from "./fake-files.ts";
import { fakeNetworks } from "./fake-networks.ts";
import { fakeVolumes } from "./fake-volumes.ts";

/**
 * An engine in memory, for tests of what stands before it. Its programs: `cat` copies
 * its input, `echo` prints its arguments, `sleep` waits for a signal, `fail` exits
 * with 3, and whatever starts with "no" cannot be executed.
 */
export interface FakeEngine extends Engine {
  /** The calls that reached the engine, in order. */
  readonly calls: string[];
  emit(event: EngineEvent): void;
}

interface Process {
  readonly argv: readonly string[];
  readonly tty: boolean;
  readonly output: PassThrough;
  readonly input: Writable;
  readonly ended: PromiseWithResolvers<number>;
  readonly log: Uint8Array[];
}

const imageId = `sha256:${"ab".repeat(32)}` as Digest;

export const fakeImage: ImageDetail = {
  id: imageId,
  tags: ["busybox:test"],
  digests: [],
  created: 1_700_000_000,
  size: 4096,
  labels: {},
  containers: 0,
  descriptor: {
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: `sha256:${"ef".repeat(32)}` as Digest,
    size: 400,
  },
  contentSize: 2048,
  layerDirectories: ["/s/2/fs", "/s/1/fs"],
  config: {
    architecture: "amd64",
    os: "linux",
    created: "2023-11-14T22:13:20Z",
    config: { Cmd: ["sh"], Env: ["PATH=/bin"] },
    rootfs: { type: "layers", diff_ids: [`sha256:${"cd".repeat(32)}` as DiffId] },
  },
};

const created: ContainerState = {
  status: "created",
  pid: 0,
  exitCode: 0,
  error: "",
  oomKilled: false,
  startedAt: 0n,
  finishedAt: 0n,
};

export function createFakeEngine(): FakeEngine {
  const calls: string[] = [];
  const containers = new FakeContainers(calls);
  const listeners = new Set<(event: EngineEvent) => void>();
  return {
    calls,
    emit: (event) => {
      for (const listener of listeners) listener(event);
    },
    containers,
    execs: fakeExecs(containers, calls),
    files: fakeFiles(calls),
    images: fakeImages(calls),
    networks: fakeNetworks(calls),
    analysis: fakeAnalysis(calls),
    registries: fakeRegistries(calls),
    volumes: fakeVolumes(calls),
    backups: fakeBackups(calls),
    builds: {
      builder: async () => fakeBuilder(calls),
      platforms: () => [],
      registryCache: () => {
        throw new Fault("unsupported", "the fake has no caches");
      },
    },
    events: { subscribe: ({ signal, ...rest }) => subscribe(listeners, signal, calls, rest) },
    info: async () => ({
      id: "fake",
      name: "host",
      dataRoot: "/var/lib/thimble",
      containers: { running: 0, paused: 0, stopped: 0 },
      images: 1,
      kernelVersion: "6.1.0",
      operatingSystem: "Debian",
      osVersion: "12",
      architecture: "x86_64",
      cpus: 2,
      memory: 1 << 30,
      cgroupVersion: 2,
      storageDriver: "overlay2",
      loggingDriver: "json-file",
      securityOptions: ["name=seccomp,profile=builtin"],
      warnings: [],
      settings: defaultSettings,
    }),
    settings: defaultSettings,
    reload: () => undefined,
    metrics: async () => "",
    diskUsage: async () => ({
      layers: 4096,
      blobs: { count: 3, size: 2048 },
      reclaimable: 6144,
      shared: new Map([[imageId, 1024]]),
    }),
    async fsck({ repair, deep, onFinding }) {
      calls.push(`fsck${repair ? " repair" : ""}${deep ? " deep" : ""}`);
      const finding = {
        kind: "blob-corrupt",
        about: imageId,
        images: ["busybox:test"],
        message: "bits have flipped",
        repaired: repair,
      };
      onFinding(finding);
      return { blobs: 3, bytes: 2048, layers: 1, findings: [finding] };
    },
    reconcile: async () => undefined,
    close: async () => undefined,
  };
}

async function* subscribe(
  listeners: Set<(event: EngineEvent) => void>,
  signal: AbortSignal,
  calls: string[],
  options: object,
): AsyncGenerator<EngineEvent> {
  calls.push(
    `subscribe ${JSON.stringify(options, (_, value) => (typeof value === "bigint" ? String(value) : value))}`,
  );
  const queue: EngineEvent[] = [];
  let wake = Promise.withResolvers<void>();
  const listener = (event: EngineEvent) => {
    queue.push(event);
    wake.resolve();
  };
  signal.addEventListener("abort", () => wake.resolve());
  listeners.add(listener);
  try {
    while (!signal.aborted) {
      for (const event of queue.splice(0)) yield event;
      await wake.promise;
      wake = Promise.withResolvers();
    }
  } finally {
    listeners.delete(listener);
    calls.push("unsubscribe");
  }
}

function run(argv: readonly string[], tty: boolean): Process {
  const [program = "", ...rest] = argv;
  const errno = program.startsWith("no") ? "ENOENT" : program === "/etc" ? "EISDIR" : undefined;
  if (errno !== undefined)
    throw describeStartFailure(new Fault("internal", "exec", { stage: "exec", errno }), program)
      .fault;
  const output = new PassThrough();
  const ended = Promise.withResolvers<number>();
  const log: Uint8Array[] = [];
  const print = (bytes: Uint8Array) => {
    const chunk = tty ? Uint8Array.from(bytes) : encodeFrame("stdout", bytes);
    log.push(chunk);
    output.write(chunk);
  };
  const input = new Writable({
    write(chunk: Uint8Array, _encoding, done) {
      if (program === "cat") print(chunk);
      done();
    },
    final(done) {
      if (program === "cat") ended.resolve(0);
      done();
    },
  });
  if (program === "echo") {
    print(Buffer.from(`${rest.join(" ")}\n`));
    ended.resolve(0);
  }
  if (program === "fail") ended.resolve(3);
  void ended.promise.then(() => output.end());
  return { argv, tty, output, input, ended, log };
}

function streamOf(process: Promise<Process>, tty: boolean): AttachedStream {
  const output = new PassThrough();
  const input = new Writable({
    write: (chunk: Uint8Array, _encoding, done) =>
      void process.then((each) => each.input.write(chunk, done)),
    final: (done) => void process.then((each) => each.input.end(done)),
  });
  void process.then((each) => each.output.pipe(output));
  return {
    input,
    output,
    tty,
    async [Symbol.asyncDispose]() {
      output.destroy();
    },
  };
}

const fakeUsage: ContainerUsage = {
  memory: { usage: 954_368, limit: 67_108_864, maxUsage: 4_882_432, stats: { cache: 409_600 } },
  cpu: {
    total: 43_275_715,
    perCpu: [2_655_174, 40_620_541],
    user: 20_000_000,
    system: 10_000_000,
    throttled: { periods: 1, throttled: 2, time: 3 },
  },
  pids: { current: 1 },
  io: { bytes: [{ major: 8, minor: 0, op: "read", value: 4096 }], operations: [] },
  links: {
    eth0: {
      received: { bytes: 572, packets: 6, errors: 0, dropped: 1 },
      sent: { bytes: 84, packets: 2, errors: 0, dropped: 0 },
    },
  },
  readAt: 1_700_000_001_500_000_000n,
  machine: { cpu: 47_819_870_000_000, cpus: 2, memory: 25_276_760_064 },
};

interface Entry {
  container: Container;
  readonly started: PromiseWithResolvers<Process>;
  readonly exited: PromiseWithResolvers<{ exitCode: number }>;
}

class FakeContainers implements Pick<Engine["containers"], keyof Engine["containers"]> {
  readonly #entries = new Map<string, Entry>();
  readonly #calls: string[];

  constructor(calls: string[]) {
    this.#calls = calls;
  }

  #entry(ref: string): Entry {
    const entries = [...this.#entries.values()];
    const found =
      entries.find(({ container }) => container.name === ref) ??
      entries.find(({ container }) => container.id.startsWith(ref));
    if (found) return found;
    throw new Fault("not_found", `there is no ${ref}`, { about: ref });
  }

  async create(request: CreateRequest) {
    this.#calls.push(`create ${request.sent.Config.Image}`);
    if (!fakeImage.tags.includes(request.sent.Config.Image ?? ""))
      throw new Fault("not_found", "no image");
    const name = request.name ?? `fake${this.#entries.size}`;
    if ([...this.#entries.values()].some((each) => each.container.name === name))
      throw new Fault("exists", `${name} is taken`);
    const id = newId<ContainerId>();
    this.#entries.set(id, {
      container: containerFor(id, name, request),
      started: Promise.withResolvers(),
      exited: Promise.withResolvers(),
    });
    return { id, warnings: [] };
  }

  async plan(request: CreateRequest) {
    return Buffer.from(`plan of ${request.sent.Config.Image}`);
  }

  rehearse() {
    // There is nothing to compile.
  }

  async start(ref: string) {
    const entry = this.#entry(ref);
    const process = run(entry.container.argv, entry.container.config.Tty);
    this.#state(entry, { status: "running", pid: 4242, startedAt: 1_700_000_001_500_000_000n });
    entry.started.resolve(process);
    void process.ended.promise.then((exitCode) => {
      this.#state(entry, {
        status: "exited",
        pid: 0,
        exitCode,
        finishedAt: 1_700_000_002_000_000_000n,
      });
      entry.exited.resolve({ exitCode });
    });
  }

  #state(entry: Entry, state: Partial<ContainerState>): void {
    entry.container = { ...entry.container, state: { ...entry.container.state, ...state } };
  }

  async stop(ref: string, options: object) {
    this.#calls.push(`stop ${JSON.stringify(options)}`);
    const { container, started } = this.#entry(ref);
    if (container.state.status !== "running") throw new Fault("not_modified", "not running");
    (await started.promise).ended.resolve(143);
  }

  async restart(ref: string) {
    await this.start(ref);
  }

  async kill(ref: string, signal: string) {
    if (!/^(SIG)?(KILL|TERM|HUP|INT)$/.test(signal))
      throw new Fault("invalid", `what is ${signal}?`);
    (await this.#entry(ref).started.promise).ended.resolve(137);
  }

  async update(ref: string, body: object) {
    this.#calls.push(`update ${this.#entry(ref).container.name} ${JSON.stringify(body)}`);
    return [];
  }

  async stats(ref: string) {
    return this.#entry(ref).container.state.status === "running" ? fakeUsage : undefined;
  }

  async pause(ref: string) {
    this.#state(this.#entry(ref), { status: "paused" });
  }

  async unpause(ref: string) {
    this.#state(this.#entry(ref), { status: "running" });
  }

  async remove(ref: string) {
    this.#entries.delete(this.#entry(ref).container.id);
  }

  async removeLink(ref: string, alias: string) {
    this.#entry(ref);
    this.#calls.push(`remove link ${alias}`);
  }

  async rename(ref: string, name: string) {
    const entry = this.#entry(ref);
    if ([...this.#entries.values()].some((each) => each.container.name === name))
      throw new Fault("exists", `${name} is taken`);
    entry.container = { ...entry.container, name };
  }

  async wait(ref: string) {
    const { exited } = this.#entry(ref);
    this.#calls.push("wait");
    return { result: exited.promise };
  }

  get(ref: string) {
    return this.#entry(ref).container;
  }

  list({ all, limit }: { all: boolean; limit?: number }) {
    const found = [...this.#entries.values()].map((each) => each.container);
    return found.filter((each) => all || each.state.status === "running").slice(0, limit);
  }

  async *logs(ref: string, { signal, follow }: { signal?: AbortSignal; follow: boolean }) {
    const { container, started, exited } = this.#entry(ref);
    if (container.state.status === "created" && !follow) return;
    for (const chunk of (await started.promise).log) yield chunk;
    if (!follow) return;
    const gone = Promise.withResolvers<void>();
    signal?.addEventListener("abort", () => gone.resolve());
    await Promise.race([exited.promise, gone.promise]);
    this.#calls.push("logs ended");
  }

  async attach(ref: string, request: object) {
    this.#calls.push(`attach ${JSON.stringify(request)}`);
    const { container, started } = this.#entry(ref);
    return streamOf(started.promise, container.config.Tty);
  }

  async debug(ref: string, request: DebugRequest) {
    this.#calls.push(`debug ${JSON.stringify(request)}`);
    const { state } = this.#entry(ref).container;
    if (state.status === "running") throw new Fault("conflict", "it is running, and not stopped");
    const process = run(request.argv, request.tty);
    return {
      streams: streamOf(Promise.resolve(process), request.tty),
      ended: process.ended.promise,
      [Symbol.asyncDispose]: async () => process.ended.resolve(137),
    };
  }

  resizeDebug(ref: string, size: { rows: number; columns: number }) {
    return this.resize(ref, size);
  }

  async resize(_ref: string, { rows, columns }: { rows: number; columns: number }) {
    this.#calls.push(`resize ${rows}x${columns}`);
  }

  async size() {
    return { writable: 10, total: 4106 };
  }

  async top() {
    return { titles: ["PID"], processes: [["4242"]] };
  }

  async *export() {
    yield Buffer.from("a tar");
  }

  async prune() {
    return { removed: [], bytes: 0 };
  }

  async changeLogOptions(ref: string, options: object) {
    this.#calls.push(`log options ${this.#entry(ref).container.name} ${JSON.stringify(options)}`);
  }

  async addPorts(ref: string, bindings: object) {
    this.#calls.push(`add ports ${this.#entry(ref).container.name} ${JSON.stringify(bindings)}`);
    return [{ protocol: "tcp", containerPort: 80, hostIp: "0.0.0.0", hostPort: 8080 }] as const;
  }

  async removePorts(ref: string, bindings: object) {
    this.#calls.push(`remove ports ${this.#entry(ref).container.name} ${JSON.stringify(bindings)}`);
    return [];
  }

  async diagnose() {
    return {
      imageExists: true,
      stoppedByUser: false,
      program: { name: "sh", path: "/bin/sh", problems: [] },
    };
  }

  async changes(ref: string) {
    if (this.#entry(ref).container.name === "unchanged") return [];
    return [
      { path: "/etc", kind: "modified" },
      { path: "/etc/caf\xc3\xa9", kind: "added" },
      { path: "/etc/plain", kind: "deleted" },
    ] as const;
  }

  async commit(ref: string, request: CommitRequest) {
    this.#calls.push(`commit ${this.#entry(ref).container.name} ${JSON.stringify(request)}`);
    return imageId;
  }
}

function containerFor(id: ContainerId, name: string, { sent, owner }: CreateRequest): Container {
  const described = describeContainer(sent, { Cmd: ["sh"] });
  return {
    id,
    name,
    imageId,
    createdAt: 1_700_000_000_120_000_000n,
    networks: [],
    links: [],
    ports: [],
    owner,
    sent,
    ...described,
    placed: [],
    state: created,
    restartCount: 0,
    paths: {
      hostname: "/c/hostname",
      hosts: "/c/hosts",
      resolvConf: "/c/resolv.conf",
      log: "/c/log",
      lowerDirectories: ["/l"],
      upperDirectory: "/u",
      workDirectory: "/w",
    },
    execIds: [],
  };
}

function fakeExecs(containers: FakeContainers, calls: string[]): Engine["execs"] {
  const execs = new Map<string, Exec>();
  const get = (id: string): Exec => {
    const exec = execs.get(id);
    if (!exec) throw new Fault("not_found", `there is no exec ${id}`);
    return exec;
  };
  return {
    get,
    container(ref: string) {
      const { id, state } = containers.get(ref);
      if (state.status === "running") return id;
      throw new Fault("conflict", `container ${id} is not running`);
    },
    async create(ref: string, request: ExecRequest) {
      const id = newId<ExecId>();
      execs.set(id, { id, containerId: containers.get(ref).id, request, running: false, pid: 0 });
      return id;
    },
    async start(id, { detach }) {
      const exec = get(id);
      calls.push(`exec ${exec.request.argv.join(" ")}`);
      let process: Process;
      try {
        process = run(exec.request.argv, exec.request.tty);
      } catch (error) {
        execs.set(id, { ...exec, exitCode: 127 });
        throw error;
      }
      execs.set(id, { ...exec, running: true, pid: 4243 });
      void process.ended.promise.then((exitCode) => execs.set(id, { ...exec, exitCode }));
      return detach ? undefined : streamOf(Promise.resolve(process), exec.request.tty);
    },
    async resize(_id, { rows, columns }) {
      calls.push(`resize ${rows}x${columns}`);
    },
  };
}

function fakeRegistries(calls: string[]): Engine["registries"] {
  return {
    async login(host, credentials) {
      calls.push(`login ${host} ${JSON.stringify(credentials)}`);
      if (credentials.password === "wrong") throw new Fault("unauthenticated", "401");
      return credentials.username === "token" ? { identityToken: "refresh" } : {};
    },
    async distribution(reference) {
      if (reference.includes("missing")) throw new Fault("not_found", "404");
      return {
        mediaType: "application/vnd.oci.image.index.v1+json",
        digest: imageId,
        size: 946,
        platforms: [{ os: "linux", architecture: "arm", variant: "v7" }],
      };
    },
    async search(term, { limit }) {
      calls.push(`search ${term} ${limit ?? ""}`.trim());
      return [
        { name: "busybox", description: "tools", stars: 7, official: true },
        { name: "me/busybox", description: "", stars: 1, official: false },
      ];
    },
  };
}

function fakeImages(calls: string[]): Engine["images"] {
  const isKnown = (ref: string) => ref === imageId || fakeImage.tags.includes(ref);
  const known = (ref: string) => {
    if (!isKnown(ref)) throw new Fault("not_found", `what is ${ref}?`);
    return fakeImage;
  };
  const swallow = async (archive: AsyncIterable<Uint8Array>) => {
    let bytes = 0;
    for await (const chunk of archive) bytes += chunk.byteLength;
    return bytes;
  };
  return {
    list: async () => [fakeImage],
    get: async (ref) => known(ref),
    idOf: (ref) => (isKnown(ref) ? imageId : undefined),
    savedNames: (ref) => known(ref).tags,
    history: async () => [],
    async pull({ reference, all, platform, credentials }, report, signal) {
      calls.push(`pull ${reference}${all ? " all" : ""} ${platform ?? ""}`.trim());
      const user = credentials("registry.example")?.username;
      if (user) calls.push(`as ${user}`);
      if (reference.includes("missing")) throw new Fault("not_found", "404", { about: reference });
      if (reference.includes("secret")) throw new Fault("unauthenticated", "401");
      if (reference.includes("away")) throw new Fault("unavailable", "nobody answers");
      report({ kind: "pulling", path: "library/busybox", label: "test" });
      report({ kind: "layer", id: "0123456789ab", step: "found" });
      report({ kind: "layer", id: "0123456789ab", step: "downloading", current: 5, total: 10 });
      if (reference.includes("broken")) throw new Fault("data_loss", "not what was promised");
      if (reference.includes("endless"))
        await new Promise((_, reject) => {
          signal.addEventListener("abort", () => {
            calls.push("pull canceled");
            reject(new Fault("canceled", "canceled"));
          });
        });
      report({ kind: "layer", id: "0123456789ab", step: "complete" });
      report({ kind: "pulled", digest: imageId });
      report({ kind: "complete", name: reference, isNew: true });
    },
    pushArtifact: async ({ reference }) => void calls.push(`push artifact ${reference.path}`),
    async push({ reference, all, platform }, report) {
      calls.push(`push ${reference}${all ? " all" : ""} ${platform ?? ""}`.trim());
      report({ kind: "pushing", repository: "docker.io/library/busybox" });
      if (reference.includes("missing"))
        throw new Fault("not_found", `tag does not exist: ${reference}`, { about: reference });
      report({ kind: "layer", id: "0123456789ab", step: "preparing" });
      report({ kind: "layer", id: "0123456789ab", step: "mounted", from: "library/other" });
      report({ kind: "pushed", tag: "test", digest: imageId, size: 946 });
    },
    tag: async (source, target) => void calls.push(`tag ${source} ${target}`),
    remove: async (ref) => [{ untagged: ref }],
    prune: async () => ({ deleted: [], bytes: 0 }),
    async load(archive, { platform }, report) {
      if (platform !== undefined) calls.push(`load ${platform}`);
      const bytes = await swallow(archive);
      if (bytes < 10) throw new Fault("invalid", "this is not an archive");
      report({ id: "abc", status: "Loading layer", current: bytes, total: bytes });
      return [{ id: imageId, tag: "busybox:test" }];
    },
    save: (refs, { platform } = {}) =>
      Readable.from([
        Buffer.from(`archive of ${refs.join(" ")}${platform ? ` for ${platform}` : ""}`),
      ]),
    files: () => Promise.reject(new Fault("unsupported", "images have no files here")),
    async archive(ref, { path, follow }) {
      known(ref);
      calls.push(`archive ${path}${follow ? " follow" : ""}`);
      if (path === "/missing") throw new Fault("not_found", "no such file");
      return {
        name: "link",
        size: 0,
        mode: 0o120777,
        mtime: 1_700_000_000_000_000_000n,
        linkTarget: "there",
        tar: Readable.from([Buffer.from("a tar")]),
        async [Symbol.asyncDispose]() {
          calls.push("archive closed");
        },
      };
    },
    async import(archive, options) {
      calls.push(`import ${await swallow(archive)} ${JSON.stringify(options)}`);
      return imageId;
    },
    async make(request, report) {
      calls.push(`make ${request.method} ${request.reference}`);
      report({ status: "halfway" });
      if (request.method === "debootstrap") throw new Fault("unavailable", "the mirror is away");
      await swallow(request.files);
      return imageId;
    },
  };
}

/** A build cache that is empty; nothing is built with it. */
function fakeBuilder(calls: string[]): Builder {
  const cache: Pick<Builder, "usage" | "prune"> = {
    usage: async () => [],
    prune: async (options) => {
      calls.push(`prune builds ${JSON.stringify(options)}`);
      return { ids: [], bytes: 0 };
    },
  };
  return cache as Builder;
}
