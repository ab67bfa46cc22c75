import { afterAll, beforeAll, expect, test } from "bun:test";
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

/** What a prune removed, in Docker's words of it, and the space that it told. */
async function prune(kind: string, label: string, ...args: string[]) {
  const out = await target.ok([kind, "prune", "-f", "--filter", `label=${label}`, ...args]);
  const lines = out.split("\n").filter((line) => line !== "");
  const space = lines.find((line) => line.startsWith("Total reclaimed space"));
  return { removed: lines.filter((line) => line !== space && !line.endsWith(":")), space };
}

test.skipIf(!runs)(
  "[needs docker CLI] containers are pruned by label and time, and their bytes are told",
  async () => {
    const { ok } = target;
    const [exited, kept, running] = [target.name(), target.name(), target.name()];
    const label = exited;
    const script = "dd if=/dev/zero of=/f bs=1000 count=2000 2>/dev/null; ln -s f /link";
    await target.docker(["run", "--name", exited, "-l", label, image, "sh", "-c", script]);
    await ok(["create", "--name", kept, "-l", label, "-l", "keep=1", image, "true"]);
    await ok(["run", "-d", "--name", running, "-l", label, image, "sleep", "1000"]);
    const size = ["ps", "-a", "--size", "--filter", `name=${exited}`, "--format", "{{.Size}}"];
    expect(await ok(size)).toStartWith("2MB (virtual ");
    const exact = await fetch(
      `http://d/containers/json?all=1&size=1&filters=${encodeURIComponent(JSON.stringify({ label: [label] }))}`,
      { unix: target.socket },
    );
    const sizes = ((await exact.json()) as { Names: string[]; SizeRw?: number }[]).map(
      ({ Names, SizeRw }) => [Names[0]?.slice(1), SizeRw],
    );
    // The link has the length of its target, directories count nothing, and a size of 0 is left out.
    expect(sizes).toContainEqual([exited, 2_000_001]);
    expect(sizes).toContainEqual([kept, undefined]);
    expect((await prune("container", label, "--filter", "until=1h")).removed).toEqual([]);
    const { removed, space } = await prune("container", label, "--filter", "label!=keep");
    expect(removed).toHaveLength(1);
    expect(space).toBe("Total reclaimed space: 2MB");
    expect((await target.docker(["inspect", exited])).status).toBe(1);
    await ok(["inspect", kept, running]);
  },
);

test.skipIf(!runs)(
  "[needs docker CLI] volumes and networks are pruned by label; volumes with names when all are asked for",
  async () => {
    const { ok } = target;
    const label = target.name();
    const [used, free] = [`${label}-used`, `${label}-free`];
    for (const name of [used, free]) {
      await ok(["volume", "create", "--label", label, name]);
      await ok(["network", "create", "--label", label, name]);
    }
    await ok([
      "run",
      "-d",
      "--name",
      label,
      "--network",
      used,
      "-v",
      `${used}:/v`,
      image,
      "sleep",
      "1000",
    ]);
    expect((await prune("volume", label)).removed).toEqual([]);
    expect((await prune("volume", label, "-a")).removed).toEqual([free]);
    expect((await prune("network", label, "--filter", "until=1h")).removed).toEqual([]);
    expect((await prune("network", label)).removed).toEqual([free]);
    await ok(["rm", "-f", label]);
    await ok(["network", "rm", used]);
    await ok(["volume", "rm", used]);
  },
);

test.skipIf(!runs)(
  "[needs docker CLI] images are pruned by label, those with a name when all are asked for",
  async () => {
    const { ok } = target;
    const label = target.name();
    await ok(["create", "--name", label, image, "true"]);
    const nameless = await ok(["commit", "-c", `LABEL ${label}=1`, label]);
    const named = await ok(["commit", "-c", `LABEL ${label}=2`, label, `prune/${label}`]);
    expect((await prune("image", label)).removed[0]).toBe(`deleted: ${nameless}`);
    expect((await prune("image", label, "-a", "--filter", "until=1h")).removed).toEqual([]);
    // Layers follow, where no other image has them.
    const { removed } = await prune("image", label, "-a");
    expect(removed.slice(0, 2)).toEqual([`untagged: prune/${label}:latest`, `deleted: ${named}`]);
  },
);

test.skipIf(!runs)("[needs docker CLI] docker system prune comes to its end", async () => {
  const { ok } = target;
  const label = target.name();
  await ok(["create", "--name", label, "-l", label, image, "true"]);
  const id = await ok(["inspect", "-f", "{{.Id}}", label]);
  const out = await ok(["system", "prune", "-f", "--filter", `label=${label}`]);
  expect(out).toContain(`Deleted Containers:\n${id}`);
  expect(out).toContain("Total reclaimed space: 0B");
  expect(await ok(["builder", "prune", "-f"])).toContain("Total reclaimed space: 0B");
});
