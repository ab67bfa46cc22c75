/**
 * What builds write beside the files of an image: bills of materials, provenance, annotations and
 * indexes, as docker buildx asks for them and as it shows them.
 */

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type DockerTarget,
  dockerPath,
  image,
  isRoot,
  openDockerTarget,
} from "../support/docker-cli.ts";
import { dockerPlugin } from "../support/docker-plugins.ts";
import { type RunningRegistry, startRegistry } from "../support/registry-process.ts";

const buildx = dockerPlugin("docker-buildx");
const tool = join(import.meta.dir, "../../src/main/tool.ts");
const here = describe.skipIf(!buildx || !dockerPath || !isRoot || !!process.env.DOCKER_HOST);

here("outputs of builds [needs docker-buildx]", () => {
  let target: DockerTarget;
  let registry: RunningRegistry;
  const status = "Package: bash\nStatus: install ok installed\nVersion: 5.2\nArchitecture: amd64\n";
  beforeAll(async () => {
    target = await openDockerTarget();
    registry = await startRegistry([]);
    mkdirSync(join(target.directory, "app"));
    const text = `FROM ${image}\nCOPY status /var/lib/dpkg/status\nRUN --mount=type=secret,id=token true\n`;
    const files = { Dockerfile: text, status, token: "s3cret", ".dockerignore": "token\n" };
    for (const [name, content] of Object.entries(files))
      writeFileSync(join(target.directory, "app", name), content);
  });
  afterAll(async () => {
    await registry?.[Symbol.asyncDispose]();
    await target?.[Symbol.asyncDispose]();
  });

  const run = (command: string) => target.shell(command, target.directory);
  const thimble = (args: string) =>
    run(`${process.execPath} ${tool} -H ${target.host} build --progress plain ${args} app`);
  const docker = (args: string) => run(`${buildx} build --progress plain ${args} app`);
  const secret = "--secret id=token,src=app/token --build-arg who=me";

  async function inspect(reference: string, format: string): Promise<unknown> {
    const { stdout, stderr } = await run(
      `${buildx} imagetools inspect --format '${format}' ${reference}`,
    );
    return JSON.parse(stdout || JSON.stringify(stderr));
  }
  async function document(name: string, reference: string): Promise<Record<string, unknown>> {
    const path = `http://${registry.host}/v2/${name}/manifests/${reference}`;
    const accept =
      "application/vnd.oci.image.index.v1+json,application/vnd.oci.image.manifest.v1+json";
    return (await (await fetch(path, { headers: { accept } })).json()) as Record<string, unknown>;
  }
  async function layout(archive: string) {
    const read = async (name: string) =>
      JSON.parse((await run(`tar -xOf ${archive} ${name}`)).stdout);
    const blob = (digest: string) => read(`blobs/${digest.replace(":", "/")}`);
    const [entry] = (await read("index.json")).manifests;
    return { entry, root: await blob(entry.digest), blob };
  }

  test.each([
    ["docker buildx", docker],
    ["thimble build", thimble],
  ])("%s pushes attestations, which imagetools shows", async (name, build) => {
    const reference = `${registry.host}/${name.replace(" ", "-")}:1`;
    const flags = `-t ${reference} --push --sbom=true --provenance=mode=max ${secret}`;
    expect(await build(flags)).toMatchObject({ status: 0 });
    expect(await inspect(reference, "{{json .SBOM}}")).toMatchObject({
      SPDX: { packages: [{ name: "sbom" }, { name: "bash", versionInfo: "5.2" }] },
    });
    const provenance = await inspect(reference, "{{json .Provenance}}");
    expect(provenance).toMatchObject({
      SLSA: {
        buildDefinition: {
          externalParameters: {
            request: { args: { "build-arg:who": "me" }, secrets: [{ id: "token" }] },
          },
          resolvedDependencies: [{ uri: expect.stringMatching(/^pkg:docker\/thimble.example/) }],
        },
      },
    });
    expect(JSON.stringify(provenance)).not.toContain("s3cret");
    await target.ok(["rmi", reference]);
    await target.ok(["pull", reference]);
    expect(await target.ok(["run", "--rm", reference, "cat", "/var/lib/dpkg/status"])).toBe(
      status.trim(),
    );
  });

  test("a push that asks for nothing is a manifest, as with dockerd", async () => {
    expect(await docker(`-t ${registry.host}/plain:1 --push`)).toMatchObject({ status: 0 });
    expect(await document("plain", "1")).toMatchObject({
      mediaType: "application/vnd.oci.image.manifest.v1+json",
    });
  });

  test("annotations are written to manifests, indexes and the entries that lead to them", async () => {
    const flags = "--annotation a=1 --annotation index,manifest-descriptor:b=2 --sbom=true";
    const out = `-o type=oci,dest=annotated.tar -t app:1`;
    for (const build of [docker, thimble]) {
      expect(await build(`${flags} ${out}`)).toMatchObject({ status: 0 });
      const { root, blob } = await layout("annotated.tar");
      expect(root).toMatchObject({ annotations: { b: "2" } });
      const [entry] = root.manifests;
      expect(entry).toMatchObject({ annotations: { b: "2" }, platform: { os: "linux" } });
      expect(await blob(entry.digest)).toMatchObject({ annotations: { a: "1" } });
    }
    const refused = await docker(`--annotation index:b=2 ${out}`);
    expect(refused.stderr).toContain("index annotations not supported for single platform export");
    expect(await docker(`--annotation a=1 -t ${registry.host}/noted:1 --push`)).toMatchObject({
      status: 0,
    });
    expect(await document("noted", "1")).toMatchObject({ annotations: { a: "1" } });
  });

  test("directories get the statements as files", async () => {
    for (const build of [docker, thimble]) {
      expect(await build("-o out --sbom=true --provenance=true")).toMatchObject({ status: 0 });
      const read = (name: string) =>
        JSON.parse(readFileSync(join(target.directory, "out", name), "utf8"));
      const subject = expect.arrayContaining([
        {
          name: "var/lib/dpkg/status",
          digest: { sha256: expect.stringMatching(/^[0-9a-f]{64}$/) },
        },
      ]);
      const predicate = { spdxVersion: "SPDX-2.3" };
      expect(read("sbom.spdx.json")).toMatchObject({ subject, predicate });
      expect(read("provenance.json")).toMatchObject({
        predicateType: "https://slsa.dev/provenance/v1",
      });
      expect(readFileSync(join(target.directory, "out/var/lib/dpkg/status"), "utf8")).toBe(status);
      await run("rm -r out");
    }
  });

  test("attestations that no image here could have are refused before the build", async () => {
    for (const build of [docker, thimble]) {
      const { status: code, stderr } = await build("-t app:1 --sbom=true");
      expect(stderr).toContain("an image with attestations cannot be kept by the engine: push it");
      expect(stderr).not.toContain("RUN");
      expect(code).toBe(1);
      const { stderr: scanner } = await build("--attest type=sbom,generator=a/b -o out");
      expect(scanner).toContain("the option generator of --sbom is not supported");
    }
  });

  test("thimble sbom tells the packages of an image", async () => {
    const name = target.name();
    expect(await thimble(`-t ${name}`)).toMatchObject({ status: 0 });
    const sbom = (args: string) =>
      run(`${process.execPath} ${tool} -H ${target.host} sbom ${args} ${name}`);
    expect(JSON.parse((await sbom("")).stdout)).toMatchObject({
      spdxVersion: "SPDX-2.3",
      packages: [{ name: `${name}:latest` }, { name: "bash", versionInfo: "5.2" }],
    });
    expect((await sbom("--format table")).stdout).toMatch(/^NAME .*\nbash +5\.2 +deb/);
    expect((await sbom("--format '{{.URL}}'")).stdout).toStartWith("pkg:deb/");
  });

  test("archives leave no image behind", async () => {
    const before = await target.ok(["images", "-aq"]);
    for (const build of [docker, thimble])
      for (const type of ["oci", "docker"])
        expect(await build(`--label x=${type} -o type=${type},dest=image.tar`)).toMatchObject({
          status: 0,
        });
    expect(await target.ok(["images", "-aq"])).toBe(before);
  });

  describe("for several platforms", () => {
    const both = "--platform linux/amd64,linux/arm64";
    beforeAll(() => {
      const text = [
        `FROM --platform=$BUILDPLATFORM ${image} AS build`,
        "RUN echo once > /shared",
        "ARG TARGETARCH",
        'RUN echo "for $TARGETARCH" > /made',
        "FROM scratch",
        "ARG TARGETPLATFORM",
        'LABEL platform="$TARGETPLATFORM"',
        "COPY --from=build /shared /made /",
        "",
      ];
      writeFileSync(join(target.directory, "app", "cross.Dockerfile"), text.join("\n"));
      const foreign = `FROM scratch AS base\nFROM base\nCOPY --from=${image} / /\nRUN true\n`;
      writeFileSync(join(target.directory, "app", "foreign.Dockerfile"), foreign);
    });
    const cross = `-f app/cross.Dockerfile ${both}`;
    const platformsOf = ({ manifests }: Record<string, unknown>) =>
      (manifests as { platform: { architecture: string } }[]).map(
        ({ platform }) => platform.architecture,
      );

    test.each([
      ["docker buildx", docker],
      ["thimble build", thimble],
    ])(
      "%s pushes an index, whose stages on the machine's platform run once",
      async (name, build) => {
        const repository = `cross-${name.replace(" ", "-")}`;
        const reference = `${registry.host}/${repository}:1`;
        const { status: code, stderr } = await build(`${cross} -t ${reference} --push --no-cache`);
        expect({ code, stderr }).toMatchObject({ code: 0 });
        expect(stderr.match(/#\d+ \[linux\/amd64 build 2\/3\] RUN echo once.*\n/g)).toHaveLength(1);
        expect(stderr).toContain("[linux/amd64->arm64 build 3/3] RUN");
        const index = await document(repository, "1");
        expect(platformsOf(index)).toEqual(["amd64", "arm64"]);
        await target.ok(["pull", "--platform", "linux/arm64", reference]);
        const about = await target.ok([
          ...["image", "inspect", "-f", "{{.Architecture}} {{.Config.Labels.platform}}", reference],
        ]);
        expect(about).toBe("arm64 linux/arm64");
        await target.ok(["rmi", reference]);
      },
    );

    test("a target of a bake file is built on another's result of the same platform", async () => {
      const platforms = ["linux/amd64", "linux/arm64"];
      const base = { context: "app", dockerfile: "cross.Dockerfile", platforms };
      const linked = {
        ...{ context: "app", contexts: { below: "target:base" }, platforms, output: ["out"] },
        "dockerfile-inline": "FROM below\nCOPY status /\n",
      };
      const file = JSON.stringify({
        target: { base: { ...base, output: ["type=cacheonly"] }, default: linked },
      });
      writeFileSync(join(target.directory, "docker-bake.json"), file);
      expect(await run(`${buildx} bake --progress plain --allow=fs.write=*`)).toMatchObject({
        status: 0,
      });
      const made = await run("cat out/linux_amd64/made out/linux_arm64/made; rm -r out");
      expect(made.stdout).toBe("for amd64\nfor arm64\n");
    });

    test("an archive has the index, with attestations of each platform", async () => {
      for (const build of [docker, thimble]) {
        const flags = "--sbom=true -o type=oci,dest=cross.tar";
        expect(await build(`${cross} ${flags}`)).toMatchObject({ status: 0 });
        const { root } = await layout("cross.tar");
        expect(platformsOf(root)).toEqual(["amd64", "arm64", "unknown", "unknown"]);
      }
    });

    test("a directory has a directory for each platform", async () => {
      for (const build of [docker, thimble]) {
        expect(await build(`${cross} -o out --provenance=true`)).toMatchObject({ status: 0 });
        const found = await run(
          "cat out/linux_amd64/made out/linux_arm64/made; ls out/linux_arm64",
        );
        expect(found.stdout).toBe("for amd64\nfor arm64\nmade\nprovenance.json\nshared\n");
        await run("rm -r out");
      }
    });

    test("what the engine cannot keep or run is refused before the build", async () => {
      for (const build of [docker, thimble]) {
        const kept = await build(`${cross} -t app:1`);
        expect(kept.stderr).toContain(
          "an image for several platforms cannot be kept by the engine",
        );
        const archive = await build(`${cross} -o type=docker,dest=image.tar`);
        expect(archive.stderr).toMatch(
          /docker exporter does not .*support exporting manifest lists/,
        );
        const foreign = "-f app/foreign.Dockerfile --platform linux/s390x -o out";
        const { status: code, stderr } = await build(foreign);
        expect(stderr).toContain("RUN for linux/s390x: this machine runs programs for amd64");
        expect(stderr).toContain(">>> RUN true");
        expect(stderr).not.toContain("load metadata");
        expect(code).toBe(1);
      }
    });

    test("base images come for each platform, and the tag stays with this machine's", async () => {
      const base = `${registry.host}/cross-docker-buildx:1`;
      await target.ok(["pull", base]);
      const text = `FROM ${base}\nCOPY status /\n`;
      writeFileSync(join(target.directory, "app", "base.Dockerfile"), text);
      for (const build of [docker, thimble]) {
        const flags = `-f app/base.Dockerfile ${both} -o out`;
        expect(await build(flags)).toMatchObject({ status: 0 });
        expect((await run("cat out/linux_arm64/made")).stdout).toBe("for arm64\n");
        expect(await target.ok(["image", "inspect", "-f", "{{.Architecture}}", base])).toBe(
          "amd64",
        );
        await run("rm -r out");
      }
    });
  });
});
