import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openDiskStore, type RegistryServer, serveRegistry } from "#registry-server";
import { type Ended, type RunOptions, ThimbleCli } from "../support/thimble-cli.ts";

/** What of the command line speaks to a registry by itself, and the policy that the engine holds to. */
describe("signing, manifest lists, artifacts [needs root]", () => {
  let cli: ThimbleCli;
  let server: RegistryServer;
  let host: string;
  let options: RunOptions;
  const path = (name: string) => join(cli.directory, name);

  const run = (...args: string[]): Promise<Ended> => cli.run(args, options);
  const ok = (...args: string[]): Promise<string> => cli.ok(args, options);
  const policy = (requirement: object) =>
    writeFileSync(
      path("config/policy.json"),
      JSON.stringify({
        default: [{ type: "insecureAcceptAnything" }],
        transports: { docker: { [`${host}/guarded`]: [requirement] } },
      }),
    );

  beforeAll(async () => {
    cli = new ThimbleCli();
    mkdirSync(path("config"));
    server = await serveRegistry({
      address: { host: "127.0.0.1", port: 0 },
      store: await openDiskStore(path("registry")),
    });
    host = new URL(server.url).host;
    options = {
      env: {
        THIMBLE_CONFIG_ROOT: path("config"),
        DOCKER_CONFIG: path("docker"),
        COSIGN_PASSWORD: "secret",
      },
    };
    const image = `${host}/guarded/app:1`;
    await cli.ok(["import", "-c", 'CMD ["/hello"]', "-", image], {
      ...options,
      input: await tar(),
    });
    await ok("push", image);
    expect(await ok("pull", "--dry-run", image)).toMatch(/ here as well: nothing would be done$/);
    for (const key of ["mine", "other"]) await ok("trust", "key", "generate", path(key));
  });

  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
    await server.close();
  });

  /** A root file system with one file. */
  async function tar(): Promise<Uint8Array> {
    mkdirSync(path("tree"));
    writeFileSync(path("tree/hello"), "hello");
    const { stdout } = Bun.spawnSync(["tar", "-C", path("tree"), "-c", "hello"]);
    return stdout;
  }

  test("a key pair is sealed and never overwritten", async () => {
    expect(readFileSync(path("mine.key"), "utf8")).toStartWith("-----BEGIN ENCRYPTED SIGSTORE");
    const again = await run("trust", "key", "generate", path("mine"));
    expect([again.status, again.stderr]).toEqual([1, expect.stringContaining("never overwritten")]);
    const sealed = await cli.run(["sign", "--key", path("mine.key"), `${host}/guarded/app:1`], {
      env: { ...options.env, COSIGN_PASSWORD: "wrong" },
    });
    expect([sealed.status, sealed.stderr]).toEqual([
      1,
      expect.stringContaining("does not open with this password"),
    ]);
  });

  test("an image comes in and runs once it is signed by the key of the policy", async () => {
    const image = `${host}/guarded/app:1`;
    policy({ type: "sigstoreSigned", keyPath: path("mine.pub") });
    const create = () => run("create", "--name", "guarded", image);
    await ok("rmi", image);
    for (const refused of [await run("pull", image), await create()]) {
      expect([refused.status !== 0, refused.stderr]).toEqual([
        true,
        expect.stringContaining("requires a signature by its key"),
      ]);
    }
    expect(await ok("images", "-q")).toBe("");
    expect((await run("verify", "--key", path("mine.pub"), image)).status).toBe(1);
    await ok("sign", "--key", path("other.key"), image);
    expect((await run("pull", image)).status).toBe(1);
    await ok("sign", "--key", path("mine.key"), "-a", "by=me", image);
    expect(await ok("verify", "--key", path("mine.pub"), "-a", "by=me", image)).toContain(
      "2 signatures",
    );
    expect((await run("verify", "--key", path("mine.pub"), "-a", "by=you", image)).status).toBe(1);
    await ok("pull", "-q", image);
    expect((await create()).status).toBe(0);
    await ok("rm", "guarded");
    policy({ type: "reject" });
    const rejected = await create();
    expect([rejected.status, rejected.stderr]).toEqual([
      1,
      expect.stringContaining(`the policy rejects images of ${host}/guarded`),
    ]);
    const byId = await run("create", (await ok("images", "-q")).slice(0, 8));
    expect(byId.stderr).toContain("the policy rejects");
    policy({ type: "insecureAcceptAnything" });
  });

  test("a manifest list gives two platforms one name", async () => {
    const image = `${host}/guarded/app:1`;
    const list = `${host}/guarded/both:1`;
    await ok("manifest", "create", list, image);
    expect((await run("manifest", "create", list, image)).stderr).toContain("exists already");
    await ok("manifest", "annotate", "--arch", "arm64", "--variant", "v8", list, image);
    const pushed = (await ok("manifest", "push", "--insecure", "-p", list)).split("\n");
    expect(pushed).toEqual([
      expect.stringMatching(/^Pushed ref .*both@(sha256:.*) with digest: \1$/),
      expect.stringMatching(/^sha256:[0-9a-f]{64}$/),
    ]);
    const index = JSON.parse(await ok("manifest", "inspect", list)) as {
      manifests: { platform: object; annotations?: object }[];
    };
    expect(index.manifests).toEqual([
      expect.objectContaining({
        platform: { os: "linux", architecture: "arm64", variant: "v8" },
      }),
    ]);
    expect(index.manifests[0]?.annotations).toBeUndefined();
    // As docker: of a list each of its manifests, with the platform that the list gives it.
    const [described] = JSON.parse(await ok("manifest", "inspect", "-v", list)) as object[];
    expect(described).toMatchObject({
      Ref: expect.stringContaining(`${list}@sha256:`),
      Descriptor: { platform: { architecture: "arm64" } },
      Raw: expect.any(String),
      OCIManifest: { schemaVersion: 2 },
    });
    expect(JSON.parse(await ok("manifest", "inspect", "-v", image))).toMatchObject({
      Ref: image,
      Descriptor: { platform: { os: "linux" } },
    });
    for (const args of [["inspect"], ["create", `${list}2`]])
      expect(await run("manifest", ...args, `${image}none`)).toMatchObject({
        status: 1,
        stderr: `no such manifest: ${image}none\n`,
      });
    const pulled = await run("pull", "--platform", "linux/s390x", list);
    expect([pulled.status, pulled.stderr]).toEqual([1, expect.stringContaining("linux/s390x")]);
    await ok("pull", "-q", "--platform", "linux/arm64", list);
    expect((await run("manifest", "rm", list)).stderr).toContain("No such manifest list");
  });

  test("an artifact is attached, listed and fetched; an existing file is not overwritten", async () => {
    const image = `${host}/guarded/app:1`;
    writeFileSync(path("sbom.json"), "{}");
    const type = ["--artifact-type", "application/spdx+json"];
    await ok("artifact", "attach", ...type, image, `${path("sbom.json")}:application/json`);
    const listed = JSON.parse(await ok("artifact", "ls", "--json", ...type, image)) as object[];
    expect(listed).toEqual([expect.objectContaining({ artifactType: type[1] })]);
    await ok("artifact", "fetch", "-o", path("out"), ...type, image);
    expect(readFileSync(path("out/sbom.json"), "utf8")).toBe("{}");
    expect((await run("artifact", "fetch", `${image}none`)).stderr).toStartWith("cannot fetch");
    const again = await run("artifact", "fetch", "-o", path("out"), ...type, image);
    expect(again.stderr).toContain("exists already");
    expect(readdirSync(path("out"))).toEqual(["sbom.json"]);
    expect(existsSync(path("docker/thimble/manifests"))).toBe(true);
  });
});
