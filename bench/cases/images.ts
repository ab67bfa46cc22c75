import { rm } from "node:fs/promises";
import { join } from "node:path";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import type { Sample } from "../statistics.ts";

const suite = "bookworm";

async function timed(argv: readonly string[]): Promise<number> {
  const begun = performance.now();
  await command(argv);
  return performance.now() - begun;
}

/** A minbase image, with nothing downloaded yet and again with everything there, beside mmdebstrap. */
export async function images({ subject, peers }: Stage): Promise<Finding[]> {
  const make = subject.argv("mkimage", "-t", "thimble-bench-debian", "debootstrap", suite);
  const cold: Sample[] = [{ name: "thimble", milliseconds: [await timed(make)] }];
  const warm: Sample[] = [
    { name: "thimble", milliseconds: [await timed(make), await timed(make)] },
  ];
  if (peers) {
    const output = join(peers.tree, "root/minbase.tar");
    const reference = peers.inTree([
      "mmdebstrap",
      "--quiet",
      "--variant=minbase",
      suite,
      "/root/minbase.tar",
    ]);
    const times = [];
    for (let i = 0; i < 3; i++) {
      await rm(output, { force: true });
      times.push(await timed(reference));
    }
    cold.push({ name: "mmdebstrap", milliseconds: times });
  }
  return [
    {
      kind: "timed",
      title: `minbase ${suite} image, cold`,
      samples: cold,
      note: "mmdebstrap keeps no cache and makes a tar",
    },
    { kind: "timed", title: `minbase ${suite} image, warm`, samples: warm },
  ];
}
