/**
 * Registries, images, configurations and clients that mean harm, tried through the whole
 * of it: the command line, the docker CLI, the engine, `registry serve`. A clear word,
 * Docker's exit status, bounded memory, nothing half-stored, an engine that goes on.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { mediaTypes } from "#image";
import { makeImage } from "../support/content-images.ts";
import { dockerPath, isRoot } from "../support/docker-cli.ts";
import { engineHoldings } from "../support/engine-holdings.ts";
import {
  type Answering,
  blobImage,
  bombImage,
  digestOf,
  HostileRegistry,
  isBlob,
  isManifest,
  layerImage,
  plainImage,
  sendWithoutEnd,
} from "../support/hostile-registry.ts";
import type { FakeRequest } from "../support/registry-fake.ts";
import { runProgram } from "../support/registry-process.ts";
import { eventually } from "../support/run-container.ts";
import { type RunOptions, ThimbleCli } from "../support/thimble-cli.ts";
import { type TarMember, tarOf } from "../support/tree.ts";

/**
 * MiB. At the peak: an engine that serves 90 of them without a rest keeps its garbage, 187 to 255
 * were seen, and any one of the bombs is far larger. Once it is quiet it gives that back.
 */
const memoryLimit = { peak: 350, quiet: 160 };

const rootsOf = ({ directory }: ThimbleCli) => ({
  dataRoot: join(directory, "data"),
  runRoot: join(directory, "run"),
});

