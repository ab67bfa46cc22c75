import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { type Contender, interleave } from "../statistics.ts";

/** `run --rm IMAGE true` from the command line to its end, one by one and twenty at once. */
export async function run(stage: Stage): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const [title, network] of [
    ["run --rm true, default network", []],
    ["run --rm true, --network none", ["--network", "none"]],
  ] as const) {
    findings.push({
      kind: "timed",
      title,
      samples: await interleave(contenders(stage, network, 1), stage.rounds),
      ...(stage.peers ? { bars: [{ against: "docker", factor: 6 }] } : {}),
      note: "podman's times hold a millisecond of nsenter(1)",
    });
  }
  findings.push({
    kind: "timed",
    title: "20 × run --rm true at once, default network",
    samples: await interleave(contenders(stage, [], 20), Math.min(stage.rounds, 5), 1),
  });
  return findings;
}

function contenders(
  { subject, peers, image }: Stage,
  flags: readonly string[],
  count: number,
): Contender[] {
  const verb = ["run", "--rm", ...flags, image, "/bin/true"];
  const contender = (name: string, argv: readonly string[]): Contender => ({
    name,
    run: async () => {
      await Promise.all(Array.from({ length: count }, () => command(argv)));
    },
  });
  const all = [contender("thimble", subject.argv(...verb))];
  if (peers) {
    all.push(contender("docker", ["docker", "-H", peers.dockerHost, ...verb]));
    all.push(contender("podman", peers.inTree(["podman", ...verb])));
  }
  return all;
}
