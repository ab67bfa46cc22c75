import { dockerStore, ownStore, settle } from "../image-store.ts";
import { command } from "../peers.ts";
import { debianRegistry, startRegistry } from "../registry-peer.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave } from "../statistics.ts";

/** The Debian image to a registry that holds nothing. */
export async function push(stage: Stage): Promise<Finding[]> {
  const { source, debian, registryBinary, directory } = await stage.library();
  const place = await directory("target");
  await using target = await startRegistry(debianRegistry(registryBinary, place, { cache: false }));
  const from = source.reference("debian");
  const to = target.reference("pushed");
  const stores = [ownStore(stage), ...(stage.peers ? [dockerStore(stage.peers.dockerHost)] : [])];
  for (const store of stores) {
    await command(store.pull(from));
    await command(store.tag(from, to));
  }
  const samples = await interleave(
    stores.map((store) => ({
      name: store.name,
      before: async () => {
        await target.empty();
        await settle(stage);
      },
      run: async () => void (await command(store.push(to))),
    })),
    Math.min(stage.rounds, 7),
    1,
  );
  for (const store of stores) await store.remove(from, debian);
  return [
    {
      kind: "timed",
      title: "push, Debian of 500 MB in 6 layers",
      samples,
      ...(stage.peers && { bars: [{ against: "dockerd", factor: 1.5 }] }),
      note:
        "to Debian's docker-registry on the loopback, emptied before each turn; " +
        "dockerd compresses again what it pulled, thimble keeps what it pulled",
    },
  ];
}
