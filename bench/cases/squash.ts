import { ownStore, settle } from "../image-store.ts";
import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave } from "../statistics.ts";

/** The Debian image's six layers into one. */
export async function squash(stage: Stage): Promise<Finding[]> {
  const { source, debian } = await stage.library();
  const store = ownStore(stage);
  const reference = source.reference("debian");
  const target = "thimble-bench-squashed";
  await command(store.pull(reference));
  const samples = await interleave(
    [
      {
        name: "thimble",
        before: async () => {
          await command(stage.subject.argv("rmi", target)).catch(() => undefined);
          await settle(stage);
        },
        run: async () =>
          void (await command(stage.subject.argv("squash", "-t", target, reference))),
      },
    ],
    Math.min(stage.rounds, 5),
    1,
  );
  await command(stage.subject.argv("rmi", target));
  await store.remove(reference, debian);
  return [{ kind: "timed", title: "squash, Debian of 500 MB in 6 layers", samples }];
}
