/**
 * pull, push, login, commit and diff by the real docker CLI, over a registry of our own
 * on loopback. What the CLI prints is compared with what it printed before dockerd
 * 28.5.2 (testdata/pull-push.json). Shown to pass on dockerd 28.5.2 with docker CLI 28.2.2.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { silentLog } from "#base";
import { createPasswordEntry, openRegistryService } from "#registry-server";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { normalized, Transcript } from "../support/transcript.ts";

const here = describe.skipIf(!dockerPath || !isRoot);
const transcript = new Transcript(join(import.meta.dir, "testdata/pull-push.json"));

here("pull and push [needs docker CLI]", () => {
  let target: DockerTarget;
  let open: Awaited<ReturnType<typeof openRegistryService>>;
  let guarded: Awaited<ReturnType<typeof openRegistryService>>;
  let registry: string;
  let guard: string;
  /** Three layers, of which the lowest is the test image's own. */
  let name: string;

  beforeAll(async () => {
    target = await openDockerTarget();
    const passwords = join(target.directory, "htpasswd");
    writeFileSync(passwords, `${await createPasswordEntry("joe", "secret")}\n`);
    const address = { host: "127.0.0.1", port: 0 };
    const common = { address, version: "test", web: false, log: silentLog };
    open = await openRegistryService({ ...common, root: join(target.directory, "open") });
    guarded = await openRegistryService({
      ...common,
      root: join(target.directory, "guarded"),
      passwordFile: passwords,
    });
    registry = new URL(open.url).host;
    guard = new URL(guarded.url).host;
    name = `${registry}/team/app`;
    const second = await changed(image, "dd if=/dev/zero of=/two bs=1k count=900", []);
    await changed(second, "echo three > /three", ["-c", 'CMD ["cat", "/three"]', `${name}:v1`]);
  });
  afterAll(async () => {
    const ours = await target.docker(["images", "-q", "--filter", `reference=${registry}/*/*`]);
    const ids = [...new Set(ours.stdout.split("\n").filter((id) => id !== ""))];
    if (ids.length > 0) await target.docker(["rmi", "-f", ...ids]);
    await target?.[Symbol.asyncDispose]();
    await open?.close();
    await guarded?.close();
  });

  /** The image that a command makes of another. */
  async function changed(from: string, command: string, options: readonly string[]) {
    const container = target.name();
    await target.ok(["run", "--name", container, from, "sh", "-c", `${command} 2>/dev/null`]);
    const named = options.at(-1)?.includes("/") ? [options.at(-1) ?? ""] : [];
    const flags = named.length > 0 ? options.slice(0, -1) : options;
    return await target.ok(["commit", ...flags, container, ...named]);
  }

  const docker = (...args: string[]) =>
    target.docker(args, { env: { DOCKER_CONFIG: join(target.directory, "config") } });

  /** Runs docker and compares all it prints, and its status, with the reference's. */
  async function step(what: string, ...args: string[]): Promise<void> {
    const { status, stdout, stderr } = await docker(...args);
    const names = { [registry]: "REGISTRY", [guard]: "GUARD" };
    const seen = { status, lines: [...normalized(stdout, names), ...normalized(stderr, names)] };
    const expected = transcript.expected(what, seen);
    if (!expected) throw new Error(`no transcript of "${what}"`);
    expect(seen).toEqual(expected);
  }

  async function digestOf(reference: string): Promise<string> {
    const format = "{{index .RepoDigests 0}}";
    return (await target.ok(["image", "inspect", "-f", format, reference])).split("@")[1] ?? "";
  }

  test("a push sends layers once, and mounts those that the registry has elsewhere", async () => {
    await step("push", "push", `${name}:v1`);
    await step("push again", "push", `${name}:v1`);
    await target.ok(["tag", `${name}:v1`, `${registry}/team/other:x`]);
    await step("push elsewhere", "push", `${registry}/team/other:x`);
    await target.ok(["tag", `${name}:v1`, `${name}:v2`]);
    await step("push all", "push", "-a", name);
    await step("push quiet", "push", "-q", `${name}:v1`);
  });

  test("a missing image is named by push", async () => {
    await step("push without that tag", "push", name);
    await step("push without that image", "push", `${registry}/team/nothing:1`);
  });

  test("a pull gives back the pushed image: the same digests, the same layers", async () => {
    const digest = await digestOf(`${name}:v1`);
    const layers = ["image", "inspect", "-f", "{{.Id}} {{json .RootFS.Layers}}", `${name}:v1`];
    const before = await target.ok(layers);
    await target.ok(["rmi", "-f", `${name}:v1`, `${name}:v2`, `${registry}/team/other:x`]);
    await step("pull", "pull", `${name}:v1`);
    expect(await target.ok(layers)).toBe(before);
    expect(await digestOf(`${name}:v1`)).toBe(digest);
    await step("pull again", "pull", `${name}:v1`);
    await step("pull under another name", "pull", `${registry}/team/other:x`);
    await step("pull all", "pull", "-a", name);
    await step("pull quiet", "pull", "-q", `${name}:v1`);
    await target.ok(["rmi", "-f", `${name}:v1`, `${name}:v2`, `${registry}/team/other:x`]);
    await step("pull by digest", "pull", `${name}@${digest}`);
    expect(await target.ok(["run", "--rm", `${name}@${digest}`])).toBe("three");
    await target.ok(["rmi", "-f", `${name}@${digest}`]);
  });

  test("a missing image is told by pull in Docker's words", async () => {
    await step("pull without that tag", "pull", `${name}:nothing`);
    await step("pull all of nothing", "pull", "-a", `${registry}/team/nothing`);
    await step("pull another platform", "pull", "--platform", "linux/s390x", `${name}:v1`);
    await target.docker(["rmi", "-f", `${name}:v1`]);
    expect((await docker("pull", "127.0.0.1:1/x:1")).status).toBe(1);
  });

  test("a run pulls a missing image, as it is told to", async () => {
    await step("run pulls", "run", "--rm", `${name}:v1`);
    await step("run always pulls", "run", "--rm", "--pull", "always", `${name}:v1`);
    await step("run never pulls", "run", "--rm", "--pull", "never", `${registry}/team/nothing`);
    await step("run of nothing", "run", "--rm", `${registry}/team/nothing`);
  });

  test("credentials are asked for, checked and used", async () => {
    const private_ = `${guard}/joe/app:1`;
    await target.ok(["tag", image, private_]);
    const refused = await docker("push", private_);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toContain("no basic auth credentials");
    const login = (password: string) =>
      target.docker(["login", "-u", "joe", "--password-stdin", guard], {
        input: password,
        env: { DOCKER_CONFIG: join(target.directory, "config") },
      });
    const wrong = await login("wrong");
    expect(wrong.status).toBe(1);
    expect(wrong.stderr).toMatch(/login attempt to \S+ failed with status: 401 Unauthorized/);
    expect(await login("secret")).toMatchObject({ status: 0, stdout: "Login Succeeded\n" });
    await step("push with credentials", "push", private_);
    await target.ok(["rmi", private_]);
    await step("pull with credentials", "pull", private_);
    await docker("logout", guard);
    const after = await docker("pull", private_);
    expect(after.status).toBe(1);
    expect(after.stderr).toContain("no basic auth credentials");
    await target.ok(["rmi", private_]);
  });

  test("the registry is asked for the manifest of a name", async () => {
    const { stdout } = await docker("manifest", "inspect", "--insecure", `${name}:v1`);
    expect(JSON.parse(stdout)).toMatchObject({ schemaVersion: 2, layers: [{}, {}, {}] });
    const answer = await fetch(`http://d/v1.44/distribution/${name}:v1/json`, {
      unix: target.socket,
    });
    expect(await answer.json()).toMatchObject({
      Descriptor: { digest: await digestOf(`${name}:v1`) },
      Platforms: [{ os: "linux", architecture: expect.any(String) }],
    });
  });

  test("changes of a container, and an image of them", async () => {
    const container = target.name();
    const script =
      "echo x > /etc/new; rm /etc/plain; echo y >> /etc/passwd; mkdir -p /a/b; chmod 700 /root; ln -s x /tmp/l";
    await target.ok(["run", "--name", container, image, "sh", "-c", script]);
    // dockerd gives directories in any order.
    const differences = await target.ok(["diff", container]);
    expect(differences.split("\n").toSorted()).toEqual([
      "A /a",
      "A /a/b",
      "A /etc/new",
      "A /tmp/l",
      "C /etc",
      "C /etc/passwd",
      "C /root",
      "C /tmp",
      "D /etc/plain",
    ]);
    const made = `${name}:made`;
    const flags = ["-a", "Me", "-m", "why", "-c", "ENV A=b", "-c", 'ENTRYPOINT ["cat"]'];
    await target.ok(["commit", ...flags, container, made]);
    const format =
      "{{.Author}} {{.Comment}} {{json .Config.Env}} {{json .Config.Cmd}} {{json .Config.Entrypoint}} {{len .RootFS.Layers}}";
    await step("commit", "image", "inspect", "-f", format, made);
    await step("history", "history", "--format", "{{.CreatedBy}} {{.Comment}}", made);
    expect(await target.ok(["run", "--rm", made, "/etc/new"])).toBe("x");
    await step("commit of nothing", "commit", "nothing");
  });

  test("disk usage tells shared sizes", async () => {
    const response = await fetch("http://d/v1.44/system/df?type=image", { unix: target.socket });
    const { Images } = (await response.json()) as {
      Images: readonly { RepoTags: readonly string[] | null; Size: number; SharedSize: number }[];
    };
    const found = Images.find(({ RepoTags }) => RepoTags?.includes(`${name}:made`));
    const base = Images.find(({ RepoTags }) => RepoTags?.includes(image));
    expect(found?.SharedSize).toBeGreaterThan(1_000_000);
    expect((found?.Size ?? 0) - (found?.SharedSize ?? 0)).toBeLessThan(10_000);
    expect(base?.SharedSize).toBe(base?.Size);
  });
});
