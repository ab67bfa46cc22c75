import { afterAll, beforeAll, expect, test } from "bun:test";
import Docker from "dockerode";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";

const runs = dockerPath !== null && isRoot;
let target: DockerTarget;

beforeAll(async () => {
  if (runs) target = await openDockerTarget();
}, 600_000);

afterAll(async () => {
  if (runs) await target[Symbol.asyncDispose]();
}, 600_000);

test.skipIf(!runs).each(["1.24", "1.41"])(
  "[needs docker CLI] the docker CLI runs a container with version %s of the API",
  async (version) => {
    const env = { DOCKER_API_VERSION: version };
    const name = target.name();
    const run = await target.docker(["run", "--rm", "-i", image, "sh", "-c", "cat; exit 3"], {
      env,
      input: "in\n",
    });
    expect(run).toEqual({ status: 3, stdout: "in\n", stderr: "" });
    await target.ok(["run", "-d", "--name", name, image, "sleep", "1000"], { env });
    const format = "{{.HostConfig.IpcMode}}";
    const ipc = Number(version.slice(2)) < 40 ? "shareable" : "private";
    expect(await target.ok(["inspect", "-f", format, name], { env })).toBe(ipc);
    expect((await target.docker(["exec", name, "sh", "-c", "exit 5"], { env })).status).toBe(5);
    await target.ok(["rm", "-f", name], { env });
  },
);

/** The answer of each version, where something changed: recorded from dockerd 28.5. */
test.skipIf(!runs)(
  "[needs docker CLI] answers have the fields of the version that asks",
  async () => {
    const name = target.name();
    const network = `${name}-net`;
    await target.ok(["network", "create", network]);
    await target.ok(["run", "-d", "--name", name, "--network", network, image, "sleep", "1000"]);
    const ask = async (version: string, path: string) => {
      const response = await fetch(`http://d/v${version}${path}`, { unix: target.socket });
      return (await response.json()) as never;
    };
    const filters = encodeURIComponent(JSON.stringify({ name: [network] }));
    const networks = async (version: string) => {
      const [found] = (await ask(version, `/networks?filters=${filters}`)) as {
        Containers: object;
      }[];
      return Object.keys(found?.Containers ?? {}).length;
    };
    expect([await networks("1.27"), await networks("1.28")]).toEqual([1, 0]);
    const aliases = async (version: string) => {
      const { NetworkSettings } = (await ask(version, `/containers/${name}/json`)) as {
        NetworkSettings: { Networks: Record<string, { Aliases: string[] | null }> };
      };
      return NetworkSettings.Networks[network]?.Aliases?.length ?? 0;
    };
    expect([await aliases("1.44"), await aliases("1.45")]).toEqual([1, 0]);
    const types = async (version: string) => {
      const usage = (await ask(version, "/system/df?type=volume")) as { Containers: unknown };
      return usage.Containers !== null;
    };
    expect([await types("1.41"), await types("1.42")]).toEqual([true, false]);
    await target.ok(["rm", "-f", name]);
    await target.ok(["network", "rm", network]);
  },
);

test.skipIf(!runs)("[needs docker CLI] dockerode speaks the version that it is told", async () => {
  const create = async (version: string, options: object) => {
    const docker = new Docker({ socketPath: target.socket, version });
    const name = target.name();
    await docker.createContainer({ name, Image: image, Cmd: ["true"], ...options });
    return await docker.getContainer(name).inspect();
  };
  const HostConfig = { AutoRemove: true, Annotations: { a: "b" } };
  const old = await create("v1.24", { HostConfig });
  expect(old.HostConfig).toMatchObject({ AutoRemove: false, IpcMode: "shareable" });
  expect(old.HostConfig).not.toHaveProperty("Annotations");
  const current = await create("v1.51", { HostConfig });
  expect(current.HostConfig).toMatchObject(HostConfig);
  const MacAddress = "02:42:ac:11:00:77";
  const addressed = await create("v1.43", { MacAddress });
  expect(addressed.Config).toMatchObject({ MacAddress });
  const Mounts = [{ Type: "image", Source: image, Target: "/image" }];
  const refused = create("v1.47", { HostConfig: { Mounts } }).catch((error) => error.message);
  expect(await refused).toContain('Mount type "Image" needs API v1.48 or newer');
  const NetworkingConfig = { EndpointsConfig: { b: {}, a: {} } };
  expect(await create("v1.43", { NetworkingConfig }).catch((error) => error.message)).toContain(
    "Container cannot be created with multiple network endpoints: ",
  );
  const tooOld = new Docker({ socketPath: target.socket, version: "v1.23" });
  expect(await tooOld.ping().catch((error) => error.statusCode)).toBe(400);
});
