import { isFault } from "#base";
import { contextName, openClient } from "#client";
import type { SystemVersion } from "#wire";
import { API_VERSION } from "#wire";
import type { Verb } from "../command.ts";
import { failureText } from "../failure.ts";
import { versionShape } from "../inspect-shapes.ts";
import { lineOnFailure, userTemplate } from "../listing.ts";
import type { showFlags } from "../table/system.ts";

export const version: Verb<typeof showFlags> = async (context, { flags }) => {
  // A client of its own: to ask for a version is no reason to start an engine.
  const engine = openClient({ host: context.host.host });
  let server: SystemVersion | undefined;
  let failure = "";
  let idle = false;
  try {
    server = await engine.system.version();
  } catch (error) {
    idle = context.host.source === "default" && isFault(error, "unavailable");
    failure = idle ? "" : failureText(error);
  }
  const client = {
    Version: context.options.version,
    ApiVersion: server ? engine.apiVersion : API_VERSION,
    DefaultAPIVersion: API_VERSION,
    GitCommit: "",
    GoVersion: "",
    Os: process.platform,
    Arch: process.arch === "x64" ? "amd64" : process.arch,
    BuildTime: "",
    Context: contextName({ flags: context.hostFlags, env: context.env }),
    Runtime: `bun ${Bun.version}`,
  };
  const format = flags.json ? "json" : flags.format;
  const value = { Client: client, Server: server ?? null };
  if (format === "json") await context.out.write(`${JSON.stringify(value)}\n`);
  else if (format) {
    const template = userTemplate(format, versionShape);
    await context.out.write(await lineOnFailure(context, () => `${template(value)}\n`));
  } else await context.out.write(describe(client, server, idle));
  if (failure === "") return 0;
  await context.err.write(`${failure}\n`);
  return 1;
};

function describe(
  client: Readonly<Record<string, string>>,
  server: SystemVersion | undefined,
  idle: boolean,
): string {
  const lines = [
    "Client:",
    line(1, "Version:", client.Version),
    line(1, "API version:", client.ApiVersion),
    line(1, "Runtime:", client.Runtime),
    line(1, "OS/Arch:", `${client.Os}/${client.Arch}`),
    line(1, "Context:", client.Context),
  ];
  if (!server) {
    const state = idle ? "not running; it starts on first use" : "out of reach";
    return `${lines.join("\n")}\n\nServer: ${state}\n`;
  }
  const name = server.Platform?.Name;
  lines.push("", name ? `Server: ${name}` : "Server:");
  const range = `${server.ApiVersion} (minimum version ${server.MinAPIVersion})`;
  for (const component of server.Components ?? []) {
    lines.push(` ${component.Name}:`, line(2, "Version:", component.Version));
    if (component.Name !== "Engine") continue;
    lines.push(
      line(2, "API version:", range),
      line(2, "Git commit:", server.GitCommit),
      line(2, "OS/Arch:", `${server.Os}/${server.Arch}`),
      line(2, "Kernel:", server.KernelVersion),
    );
  }
  return `${lines.join("\n")}\n`;
}

function line(depth: number, label: string, text: string | undefined): string {
  return `${" ".repeat(depth)}${label.padEnd(19 - depth)} ${text ?? ""}`.trimEnd();
}
