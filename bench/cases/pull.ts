import {
  freshContainerd,
  freshDocker,
  freshly,
  freshOwn,
  freshPodman,
  freshSkopeo,
} from "../fresh-store.ts";
import { heaviestWhile, residentSetSize, showWeight } from "../machine.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave, type Sample } from "../statistics.ts";

const peak = 250 * 1024;
const idle = 90 * 1024;

/** From the command to an image that can be run: download, check and unpack. */
export async function pull(stage: Stage): Promise<Finding[]> {
  return [
    await pulls(stage, "debian", "pull and unpack, Debian of 500 MB in 6 layers"),
    await pulls(stage, "small", "pull and unpack, 50,000 small files in 5 layers"),
    ...(await memory(stage)),
  ];
}

async function pulls(stage: Stage, name: string, title: string): Promise<Finding> {
  const { source } = await stage.library();
  const reference = source.reference(name);
  const { peers } = stage;
  const measured = [
    freshly(stage, freshOwn(), (store) => store.pull(reference)),
    ...(peers ? [freshDocker(peers), freshContainerd(peers)] : []).map((kind) =>
      freshly(stage, kind, (store) => store.pull(reference)),
    ),
  ];
  const samples: Sample[] = await interleave(measured, Math.min(stage.rounds, 7), 1);
  // No bar is about them.
  const others = (peers ? [freshPodman(peers), freshSkopeo(peers)] : []).map((kind) =>
    freshly(stage, kind, (store) => store.pull(reference)),
  );
  samples.push(...(await interleave(others, Math.min(stage.rounds, 3), 0)));
  return {
    kind: "timed",
    title,
    samples,
    ...(peers && {
      bars: [
        { against: "dockerd", factor: 1.5 },
        { against: "ctr", factor: 1.3 },
      ],
    }),
    note:
      "all from Debian's docker-registry on the loopback, its files in the page cache; " +
      "each turn in a new engine on a new file system; skopeo unpacks nothing; " +
      "podman and skopeo three times; ctr's, podman's and skopeo's times hold a millisecond of nsenter(1)",
  };
}

/** The engine and its workers, which are threads of it, while it pulls both images at once. */
async function memory(stage: Stage): Promise<Finding[]> {
  const { source } = await stage.library();
  await using store = await freshOwn().start(stage);
  const { subject } = store;
  const references = ["debian", "small"].map((name) => source.reference(name));
  const weight = await heaviestWhile(subject.pid, async () => {
    await Promise.all(references.map((reference) => command(store.pull(reference))));
  });
  for (const reference of references) await command(subject.argv("rmi", reference));
  await Bun.sleep(15_000);
  const resident = residentSetSize(subject.pid);
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