/** In MiB. */
function memory({ directory }: ThimbleCli, which: "VmHWM" | "VmRSS"): number {
  const pid = readFileSync(join(directory, "run/engine.pid"), "utf8").trim();
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  return Number(new RegExp(`^${which}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
}

/** No byte in it that a terminal would obey. */
const harmless = /^[^\p{Cc}\p{Bidi_Control}]*$/u;

describe.skipIf(!isRoot)("a hostile registry [needs root]", () => {
  const cli = new ThimbleCli();
  const configRoot = join(cli.directory, "config");
  let registry: HostileRegistry;
  let holdings: ReturnType<typeof engineHoldings>;
  let pings: { stop(): Promise<number> };

  const run = (args: readonly string[], { env, ...options }: RunOptions = {}) =>
    cli.run(args, { ...options, env: { THIMBLE_CONFIG_ROOT: configRoot, ...env } });
  const pull = (repository: string, options: RunOptions = {}) =>
    run(["pull", "-q", `${registry.host}/${repository}`], options);

  beforeAll(async () => {
    mkdirSync(join(configRoot, "certs.d"), { recursive: true });
    registry = await HostileRegistry.start();
    registry.image("good", plainImage("good"));
    expect(await pull("good")).toMatchObject({ status: 0 });
    pings = pingUntilStopped(cli.socket);
    holdings = engineHoldings(rootsOf(cli));
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
    await registry[Symbol.asyncDispose]();
  });

  /** The same said by both command lines, harmlessly, and nothing left of it. */
  const refused = async (repository: string, ...expected: readonly (string | RegExp)[]) => {
    const said = [await pull(repository)];
    if (dockerPath) {
      const env = { DOCKER_HOST: `unix://${cli.socket}`, HOME: cli.directory };
      const image = `${registry.host}/${repository}`;
      said.push({
        ...(await runProgram([dockerPath, "pull", "-q", image], { env })),
        signal: null,
      });
    }
    for (const { status, stdout, stderr } of said) {
      expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
      for (const each of expected) expect(stderr).toMatch(each);
      expect(stderr.trim()).toMatch(harmless);
      expect(stderr.length).toBeLessThan(1500);
    }
  };
  const nothingLeft = async () => {
    expect(await cli.ok(["images", "--format", "{{.Repository}}"])).toBe(`${registry.host}/good`);
    await holdings.settled();
  };

  describe("that answers wrongly", () => {
    const html = { status: 200, headers: { "Content-Type": "text/html" }, body: "<html>" };
    const redirect = (to: string) => ({ status: 307, headers: { Location: to } });
    const ok = "HTTP/1.1 200 OK\r\n";
    const instead =
      (is: (request: FakeRequest) => boolean, answer: Answering): Answering =>
      (request) =>
        is(request) ? answer(request) : undefined;
    const cases: Readonly<Record<string, [Answering, ...(string | RegExp)[]]>> = {
      "html-manifest": [instead(isManifest, () => html), "answers with a web page"],
      "html-blob": [instead(isBlob, () => html), "cannot fetch blob", "answers with a web page"],
      "no-http": [
        instead(isManifest, ({ socket }) => raw(socket, "SSH-2.0-x\r\n\r\n")),
        "cannot fetch the manifest",
        "does not answer in HTTP",
      ],
      "endless-headers": [
        instead(isManifest, ({ socket }) => sendWithoutEnd(socket, ok, "X: y\r\n")),
        "headers of more than 65536 bytes",
      ],
      "endless-manifest": [
        instead(isManifest, ({ socket }) => sendWithoutEnd(socket, `${ok}\r\n`, " ")),
        "larger than the limit of 4194304 bytes",
      ],
      "endless-blob": [
        instead(isBlob, ({ socket }) => sendWithoutEnd(socket, `${ok}\r\n`, "x")),
        /\d+ bytes are expected, \S+ sends more/,
      ],
      "endless-chunks": [
        instead(isBlob, ({ socket }) =>
          sendWithoutEnd(socket, `${ok}Transfer-Encoding: chunked\r\n\r\n`, "4\r\nxxxx\r\n"),
        ),
        /\d+ bytes are expected, \S+ sends more/,
      ],
      "announces-more": [
        instead(isBlob, () => ({ status: 200, body: "x".repeat(5000) })),
        /bytes are expected, \S+ sends 5000/,
      ],
      "sends-less": [
        instead(isBlob, () => ({ status: 200, body: "x" })),
        /bytes are expected, \S+ sends 1/,
      ],
      "flipped-config": [
        (request) => flipped(request, registry, (digest, image) => digest === image.id),
        "the image configuration sha256:",
        "does not match its digest",
      ],
      "flipped-layer": [
        (request) => flipped(request, registry, (digest, image) => digest !== image.id),
        /layer sha256:\w{64}: the gzip data is damaged/,
      ],
      "to-a-file": [
        instead(isBlob, () => redirect("file:///etc/passwd")),
        /sends us to file:\/\/\/etc\/passwd, which is neither http nor https/,
      ],
      "to-metadata": [
        instead(isBlob, () => redirect("http://169.254.169.254/latest")),
        "which is an internal (link-local) address",
      ],
      "in-circles": [
        instead(isManifest, ({ target }) => redirect(target)),
        "redirects more than 5 times",
      ],
      "to-nowhere": [instead(isManifest, () => redirect("http://[2Jx/")), "which is not a URL"],
      "with-control-characters": [
        instead(isManifest, () => redirect("http://\u001b[2Jx/\u0007")),
        "does not answer in HTTP",
      ],
      "too-many-requests": [
        instead(isManifest, () => ({ status: 429, headers: { "Retry-After": "0" } })),
        "answers 429",
        "rate limit",
      ],
      "come-back-tomorrow": [
        instead(isManifest, () => ({ status: 429, headers: { "Retry-After": "86400" } })),
        "retry-after: 86400",
      ],
      "coloured-refusal": [
        instead(isManifest, () => ({
          status: 403,
          headers: { "Content-Type": "application/json" },
          body: JSON.stringify({ errors: [{ code: "DENIED", message: "\u001b[31mno\u202e" }] }),
        })),
        "pull access denied",
      ],
    };
    test.each(Object.entries(cases))("%s", async (name, [answering, ...expected]) => {
      registry.image(name, plainImage(name), answering);
      await refused(name, ...expected);
    });
    test("connections that break again and again, an error that stays", async () => {
      registry.image("cut", plainImage("cut"), ({ path, socket }) =>
        path.includes("/blobs/") ? dropped(socket) : undefined,
      );
      registry.image("broken", plainImage("broken"), (request) =>
        isManifest(request) ? { status: 500, body: "\u001b[31m".repeat(9999) } : undefined,
      );
      const [cut, broken] = await Promise.all([pull("cut"), pull("broken")]);
      expect(cut).toMatchObject({ status: 1, stdout: "" });
      expect(cut.stderr).toMatch(
        /^cannot fetch blob .* closed the connection before it answered$/m,
      );
      expect(broken).toMatchObject({ status: 1, stdout: "" });
      expect(broken.stderr).toMatch(/cannot fetch the manifest of .* answers 500/);
    });

    const tokens: Readonly<Record<string, [unknown, string]>> = {
      nothing: ["{}", "gives no usable token"],
      lines: [JSON.stringify({ token: "a\r\nX-Evil: 1" }), "gives no usable token"],
      page: ["<html>", "is not JSON"],
      endless: ["a".repeat(2 << 20), "larger than the limit of 1048576 bytes"],
      nested: ["[".repeat(100_000), "nested deeper than 64 levels"],
      number: [JSON.stringify({ token: 5 }), "token must be a string"],
      useless: [JSON.stringify({ token: "x" }), "answers 401"],
    };
    test.each(Object.entries(tokens))("a token server that gives %s", async (name, given) => {
      const [body, expected] = given;
      const realm = `http://${registry.host}/token-${name}`;
      registry.answer(`token-${name}`, () => ({ status: 200, body: String(body) }));
      registry.answer(`wants-${name}`, () => challenge(realm));
      await refused(`wants-${name}`, expected);
    });
    test.each([
      ["file:///etc/passwd", "neither http nor https"],
      ["http://169.254.169.254/x", /cannot get a token .* sends us to 169\.254\.169\.254/],
    ])("a token server at %s", async (realm, expected) => {
      const name = `realm-${realm.length}`;
      registry.answer(name, () => challenge(realm));
      await refused(name, expected);
    });

    test.each([
      ["that never end", () => [String(Math.random()).slice(2)], "more than 10000 pages"],
      ["of no text", () => [5], "must be a string"],
    ] as const)("tags %s", async (title, tags, expected) => {
      const name = title.replaceAll(" ", "-");
      registry.answer(name, ({ path }) => {
        if (!path.endsWith("/tags/list")) return undefined;
        const Link = `</v2/${name}/tags/list?last=${Math.random()}>; rel="next"`;
        const given = title === "that never end" ? [] : tags();
        return { status: 200, headers: { Link }, body: JSON.stringify({ tags: given }) };
      });
      const ended = await run(["pull", "-q", "-a", `${registry.host}/${name}`]);
      expect(ended).toMatchObject({ status: 1, stdout: "" });
      expect(ended.stderr).toContain(expected);
    });
    afterAll(nothingLeft);
  });

  describe("with documents that are traps", () => {
    const empty = { schemaVersion: 2, mediaType: mediaTypes.manifest };
    const config = { mediaType: mediaTypes.config, digest: digestOf("{}"), size: 2 };
    const layers = (count: number) =>
      Array.from({ length: count }, (_, n) => ({
        ...{ mediaType: mediaTypes.layer, digest: digestOf(String(n)), size: 1 },
      }));
    const cases: Readonly<Record<string, [content: string | object, ...(string | RegExp)[]]>> = {
      deep: ["[".repeat(1_000_000), "nested deeper than 64 levels"],
      large: [" ".repeat(5 << 20), "has 5242880 bytes, more than the limit of 4194304"],
      nothing: ["", "is not JSON"],
      "many-layers": [{ ...empty, config, layers: layers(9999) }, "layers has more than 500"],
      "negative-size": [
        { ...empty, config: { ...config, size: -1 }, layers: [] },
        "config.size must not be negative",
      ],
      "a-path-as-digest": [
        { ...empty, config: { ...config, digest: "sha256:../../etc/passwd" }, layers: [] },
        "is not a digest",
      ],
      "two-types": [
        `{"schemaVersion":2,"mediaType":"${mediaTypes.index}","manifests":[]}`,
        "but the registry says",
      ],
      "coloured-artifact": [
        {
          ...empty,
          artifactType: "x/\u001b[31my",
          config: { ...config, mediaType: "x/y" },
          layers: [],
        },
        "is an artifact of type",
      ],
    };
    test.each(Object.entries(cases))("%s", async (name, [content, ...expected]) => {
      registry.document(name, content, mediaTypes.manifest);
      await refused(name, ...expected);
    });
    test("an index of too many, and one in one in one in one", async () => {
      const entry = (of: object) => ({ ...of, platform: { os: "linux", architecture: "amd64" } });
      const index = (...manifests: object[]) => ({
        ...{ schemaVersion: 2, mediaType: mediaTypes.index, manifests },
      });
      registry.document("many", index(...layers(9999)), mediaTypes.index);
      await refused("many", "manifests has more than 1000");
      let inner: object = { mediaType: mediaTypes.manifest, digest: digestOf("x"), size: 5 };
      for (let depth = 0; depth < 10; depth++) {
        const document = index(entry(inner));
        const digest = registry.document("nested", document, mediaTypes.index);
        inner = { mediaType: mediaTypes.index, digest, size: JSON.stringify(document).length };
      }
      await refused("nested", "is nested too deeply");
    });

    const layer = tarOf([{ name: "a", content: "a" }]);
    const diffId = digestOf(layer);
    const diffIds = (...diff_ids: string[]) => ({ rootfs: { type: "layers", diff_ids } });
    const configs: Readonly<Record<string, [object, ...string[]]>> = {
      "wrong-diff-id": [diffIds(digestOf("lie")), "the content of layer sha256:", "got sha256:"],
      "too-few-diff-ids": [diffIds(), "has 1 layers, its configuration 0"],
      "too-many-diff-ids": [diffIds(diffId, diffId), "has 1 layers, its configuration 2"],
      "no-diff-ids": [{ rootfs: undefined }, "rootfs must be an object"],
      "too-much-history": [
        { history: Array.from({ length: 100 }, () => ({ created_by: "x" })) },
        "history tells of 100 layers",
      ],
      "another-system": [{ os: "win\u001b[31mdows" }, "only linux images can be used"],
      "types-of-its-own": [{ config: { ExposedPorts: [] } }, "ExposedPorts must be an object"],
      "endless-environment": [
        { config: { Env: Array.from({ length: 99_999 }, (_, n) => `A${n}=b`) } },
        "Env has more than 10000 members",
      ],
    };
    test.each(Object.entries(configs))("a configuration with %s", async (name, given) => {
      const [more, ...expected] = given;
      registry.image(name, makeImage({ layers: [layer], config: more }));
      await refused(name, ...expected);
    });

    test("10,000 lines of history, some of them coloured, are an image all the same", async () => {
      const history = Array.from({ length: 10_000 }, (_, n) => ({
        ...{ created_by: `RUN \u001b[31m${n}`, empty_layer: n > 0 },
      }));
      registry.image("long", plainImage("long", { history }));
      const name = `${registry.host}/long`;
      expect(await pull("long")).toMatchObject({ status: 0 });
      const shown = await cli.ok(["history", "--no-trunc", name]);
      expect(shown.split("\n")).toHaveLength(10_001);
      expect(shown.replaceAll("\n", "")).toMatch(harmless);
      await cli.ok(["rmi", name]);
    });
    afterAll(nothingLeft);
  });

  describe("with layers that are traps", () => {
    const members: Readonly<Record<string, [TarMember[], ...(string | RegExp)[]]>> = {
      upwards: [[{ name: "../../../tmp/thimble-escaped" }], "leads out of the archive's root"],
      "a-link-upwards": [
        [{ name: "passwd", type: "hardlink", linkName: "../../../../etc/passwd" }],
        "leads out of the archive's root",
      ],
      "a-link-of-others": [
        [
          { name: "etc", type: "symlink", linkName: "/etc" },
          { name: "passwd", type: "hardlink", linkName: "etc/passwd" },
        ],
        'extracting "passwd"',
      ],
      "the-root-a-link": [[{ name: "./", type: "symlink", linkName: "/tmp" }], "not a directory"],
      "a-long-name": [[{ name: "a".repeat(300) }], "longer than 255 bytes"],
      "a-long-path": [[{ name: "a/".repeat(3000) }], "longer than 4095 bytes"],
      "a-whiteout-of-nothing": [[{ name: ".wh..." }], "whiteout of nothing"],
    };
    test.each(Object.entries(members))("%s", async (name, [layer, ...expected]) => {
      registry.image(name, layerImage(layer));
      await refused(name, /layer sha256:\w{64}: /, ...expected);
    });
    const noise = Buffer.from("this is not an archive".repeat(100));
    const cut = tarOf([{ name: "cut", content: "x".repeat(2000) }]).subarray(0, 1000);
    const whole = tarOf([{ name: "whole" }]);
    const blobs: Readonly<Record<string, [ReturnType<typeof blobImage>, string | RegExp]>> = {
      "no-archive": [blobImage(noise, mediaTypes.layer), "this is not a tar archive"],
      "a-cut-archive": [blobImage(cut, mediaTypes.layer), "cut off in the middle"],
      "a-size-too-large": [blobImage(whole, mediaTypes.layer, { size: 1e12 }), "are expected"],
      "a-size-too-small": [blobImage(whole, mediaTypes.layer, { size: 3 }), "are expected"],
      "a-bomb-of-gzip": [bombImage("gzip"), "looks like a decompression bomb"],
      "a-bomb-of-zstd": [bombImage("zstd"), "looks like a decompression bomb"],
    };
    test.each(Object.entries(blobs))("%s", async (name, [image, expected]) => {
      registry.image(name, image);
      await refused(name, expected);
    });

    test("names and links that only look so stay inside; odd ones are kept", async () => {
      const out = (linkName: string, name: string): TarMember[] => [
        { name: `${name}/out`, type: "symlink", linkName },
        { name: `${name}/out/thimble-escaped`, content: "inside" },
      ];
      const odd = layerImage([
        { name: "/absolute", content: "x" },
        ...out("/tmp", "a"),
        ...out("../../../../../../../tmp", "b"),
        { name: "twice", content: "1" },
        { name: "twice", type: "symlink", linkName: "absolute" },
        { name: "before-1970", mtime: -5_000_000_000_000_000_000n },
        { name: "\xff\xfe", content: "no UTF-8" },
        { name: "memory", type: "character", device: { major: 1, minor: 1 } },
      ]);
      registry.image("odd", odd);
      expect(await pull("odd")).toMatchObject({ status: 0, stderr: "" });
      expect(readdirSync("/tmp")).not.toContain("thimble-escaped");
      const path = `${registry.host}/odd:/tmp/thimble-escaped`;
      const copied = await cli.ok(["image", "cp", path, "-"]);
      expect(copied).toContain("inside");
      await cli.ok(["rmi", `${registry.host}/odd`]);
    });
    afterAll(nothingLeft);
  });

  test("run ends with Docker's status for a start that failed", async () => {
    registry.image("no-run", blobImage(Buffer.from("x".repeat(2000)), mediaTypes.layer));
    const words = ["run", "--rm", `${registry.host}/no-run`, "true"];
    const said = [await run(words)];
    if (dockerPath) {
      const env = { DOCKER_HOST: `unix://${cli.socket}`, HOME: cli.directory };
      said.push({ ...(await runProgram([dockerPath, ...words], { env })), signal: null });
    }
    for (const { status, stderr } of said) {
      expect(status).toBe(125);
      expect(stderr).toContain("this is not a tar archive");
    }
    await nothingLeft();
  });

  test("one that hangs is left when its user has enough; others pull meanwhile", async () => {
    const asked = Promise.withResolvers<void>();
    const image = plainImage("hanging");
    registry.image("hanging", image, ({ path, socket }) => {
      if (!path.endsWith(image.manifest.layers[0]?.digest ?? "")) return undefined;
      socket.write("HTTP/1.1 200 OK\r\n\r\n\x1f");
      asked.resolve();
      return "taken";
    });
    const hanging = cli.start(["pull", `${registry.host}/hanging`]);
    await asked.promise;
    expect(await pull("good")).toMatchObject({ status: 0 });
    hanging.signal("SIGINT");
    await hanging.ended;
    await nothingLeft();
  });

  describe("and configurations that are traps", () => {
    const certs = () => join(configRoot, "certs.d", registry.host);
    test.each([
      ["no TOML", "server = [[[", "TOML Parse error"],
      ["a file as server", 'server = "file:///etc/passwd"', "must be an http:// or https:// URL"],
      ["too many hosts", '[host."http://a"]\n'.replace("a", "h1") + hosts(99), "more than 32"],
      ["an authority without end", 'ca = "/dev/zero"', "/dev/zero is not a file"],
      ["an authority that is none", 'ca = "/etc/passwd"', "/etc/passwd holds no certificate"],
      ["a size of its own", "#".repeat(2 << 20), "is larger than 1048576 bytes"],
    ])("hosts.toml with %s", async (_, text, expected) => {
      mkdirSync(certs(), { recursive: true });
      writeFileSync(join(certs(), "hosts.toml"), text);
      await refused("good", expected);
    });
    test("hosts.toml that is a device", async () => {
      rmSync(join(certs(), "hosts.toml"), { force: true });
      symlinkSync("/dev/zero", join(certs(), "hosts.toml"));
      await refused("good", "hosts.toml is not a file");
      rmSync(certs(), { recursive: true });
    });

    test.each([
      ["no JSON", "{", "is not JSON"],
      ["no default", "{}", "default must be a list"],
      ["a rule of its own", '{"default":[{"type":"bog"}]}', 'is "bog", which is not supported'],
      ["a key that is none", signedBy("/etc/passwd"), "holds no public key"],
      ["a key without end", signedBy("/dev/zero"), "it is not a file"],
      ["depth", "[".repeat(100_000), "nested deeper than 64 levels"],
    ])("a policy with %s", async (_, text, expected) => {
      const file = join(configRoot, "policy.json");
      writeFileSync(file, text);
      await refused("good", expected);
      rmSync(file);
    });

    const helpers: Readonly<Record<string, [script: string, expected: string]>> = {
      endless: ["exec cat /dev/zero", "answers with more than 1048576 bytes"],
      failing: ["printf '\\033[31mbad'; exit 1", "failed to get: \\u001b[31mbad"],
      talking: ["echo hello", "did not answer with JSON"],
      killed: ["kill -9 $$", "it did not say why"],
    };
    test.each(Object.entries(helpers))("a credential helper %s", async (name, given) => {
      const [script, expected] = given;
      const directory = join(cli.directory, "docker");
      mkdirSync(directory, { recursive: true });
      const path = join(directory, `docker-credential-${name}`);
      writeFileSync(path, `#!/bin/sh\n${script}\n`);
      chmodSync(path, 0o755);
      writeFileSync(join(directory, "config.json"), JSON.stringify({ credsStore: name }));
      const env = { DOCKER_CONFIG: directory, PATH: `${directory}:${process.env.PATH}` };
      const ended = await pull("good", { env });
      expect(ended.status).toBe(0);
      expect(ended.stderr).toContain(`WARNING: `);
      expect(ended.stderr).toContain(expected);
      expect(ended.stderr.trim()).toMatch(harmless);
    });

    test.each([
      ["no base64", "\u00ff!!", 200],
      ["a list", Buffer.from("[]").toString("base64"), 200],
      ["other types", Buffer.from('{"username":5,"auth":{}}').toString("base64"), 200],
      ["no bounds", "A".repeat(70_000), 431],
    ])("X-Registry-Auth with %s", async (_, header, status) => {
      const path = `/v1.47/images/create?fromImage=${registry.host}/good&tag=latest`;
      const init = { method: "POST", unix: cli.socket, headers: { "X-Registry-Auth": header } };
      const answer = await fetch(`http://d${path}`, init);
      await answer.text();
      expect(answer.status).toBe(status);
    });
  });

  test("after all of it nothing is left, the store is whole, the engine has stayed small", async () => {
    await nothingLeft();
    expect(await cli.ok(["system", "fsck"])).toContain("all is well");
    expect(await pings.stop()).toBe(0);
    expect(memory(cli, "VmHWM")).toBeLessThan(memoryLimit.peak);
    const small = () => memory(cli, "VmRSS") < memoryLimit.quiet || undefined;
    await eventually(small, "an engine that gives memory back");
  });
});

