/**
 * What a create makes of its options, and its errors, by the real docker CLI and over HTTP.
 * Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, readdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { eventually } from "../support/run-container.ts";

/** Both engines leave the parents that they made. */
function removeCgroups(parent: string): void {
  const hierarchies = readdirSync("/sys/fs/cgroup").map((name) => join("/sys/fs/cgroup", name));
  for (const place of ["/sys/fs/cgroup", ...hierarchies].map((each) => join(each, parent)))
    if (existsSync(place)) {
      rmdirSync(join(place, "below"));
      rmdirSync(place);
    }
}

const here = describe.skipIf(!dockerPath || !isRoot);

type Json = Readonly<Record<string, unknown>>;

here("creating containers [needs docker CLI]", () => {
  let target: DockerTarget;
  let donor: string;
  beforeAll(async () => {
    target = await openDockerTarget();
    donor = target.name();
    await target.ok(["run", "-d", "--name", donor, "--ipc", "shareable", image, "sleep", "1000"]);
  });
  afterAll(async () => {
    await target?.[Symbol.asyncDispose]();
  });

  const run = (...args: string[]) => target.ok(["run", "--rm", ...args]);

  async function call(method: string, path: string, body?: Json) {
    const answer = await fetch(`http://d/v1.51${path}`, {
      method,
      unix: target.socket,
      ...(body && { body: JSON.stringify(body), headers: { "Content-Type": "application/json" } }),
    });
    const text = await answer.text();
    return { status: answer.status, body: (text ? JSON.parse(text) : {}) as Json };
  }

  /** The container of a request, created under a name that is removed at the end. */
  async function created(body: Json) {
    const name = target.name();
    const answer = await call("POST", `/containers/create?name=${name}`, {
      ...{ Image: image, Cmd: ["true"] },
      ...body,
    });
    return { name, ...answer };
  }

  const inspected = async (name: string) =>
    (await call("GET", `/containers/${name}/json`)).body as Record<string, Json>;

  test("the ipc namespace and /dev/shm of another container are shared", async () => {
    await target.ok(["exec", donor, "sh", "-c", "echo shared > /dev/shm/file"]);
    const join = ["--ipc", `container:${donor}`, image];
    expect(await run(...join, "cat", "/dev/shm/file")).toBe("shared");
    const own = await target.ok(["exec", donor, "readlink", "/proc/self/ns/ipc"]);
    expect(await run(...join, "readlink", "/proc/self/ns/ipc")).toBe(own);
    await target.ok(["restart", "-t", "0", donor]);
    expect((await target.docker(["exec", donor, "ls", "/dev/shm"])).stdout).toBe("");
  });

  test.each([
    [
      { NetworkMode: "container:absent" },
      "joining network namespace of container: No such container: absent",
    ],
    [
      { Devices: [], NetworkMode: "nope" },
      "failed to set up container networking: network nope not found",
    ],
  ])("%j is created, and told at the start", async (HostConfig, message) => {
    const { name, status } = await created({ HostConfig });
    expect(status).toBe(201);
    const start = await call("POST", `/containers/${name}/start`);
    expect(start.body).toEqual({ message });
    expect((await inspected(name)).State).toMatchObject({
      Status: "created",
      ExitCode: 128,
      Error: message,
    });
  });

  test("an ipc namespace that is not for sharing is refused at the start", async () => {
    const own = target.name();
    await target.ok(["run", "-d", "--name", own, image, "sleep", "1000"]);
    const { name } = await created({ HostConfig: { IpcMode: `container:${own}` } });
    const { status, body } = await call("POST", `/containers/${name}/start`);
    expect(status).toBe(400);
    expect(body.message).toMatch(
      /^failed to join IPC namespace: container [0-9a-f]{64}: non-shareable IPC \(hint: use IpcMode:shareable for the donor container\)$/,
    );
  });

  const mount = (more: Json) => ({ Mounts: [{ Source: "/tmp", Target: "/m", ...more }] });

  test.each<[Json, string]>([
    [
      { NetworkMode: "container:" },
      "invalid network mode: invalid container format container:<name|id>",
    ],
    [{ PidMode: "container:absent" }, "No such container: absent"],
    [{ IpcMode: "container:absent" }, "No such container: absent"],
    [{ PidMode: "private" }, "invalid PID mode: private"],
    [{ Isolation: "hyperv" }, "invalid isolation (hyperv): linux only supports 'default'"],
    [{ CpusetCpus: "1-0" }, "Invalid value 1-0 for cpuset cpus: invalid format: 1-0"],
    [
      { CpuRealtimePeriod: 1, CpuRealtimeRuntime: 2 },
      "cpu real-time runtime cannot be higher than cpu real-time period",
    ],
    [
      { RestartPolicy: { Name: "always", MaximumRetryCount: -1 } },
      "invalid restart policy: maximum retry count can only be used with 'on-failure' and cannot be negative",
    ],
    [{ ExtraHosts: ["a:x"] }, 'invalid IP address in add-host: "x"'],
    [mount({ Type: "npipe" }), 'invalid mount config for type "npipe": mount type unknown'],
    [
      mount({ Type: "bind", Target: "m" }),
      "invalid mount config for type \"bind\": invalid mount path: 'm' mount path must be absolute",
    ],
    [
      mount({ Type: "bind", VolumeOptions: {} }),
      'VolumeOptions must not be specified on mount type "bind"',
    ],
  ])("%j is refused", async (HostConfig, message) => {
    expect(await created({ HostConfig })).toMatchObject({ status: 400, body: { message } });
  });

  test("a body without a command says so", async () => {
    const { body } = await created({ Entrypoint: [""], Cmd: [] });
    expect(body).toEqual({ message: "no command specified" });
  });

  test("inspect shows what was sent", async () => {
    const plain = await inspected((await created({})).name);
    expect(plain.Config).toMatchObject({ Cmd: ["true"], OnBuild: null });
    expect(plain.HostConfig).toMatchObject({
      ...{ Dns: null, Devices: null, PortBindings: null, Ulimits: null, DeviceRequests: null },
      ...{ BlkioDeviceReadBps: null, DeviceCgroupRules: null, SecurityOpt: null },
    });
    const empty = { Dns: [], Devices: [], PortBindings: {}, Ulimits: [], BlkioDeviceReadBps: [] };
    const sent = { ...empty, Init: false, DeviceCgroupRules: ["c 1:3 r"], IpcMode: "host" };
    const { name } = await created({
      ...{ WorkingDir: "/tmp//x/../", Shell: ["/bin/sh", "-c"], OnBuild: ["RUN x"] },
      ...{ NetworkDisabled: true, HostConfig: sent },
    });
    const { Config, HostConfig } = await inspected(name);
    expect(HostConfig).toMatchObject({
      ...sent,
      SecurityOpt: ["label=disable"],
      NetworkMode: "bridge",
    });
    expect(Config).toMatchObject({
      ...{
        WorkingDir: "/tmp",
        Shell: ["/bin/sh", "-c"],
        OnBuild: ["RUN x"],
        NetworkDisabled: true,
      },
    });
  });

  test("devices of rules can be opened, and no others", async () => {
    const script =
      "mknod /tmp/n c 10 229 && mknod /tmp/m c 1 1; cat < /tmp/m; echo $?; : < /tmp/n; echo";
    const denied = await target.docker(["run", "--rm", image, "sh", "-c", script]);
    expect(denied.stderr).toContain("/tmp/n: Operation not permitted");
    const rule = ["--device-cgroup-rule", "c 10:229 r"];
    const allowed = await target.docker(["run", "--rm", ...rule, image, "sh", "-c", script]);
    expect(allowed.stderr).not.toContain("/tmp/n: Operation not permitted");
    expect(allowed.stderr).toContain("/tmp/m: Operation not permitted");
  });

  test("a device without a specification is told at the latest by the start", async () => {
    const gpus = await target.docker(["run", "--rm", "--gpus", "all", image, "true"]);
    expect(gpus.status).toBe(125);
    expect(gpus.stderr).toContain('could not select device driver "" with capabilities: [[gpu]]');
    const device = ["--device", "thimble.example/none=x"];
    const cdi = await target.docker(["run", "--rm", ...device, image, "true"]);
    expect(cdi.status).toBe(125);
    expect(cdi.stderr).toContain(
      "CDI device injection failed: unresolvable CDI devices thimble.example/none=x",
    );
  });

  test("a container whose network is disabled has its loopback alone", async () => {
    const { name } = await created({ NetworkDisabled: true, Cmd: ["ls", "/sys/class/net"] });
    const output = await target.ok(["start", "-a", name]);
    expect(output.split("\n").filter((line) => line !== "")).toEqual(["lo"]);
  });

  test("HOME is the user's where it is empty", async () => {
    expect(await run("-e", "HOME=", "-u", "user", image, "sh", "-c", "echo $HOME")).toBe("/tmp");
  });

  test("a container has its cgroups below the parent that is asked for", async () => {
    const parent = `thimble-conf-${process.pid}`;
    const name = target.name();
    const flags = ["--cgroup-parent", `/${parent}/below`, "--memory", "20m"];
    const id = await target.ok(["run", "-d", "--name", name, ...flags, image, "sleep", "1000"]);
    const cgroups = await target.ok(["exec", name, "cat", "/proc/self/cgroup"]);
    expect(cgroups).toContain(`/${parent}/below/${id}`);
    await target.ok(["rm", "-f", name]);
    const roots = ["memory", "cpu", ""].map((each) => join("/sys/fs/cgroup", each, parent));
    const isGone = () => roots.every((root) => !existsSync(join(root, "below", id))) || undefined;
    await eventually(isGone, "the removal of the cgroups, which follows the answer");
    removeCgroups(parent);
  });

  test("a privileged container gives no warning", async () => {
    const { body } = await created({ HostConfig: { Privileged: true } });
    expect(body.Warnings).toEqual([]);
  });

  test("a program that cannot be started is told in runc's words", async () => {
    const message =
      'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init: exec: "nope": executable file not found in $PATH';
    const { name } = await created({ Cmd: ["nope"] });
    const { body } = await call("POST", `/containers/${name}/start`);
    expect(body).toEqual({ message });
    expect((await inspected(name)).State).toMatchObject({ ExitCode: 127, Error: message });
  });
});
