import {
  containerdStore,
  dockerStore,
  type ImageStore,
  ownStore,
  podmanStore,
  settle,
  skopeoStore,
} from "../image-store.ts";
import type { LayoutImage } from "../layout-image.ts";
import { heaviestWhile, residentSetSize, showWeight } from "../machine.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { type Contender, interleave } from "../statistics.ts";

const peak = 250 * 1024;
const idle = 90 * 1024;

/** From the command to an image that can be run: download, check and unpack. */
export async function pull(stage: Stage): Promise<Finding[]> {
  const { debian, small } = await stage.library();
  return [
    ...(await pulls(stage, "debian", debian, "pull and unpack, Debian of 500 MB in 6 layers")),
    ...(await pulls(stage, "small", small, "pull and unpack, 50,000 small files in 5 layers")),
    ...(await memory(stage)),
  ];
}

async function pulls(
  stage: Stage,
  name: string,
  image: LayoutImage,
  title: string,
): Promise<Finding[]> {
  const library = await stage.library();
  const reference = library.source.reference(name);
  const stores = [
    ownStore(stage),
    stage.peers && dockerStore(stage.peers.dockerHost),
    containerdStore(library),
    podmanStore(stage),
    skopeoStore(stage),
  ].filter((store) => store !== undefined);
  const samples = await interleave(
    stores.map((store) => pulling(stage, { store, reference, image })),
    Math.min(stage.rounds, 7),
    1,
  );
  for (const store of stores) await store.remove(reference, image);
  return [
    {
      kind: "timed",
      title,
      samples,
      ...(stage.peers && {
        bars: [
          { against: "dockerd", factor: 1.5 },
          { against: "ctr", factor: 1.3 },
        ],
      }),
      note:
        "all from Debian's docker-registry on the loopback, its files in the page cache; " +
        "before each turn the image is removed and the disk synced; skopeo unpacks nothing; " +
        "ctr's, podman's and skopeo's times hold a millisecond of nsenter(1)",
    },
  ];
}

interface Pull {
  readonly store: ImageStore;
  readonly reference: string;
  readonly image: LayoutImage;
}

function pulling(stage: Stage, { store, reference, image }: Pull): Contender {
  return {
    name: store.name,
    before: async () => {
      await store.remove(reference, image);
      await settle(stage);
    },
    run: async () => void (await command(store.pull(reference))),
  };
}

/** The engine and its workers, which are threads of it, while it pulls both images at once. */
async function memory(stage: Stage): Promise<Finding[]> {
  const { source } = await stage.library();
  const store = ownStore(stage);
  const references = ["debian", "small"].map((name) => source.reference(name));
  const weight = await heaviestWhile(stage.subject.pid, async () => {
    await Promise.all(references.map((reference) => command(store.pull(reference))));
  });
  for (const reference of references) await command(stage.subject.argv("rmi", reference));
  await Bun.sleep(15_000);
  const resident = residentSetSize(stage.subject.pid);
  return [
    {
      kind: "figure",
      title: "engine, peak while pulling both images at once",
      figure: showWeight(weight),
      bar: "RSS at most 250 MB",
      holds: weight.resident <= peak,
    },
    {
      kind: "figure",
      title: "engine, 15 seconds after the pulls (RSS)",
      figure: `${(resident / 1024).toFixed(1)} MB`,
      bar: "at most 90 MB",
      holds: resident <= idle,
    },
  ];
}
