import { readFileSync } from "node:fs";
import { connectApi } from "../engine-api.ts";
import { residentSetSize } from "../machine.ts";
import type { Finding } from "../report.ts";
import type { Stage } from "../stage.ts";
import { startSubject } from "../subject.ts";

const count = 500;
/** Seconds; twice the interval of the probes. */
const watched = 60;
const bars = { memory: 150, idle: 0.2, probed: 3 } as const;

/** An engine with five hundred containers that run: its memory, and its work while they do nothing. */
export async function runningCrowd({ image, rootArchive }: Stage): Promise<Finding[]> {
  return [
    ...(await crowd({ image, rootArchive }, "off")),
    ...(await crowd({ image, rootArchive }, "on")),
  ];
}

async function crowd(
  { image, rootArchive }: Pick<Stage, "image" | "rootArchive">,
  probes: "on" | "off",
): Promise<Finding[]> {
  await using subject = await startSubject();
  const api = connectApi(subject.host);
  await api.import({ name: image, archive: rootArchive });
  const Healthcheck = { Test: ["CMD", "/bin/true"], Interval: 30e9, StartInterval: 30e9 };
  for (let number = 0; number < count; number++) {
    const id = await api.create(image, ["/bin/sleep", "1000000"], {
      HostConfig: { NetworkMode: "none" },
      ...(probes === "on" && { Healthcheck }),
    });
    await api.start(id);
  }
  // What the starts left to do, and an engine that gives memory back.
  await Bun.sleep(15_000);
  const before = processorTime(subject.pid);
  await Bun.sleep(watched * 1000);
  const share = ((processorTime(subject.pid) - before) / watched) * 100;
  const resident = residentSetSize(subject.pid) / 1024;
  await api.removeAll();
  const bar = probes === "on" ? bars.probed : bars.idle;
  const findings: Finding[] = [
    {
      kind: "figure",
      title: `engine with ${count} idle containers, health checks ${probes === "on" ? "every 30 s" : "off"}`,
      figure: `${share.toFixed(2)} % of a core`,
      bar: `under ${bar} %`,
      holds: share < bar,
    },
  ];
  if (probes === "off")
    findings.push({
      kind: "figure",
      title: `engine with ${count} running containers (RSS)`,
      figure: `${resident.toFixed(0)} MB`,
      bar: `at most ${bars.memory} MB`,
      holds: resident <= bars.memory,
    });
  return findings;
}

/** Seconds of processor time that a process has used; the probes' own programs are not among them (proc_pid_stat(5)). */
function processorTime(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
  const ticksPerSecond = 100;
  return (Number(fields[11]) + Number(fields[12])) / ticksPerSecond;
}
