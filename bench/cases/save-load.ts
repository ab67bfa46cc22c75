import { rm, stat } from "node:fs/promises";
import { join } from "node:path";
import {
  type FreshEngine,
  type FreshKind,
  freshDocker,
  freshly,
  freshOwn,
} from "../fresh-store.ts";
import { dockerStore, ownStore, settle } from "../image-store.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave, type Sample } from "../statistics.ts";

/** The Debian image into a file, and out of it again into an engine that has nothing of it. */
export async function saveAndLoad(stage: Stage): Promise<Finding[]> {
  const { source, debian, directory } = await stage.library();
  const place = await directory("saved");
  const reference = source.reference("debian");
  const rounds = Math.min(stage.rounds, 7);
  const engines = [
    ownStore(stage),
    ...(stage.peers ? [dockerStore(stage.peers.dockerHost)] : []),
  ].map((store) => ({ store, file: join(place, `${store.name}.tar`) }));
  for (const { store } of engines) await command(store.pull(reference));
  const saved = await interleave(
    engines.map(({ store, file }) => ({
      name: store.name,
      before: async () => {
        await rm(file, { force: true });
        await settle(stage);
      },
      run: async () => void (await command(store.save(reference, file))),
    })),
    rounds,
    1,
  );
  const sizes = await Promise.all(
    engines.map(async ({ store, file }) => `${store.name} ${(await stat(file)).size >> 20} MiB`),
  );
  for (const { store } of engines) await store.remove(reference, debian);
  const fresh = [freshOwn(), ...(stage.peers ? [freshDocker(stage.peers)] : [])];
  const loaded = await interleave(
    fresh.map((kind: FreshKind<FreshEngine>) =>
      freshly(stage, kind, (store) => store.load(join(place, `${kind.name}.tar`))),
    ),
    rounds,
    1,
  );
  for (const { file } of engines) await rm(file);
  return [
    {
      kind: "timed",
      title: "save + load, Debian of 500 MB in 6 layers",
      samples: sums(saved, loaded),
      ...(stage.peers && { bars: [{ against: "dockerd", factor: 2 }] }),
      note:
        `each engine's own archive (${sizes.join(", ")}), to a file and from it; ` +
        "the sum of a round's two times; each load in a new engine on a new file system",
    },
    { kind: "timed", title: "of it save", samples: saved },
    { kind: "timed", title: "of it load", samples: loaded },
  ];
}

function sums(first: readonly Sample[], second: readonly Sample[]): Sample[] {
  return first.map(({ name, milliseconds }, index) => ({
    name,
    milliseconds: milliseconds.map(
      (each, round) => each + (second[index]?.milliseconds[round] ?? Number.NaN),
    ),
  }));
}
