import { Fault } from "../../src/base/index.ts";
import { runCli } from "../../src/cli/index.ts";
import { MemorySink, textSource } from "../../src/cli/testing.ts";
import type { DockerTarget } from "./docker-cli.ts";

/** thimble's command line in this process, before the engine of the target. */
export async function inProcess(target: DockerTarget, args: readonly string[]) {
  const [stdout, stderr] = [new MemorySink(), new MemorySink()];
  const never = () => Promise.reject(new Fault("internal", "not to be called"));
  const local = {
    ...{ doctor: never, daemon: never, daemonUnits: never },
    ...{ fsck: never, certificates: never },
  };
  const status = await runCli(args, {
    ...{
      version: "0",
      env: { DOCKER_HOST: target.host, HOME: target.directory },
      stdin: textSource(),
    },
    local: { ...local, registryVerbs: never, registryServing: never },
    ...{ startDaemon: never, stdout, stderr },
  });
  return { status, stdout: stdout.text, stderr: stderr.text };
}