function raw(socket: FakeRequest["socket"], text: string): "taken" {
  socket.write(text);
  return "taken";
}

function dropped(socket: FakeRequest["socket"]): "taken" {
  socket.destroy();
  return "taken";
}

function challenge(realm: string) {
  const headers = { "WWW-Authenticate": `Bearer realm="${realm}",service="s"` };
  return { status: 401, headers };
}

function hosts(count: number): string {
  return Array.from({ length: count }, (_, n) => `[host."http://h${n + 2}"]\n`).join("");
}

function signedBy(keyPath: string): string {
  return JSON.stringify({ default: [{ type: "sigstoreSigned", keyPath }] });
}

/** A blob with one bit changed; of those that are meant. */
function flipped(
  { path }: FakeRequest,
  { fake }: HostileRegistry,
  isMeant: (digest: string, image: { readonly id: string }) => boolean,
) {
  const digest = path.split("/").at(-1) ?? "";
  const repository = path.split("/")[2] ?? "";
  const bytes = Buffer.from(fake.blobs.get(digest) ?? "");
  const manifest = JSON.parse(fake.manifests.get(`${repository}:latest`)?.bytes.toString() ?? "");
  if (!path.includes("/blobs/") || !isMeant(digest, { id: manifest.config.digest })) return;
  bytes.writeUInt8(bytes.readUInt8(bytes.length >> 1) ^ 4, bytes.length >> 1);
  return { status: 200, body: bytes };
}

/** Asks an engine again and again whether it is there; how often it was not. */
function pingUntilStopped(socket: string): { stop(): Promise<number> } {
  let over = false;
  let failures = 0;
  const loop = async () => {
    while (!over) {
      const answer = await fetch("http://d/_ping", { unix: socket }).catch(() => undefined);
      if (!answer?.ok) failures++;
    }
  };
  const looping = loop();
  return {
    stop: async () => {
      over = true;
      await looping;
      return failures;
    },
  };
}
