import { mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { FreshDisk } from "./fresh-disk.ts";
import { command, type Peers } from "./peers.ts";

/** containerd out of the peers' tree, apart from the one that Docker's engine runs. */
export interface ContainerdPeer extends AsyncDisposable {
  ctr(...argv: string[]): string[];
}

/** Starts one with ctr's defaults: overlayfs, three downloads at once. */
export async function startContainerd(peers: Peers, disk: FreshDisk): Promise<ContainerdPeer> {
  const state = "/run/thimble-bench-containerd";
  const address = `${state}/socket`;
  const place = join(peers.tree, state);
  await rm(place, { recursive: true, force: true });
  await mkdir(place, { recursive: true });
  const config = `${state}/config.toml`;
  await writeFile(
    join(peers.tree, config),
    'version = 3\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n',
  );
  const root = join(disk.place, "containerd");
  const flags = ["--root", root, "--state", state, "--address", address, "--log-level", "error"];
  const log = join(place, "log");
  const child = Bun.spawn(disk.within(["containerd", "--config", config, ...flags]), {
    stdin: "ignore",
    stdout: "ignore",
    stderr: Bun.file(log),
  });
  const ctr = (...argv: string[]) => disk.within(["ctr", "--address", address, ...argv]);
  for (let attempt = 0; ; attempt++) {
    const answers = await command(ctr("version")).then(
      () => true,
      () => false,
    );
    if (answers) break;
    if (attempt > 100 || child.exitCode !== null) {
      child.kill();
      throw new Error(`containerd does not start: ${await Bun.file(log).text()}`);
    }
    await Bun.sleep(100);
  }
  return {
    ctr,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await child.exited;
      await rm(place, { recursive: true, force: true });
    },
  };
}
