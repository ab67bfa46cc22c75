import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { startContainerd } from "./containerd-peer.ts";
import type { FreshDisk } from "./fresh-disk.ts";
import { dockerStore, ownStore } from "./image-store.ts";
import { command, type Peers } from "./peers.ts";
import type { Stage } from "./stage.ts";
import type { Contender } from "./statistics.ts";
import { release, type Subject, startSubject } from "./subject.ts";

/** An engine or tool that has no image at all, on a disk of its own. */
export interface FreshStore extends AsyncDisposable {
  pull(reference: string): string[];
}

export interface FreshEngine extends FreshStore {
  load(file: string): string[];
}

/** The parts that begin anew in each turn. */
export interface FreshKind<S extends FreshStore> {
  readonly name: string;
  start(stage: Stage): Promise<S>;
}

/** A turn of a new engine: its start and its end are not measured. */
export function freshly<S extends FreshStore>(
  stage: Stage,
  kind: FreshKind<S>,
  argv: (store: S) => string[],
): Contender {
  let store: S | undefined;
  return {
    name: kind.name,
    before: async () => {
      store = await kind.start(stage);
    },
    run: async () => void (store && (await command(argv(store)))),
    after: async () => void (await store?.[Symbol.asyncDispose]()),
  };
}

export interface FreshSubject extends FreshEngine {
  readonly subject: Subject;
}

export function freshOwn(name = "thimble", binary = release): FreshKind<FreshSubject> {
  return {
    name,
    async start(stage) {
      await using scope = new AsyncDisposableStack();
      const disk = scope.use(await (await stage.library()).disks().then((disks) => disks.make()));
      const subject = scope.use(await startSubject({ disk, binary }));
      const { pull, load } = ownStore({ subject });
      return { subject, pull, load, ...owned(scope) };
    },
  };
}

export function freshDocker(peers: Peers): FreshKind<FreshEngine> {
  return {
    name: "dockerd",
    async start(stage) {
      await using scope = new AsyncDisposableStack();
      const disk = scope.use(await makeDisk(stage, peers));
      const host = await startDocker(peers, disk, scope);
      const { pull, load } = dockerStore(host);
      return { pull, load, ...owned(scope) };
    },
  };
}

export function freshContainerd(peers: Peers): FreshKind<FreshStore> {
  return {
    name: "ctr",
    async start(stage) {
      await using scope = new AsyncDisposableStack();
      const disk = scope.use(await makeDisk(stage, peers));
      const { ctr } = scope.use(await startContainerd(peers, disk));
      const flags = ["--plain-http", "--snapshotter", "overlayfs"];
      return {
        pull: (reference) => ctr("images", "pull", ...flags, reference),
        ...owned(scope),
      };
    },
  };
}

export function freshPodman(peers: Peers): FreshKind<FreshStore> {
  return {
    name: "podman",
    async start(stage) {
      const disk = await makeDisk(stage, peers);
      const run = "/run/thimble-bench-podman";
      const root = ["--root", join(disk.place, "podman"), "--runroot", run];
      return {
        pull: (reference) =>
          disk.within(["podman", ...root, "pull", "-q", "--tls-verify=false", reference]),
        async [Symbol.asyncDispose]() {
          await disk[Symbol.asyncDispose]();
          await rm(join(peers.tree, run), { recursive: true, force: true });
        },
      };
    },
  };
}

/** No engine: it downloads and checks into a layout and unpacks nothing. */
export function freshSkopeo(peers: Peers): FreshKind<FreshStore> {
  return {
    name: "skopeo copy",
    async start(stage) {
      const disk = await makeDisk(stage, peers);
      return {
        pull: (reference) =>
          disk.within([
            ...["skopeo", "copy", "-q", "--src-tls-verify=false"],
            ...[`docker://${reference}`, `oci:${disk.place}/layout:bench`],
          ]),
        [Symbol.asyncDispose]: () => disk[Symbol.asyncDispose](),
      };
    },
  };
}

async function makeDisk(stage: Stage, peers: Peers): Promise<FreshDisk> {
  const { disks } = await stage.library();
  return await (await disks()).make(peers);
}

/** Moves the content of a scope to the owner of the result. */
function owned(scope: AsyncDisposableStack): AsyncDisposable {
  const moved = scope.move();
  return { [Symbol.asyncDispose]: () => moved.disposeAsync() };
}

/** With graph drivers as by default, and no network. */
async function startDocker(
  peers: Peers,
  disk: FreshDisk,
  scope: AsyncDisposableStack,
): Promise<string> {
  const run = "/run/thimble-bench-docker";
  const place = join(peers.tree, run);
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  const child = Bun.spawn(
    disk.within([
      ...["dockerd", "--data-root", join(disk.place, "docker"), "--exec-root", `${run}/exec`],
      ...["--host", `unix://${run}/socket`, "--pidfile", `${run}/pid`, "--log-level", "error"],
      ...["--bridge", "none", "--iptables=false", "--ip6tables=false"],
    ]),
    { stdin: "ignore", stdout: "ignore", stderr: Bun.file(join(place, "log")) },
  );
  scope.defer(async () => {
    child.kill("SIGTERM");
    await child.exited;
    await rm(place, { recursive: true, force: true });
  });
  const host = `unix://${place}/socket`;
  for (let attempt = 0; ; attempt++) {
    const answers = await command(["docker", "-H", host, "version"]).then(
      () => true,
      () => false,
    );
    if (answers) return host;
    if (attempt > 100 || child.exitCode !== null) {
      throw new Error(`dockerd does not start: ${await Bun.file(join(place, "log")).text()}`);
    }
    await Bun.sleep(100);
  }
}
