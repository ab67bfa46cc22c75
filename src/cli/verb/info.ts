import { contextName } from "#client";
import { API_VERSION, type SystemInfo } from "#wire";
import type { Verb } from "../command.ts";
import { failureText } from "../failure.ts";
import { binarySize } from "../human.ts";
import { infoShape } from "../inspect-shapes.ts";
import { lineOnFailure, userTemplate } from "../listing.ts";
import type { showFlags } from "../table/system.ts";

export const info: Verb<typeof showFlags> = async (context, { flags }) => {
  const client = {
    Debug: false,
    Version: context.options.version,
    DefaultAPIVersion: API_VERSION,
    ...{ GitCommit: "", GoVersion: "" },
    Os: process.platform,
    Arch: process.arch === "x64" ? "amd64" : process.arch,
    BuildTime: "",
    Context: contextName({ flags: context.hostFlags, env: context.env }),
    ...{ Plugins: [], Warnings: null },
  };
  let server: SystemInfo | undefined;
  let failure = "";
  try {
    server = await context.client.system.info();
  } catch (error) {
    failure = failureText(error);
  }
  const format = flags.json ? "json" : flags.format;
  const value = { ...server, ClientInfo: client, ...(failure ? { ServerErrors: [failure] } : {}) };
  if (format === "json") await context.out.write(`${JSON.stringify(value)}\n`);
  else if (format) {
    const template = userTemplate(format, infoShape);
    await context.out.write(await lineOnFailure(context, () => `${template(value)}\n`));
  } else {
    const head = `Client:\n Version:    ${client.Version}\n Context:    ${client.Context}\n\nServer:\n`;
    await context.out.write(server ? `${head}${describe(server)}` : head);
  }
  if (!format)
    for (const warning of server?.Warnings ?? []) await context.err.write(`${warning}\n`);
  if (server) return 0;
  await context.err.write(`${failure}\n`);
  return 1;
};

function describe(server: SystemInfo): string {
  const lines: [depth: number, label: string, value: unknown][] = [
    [1, "Containers", server.Containers],
    [2, "Running", server.ContainersRunning],
    [2, "Paused", server.ContainersPaused],
    [2, "Stopped", server.ContainersStopped],
    [1, "Images", server.Images],
    [1, "Server Version", server.ServerVersion],
    [1, "Storage Driver", server.Driver],
    ...pairs(server.DriverStatus).map(([key, value]): [number, string, unknown] => [2, key, value]),
    [1, "Logging Driver", server.LoggingDriver],
    [1, "Cgroup Driver", server.CgroupDriver],
    [1, "Cgroup Version", server.CgroupVersion],
    [1, "Security Options", ""],
    ...(server.SecurityOptions ?? []).map(securityLine),
    [1, "Kernel Version", server.KernelVersion],
    [1, "Operating System", server.OperatingSystem],
    [1, "OSType", server.OSType],
    [1, "Architecture", server.Architecture],
    [1, "CPUs", server.NCPU],
    [1, "Total Memory", binarySize(server.MemTotal)],
    [1, "Name", server.Name],
    [1, "ID", server.ID],
    [1, "Docker Root Dir", server.DockerRootDir],
  ];
  return lines
    .filter(([, , value]) => value !== undefined && value !== null)
    .map(([depth, label, value]) => `${" ".repeat(depth)}${label}: ${value}`.trimEnd())
    .map((line) => `${line}\n`)
    .join("");
}

/** "name=seccomp,profile=builtin" as the name; the rest stands in brackets. */
function securityLine(option: string): [number, string, unknown] {
  const [name = "", ...rest] = option.split(",").map((part) => part.replace(/^name=/, ""));
  return [2, name, rest.map((part) => part.replace("=", ": ")).join(", ")];
}

function pairs(value: unknown): [string, unknown][] {
  if (!Array.isArray(value)) return [];
  return value.filter((pair) => Array.isArray(pair) && pair.length === 2) as [string, unknown][];
}
