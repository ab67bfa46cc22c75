#!/usr/bin/env bun
import { join } from "node:path";
import { runCli } from "#cli";
import { version } from "./version.ts";

// They would run foreign code in the programs that are started from here: the engine, helpers of
// credentials.
for (const name of ["BUN_OPTIONS", "BUN_BE_BUN"]) delete process.env[name];

/** The file that starts this program: the release, or the clone's script. */
async function ownProgram(): Promise<string> {
  const { isRelease } = await import("./assets.ts");
  return isRelease ? process.execPath : join(import.meta.dir, "../../thimble");
}

/** The command line. What only some verbs need is imported when they run. */
const status = await runCli(process.argv.slice(2), {
  version,
  env: process.env,
  local: {
    daemon: async (options) => (await import("./daemon.ts")).runDaemon(options),
    daemonUnits: async (request, { isRehearsal }) => {
      const { applyUnits, planUnits } = await import("#local");
      const plan = planUnits({ ...request, program: await ownProgram() });
      if (!isRehearsal) applyUnits(plan);
      return plan;
    },
    doctor: async (context) => {
      await (await import("./native-parts.ts")).useEmbeddedAddon();
      return (await import("#local")).doctor(context);
    },
    fsck: async (request) => {
      await (await import("./native-parts.ts")).useEmbeddedAddon();
      return (await import("#local")).fsck(request);
    },
    certificates: async (request) => (await import("#local")).issueEngineCertificates(request),
    registryVerbs: async (context) => {
      const configRoot = process.env.THIMBLE_CONFIG_ROOT || "/etc/thimble";
      return (await import("#local")).registryVerbs({ ...context, configRoot, insecure: [] });
    },
    registryServing: async (context) => {
      const configRoot = process.env.THIMBLE_CONFIG_ROOT || "/etc/thimble";
      const { useEmbeddedAddon: prepare } = await import("./native-parts.ts");
      return (await import("#local")).registryServing({ ...context, version, configRoot, prepare });
    },
  },
  startDaemon: async (options) => (await import("./start-daemon.ts")).startDaemon(options),
});

// Not by exitCode: an open standard input or a wait for a container would hold the process.
process.exit(status);
