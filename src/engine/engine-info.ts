import { readFileSync } from "node:fs";
import { arch, hostname, release, totalmem } from "node:os";
import { type Machine, missingCapabilities } from "#runtime";
import type { EngineInfo } from "./contract.ts";
import type { Parts } from "./parts.ts";

/** The facts that `docker info` shows. */
export async function engineInfo(
  parts: Parts<
    "paths" | "state" | "cpus" | "tasks" | "content" | "store" | "networks" | "settings"
  >,
): Promise<EngineInfo> {
  const statuses = [...parts.store.all()].map((record) => record.state.status);
  const count = (...wanted: string[]) => statuses.filter((each) => wanted.includes(each)).length;
  const system = readOsRelease();
  return {
    id: parts.state.instanceId,
    name: hostname(),
    dataRoot: parts.paths.dataRoot,
    containers: {
      running: count("running"),
      paused: count("paused"),
      stopped: count("created", "exited", "dead"),
    },
    images: parts.content.images.count(),
    kernelVersion: release(),
    operatingSystem: system.PRETTY_NAME ?? "Linux",
    osVersion: system.VERSION_ID ?? "",
    architecture: arch() === "arm64" ? "aarch64" : "x86_64",
    cpus: parts.cpus,
    memory: totalmem(),
    cgroupVersion: parts.tasks.machine.cgroupVersion,
    storageDriver: "overlay",
    loggingDriver: parts.settings.current.log.Type,
    settings: parts.settings.current,
    securityOptions: ["name=seccomp,profile=builtin"],
    warnings: [...machineWarnings(parts.tasks.machine), ...(await parts.networks.warnings())],
  };
}

/** What this machine lacks for containers, whichever they are. */
function machineWarnings({ capabilities }: Pick<Machine, "capabilities">): readonly string[] {
  const missing = missingCapabilities(capabilities).join(", ");
  return missing
    ? [`this machine cannot give containers ${missing}, not even privileged ones`]
    : [];
}

/** os-release(5); an empty record when the file is missing. */
function readOsRelease(): Readonly<Record<string, string>> {
  let text = "";
  try {
    text = readFileSync("/etc/os-release", "utf8");
  } catch {
    return {};
  }
  const entries = text.split("\n").flatMap((line) => {
    const match = /^([A-Z_]+)=(?:"(.*)"|(.*))$/.exec(line);
    return match ? [[match[1] ?? "", match[2] ?? match[3] ?? ""] as const] : [];
  });
  return Object.fromEntries(entries);
}
