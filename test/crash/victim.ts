/**
 * An engine process that is to die: opens the engine at the roots given, then does
 * one thing with THIMBLE_CRASH_AT naming the step at which it kills itself.
 * With PORTS of the host, one or two with a comma, the container publishes the first and answers there.
 * Usage: victim.ts DATA_ROOT RUN_ROOT SCENARIO STEP [PORTS], with a scenario of those below.
 */

import { compressedLog } from "../support/compressed-log.ts";
import { createRequest, publishing } from "../support/create-request.ts";
import { openEngineAt } from "../support/engine.ts";
import { shippedLog } from "../support/log-receiver.ts";
import { echoServer } from "../support/port-client.ts";
import { proxyPid } from "../support/proxy-process.ts";

const [dataRoot = "", runRoot = "", scenario = "", step = "", ports = ""] = process.argv.slice(2);
const [port, another = ""] = ports.split(",");
const { engine } = await openEngineAt({ dataRoot, runRoot });
const isShort = ["exit", "log", "ship"].includes(scenario);
const published = Number(port) > 0 ? publishing(Number(port)) : undefined;
const program = published ? ["sh", "-c", echoServer] : ["sleep", "1000"];
const request = createRequest("busybox", isShort ? ["sh", "-c", "seq 5000; exit 3"] : program, {
  name: "victim",
  config: { Volumes: { "/own": {} }, ...published?.config },
  host: {
    Binds: ["named:/named"],
    Mounts: [
      { Type: "image", Source: "busybox", Target: "/image" },
      { Type: "image", Source: "busybox", Target: "/part", ImageOptions: { Subpath: "bin" } },
    ],
    ...published?.host,
    ...(scenario === "log" && { LogConfig: compressedLog }),
    ...(scenario === "ship" && { LogConfig: shippedLog(runRoot) }),
  },
});

async function prepare(): Promise<() => Promise<unknown>> {
  if (scenario === "create") return () => engine.containers.create(request);
  const { id } = await engine.containers.create(request);
  if (scenario === "start") return () => engine.containers.start(id);
  if (scenario === "debug") {
    const tools = { image: "busybox", argv: ["sleep", "1000"], user: "", tty: false, stdin: false };
    return () => engine.containers.debug(id, tools);
  }
  if (scenario === "remove") {
    return () => engine.containers.remove(id, { force: false, volumes: true });
  }
  if (isShort) {
    return async () => {
      const { result } = await engine.containers.wait(id, "next-exit");
      await engine.containers.start(id);
      await result;
      // The engine still records the exit, and dies over it.
      await new Promise(() => setInterval(() => undefined, 1000));
    };
  }
  await engine.containers.start(id);
  if (scenario === "connect" || scenario === "disconnect") {
    const subnets = [{ subnet: "10.93.1.0/24", range: "", gateway: "", reserved: {} }];
    await engine.networks.create({ name: "a-front", driver: "", subnets });
    const settings = { IPAMConfig: { IPv4Address: "10.93.1.9" } };
    const connect = () => engine.networks.connect("a-front", id, settings);
    if (scenario === "connect") return connect;
    await connect();
    return () => engine.networks.disconnect("a-front", id, { force: false });
  }
  if (scenario === "pause") return () => engine.containers.pause(id);
  if (scenario === "unpause") {
    await engine.containers.pause(id);
    return () => engine.containers.unpause(id);
  }
  if (scenario === "commit") {
    const request = { pause: true, config: {}, changes: [] };
    return () => engine.containers.commit(id, request, new AbortController().signal);
  }
  if (scenario === "add-port" || scenario === "remove-port") {
    const second = { "80/tcp": [{ HostPort: another }] };
    if (scenario === "add-port") return () => engine.containers.addPorts(id, second);
    await engine.containers.addPorts(id, second);
    return () => engine.containers.removePorts(id, second);
  }
  if (scenario === "kill-proxy")
    return async () => {
      process.kill(proxyPid({ dataRoot, runRoot }, id), "SIGKILL");
      await new Promise(() => setInterval(() => undefined, 1000));
    };
  return async () => {
    const exec = await engine.execs.create(id, {
      argv: ["sleep", "1000"],
      env: [],
      workingDir: "",
      user: "",
      privileged: false,
      tty: false,
      attachStdin: false,
      attachStdout: true,
      attachStderr: true,
    });
    await engine.execs.start(exec, { detach: true });
  };
}

const work = await prepare();
process.env.THIMBLE_CRASH_AT = step;
await work();
// Only reached when the step was never met.
process.exit(99);
