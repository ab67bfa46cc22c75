import { command } from "../peers.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { interleave, median } from "../statistics.ts";

/**
 * The container's share of a run: beside the same command line asking for the version, and, for the
 * docker CLI, without the time that it takes to start.
 */
export async function overhead({ subject, peers, image, rounds }: Stage): Promise<Finding[]> {
  const start = ["run", "--rm", image, "/bin/true"];
  const lines: [name: string, argv: readonly string[]][] = [
    ["thimble version", subject.argv("version")],
    ["run, no network", subject.argv("run", "--rm", "--network", "none", image, "/bin/true")],
    ["run, default network", subject.argv(...start)],
  ];
  if (peers) {
    lines.push(
      ["docker --version", ["docker", "--version"]],
      ["docker CLI, thimble", ["docker", "-H", subject.host, ...start]],
      ["docker CLI, dockerd", ["docker", "-H", peers.dockerHost, ...start]],
    );
  }
  const samples = await interleave(
    lines.map(([name, argv]) => ({ name, run: async () => void (await command(argv)) })),
    rounds,
  );
  const [version, alone, networked, docker, ours, theirs] = samples.map(median) as number[];
  const ratio = (alone as number) / (version as number);
  const network = (networked as number) - (alone as number);
  const findings: Finding[] = [
    { kind: "timed", title: "run --rm true beside a command that starts nothing", samples },
    {
      kind: "figure",
      title: "run --rm --network none true, over `thimble version`",
      figure: `${ratio.toFixed(2)}×`,
      bar: "at most 1.6×",
      holds: ratio <= 1.6,
    },
    {
      kind: "figure",
      title: "the default network, in addition",
      figure: `${network.toFixed(1)} ms`,
      bar: "at most 2 ms",
      holds: network <= 2,
    },
  ];
  if (docker === undefined || ours === undefined || theirs === undefined) return findings;
  const factor = (theirs - docker) / (ours - docker);
  findings.push({
    kind: "figure",
    title: "docker CLI's run --rm true without its own start-up, dockerd over thimble",
    figure: `${factor.toFixed(1)}×`,
    bar: "at least 10×",
    holds: factor >= 10,
  });
  return findings;
}
