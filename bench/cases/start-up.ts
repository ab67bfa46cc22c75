import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave } from "../statistics.ts";

/** The command line alone: printing a version or a help text, without an engine. */
export async function startUp({ subject, rounds }: Stage): Promise<Finding[]> {
  const samples = await interleave(
    [
      { name: "thimble help", run: async () => void (await command([subject.binary, "--help"])) },
      { name: "docker help", run: async () => void (await command(["docker", "--help"])) },
      { name: "thimble version", run: async () => void (await command(subject.argv("version"))) },
    ],
    rounds,
  );
  return [{ kind: "timed", title: "start-up of the command line", samples }];
}
