import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { mediaTypes, sha256 } from "#image";

/**
 * A registry in a process of its own is killed while clients push to it, again and again
 * over one directory: what was answered "created" is there, nothing that is there is half.
 */

const program = `
  import { openDiskStore, serveRegistry } from "#registry-server";
  const store = await openDiskStore(process.argv[1]);
  const server = await serveRegistry({ address: { host: "127.0.0.1", port: 0 }, store });
  console.log(server.url);
  process.stdin.on("data", async () => console.log(JSON.stringify(
    await server.collect({ graceSeconds: 0, uploadSeconds: 0 }))));
`;

const roots: string[] = [];
const children = new Set<{ kill(signal: "SIGKILL"): void }>();
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  children.clear();
  for (const root of roots.splice(0)) rmSync(root, { recursive: true, force: true });
});

async function start(root: string) {
  const child = Bun.spawn([process.execPath, "-e", program, root], {
    cwd: join(import.meta.dir, "../.."),
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  children.add(child);
  const output = child.stdout.getReader();
  const line = async () => {
    let text = "";
    while (!text.endsWith("\n")) {
      const { done, value } = await output.read();
      if (done) throw new Error(`the registry ended after "${text}"`);
      text += Buffer.from(value).toString();
    }
    return text.trim();
  };
  const url = await line();
  return {
    url,
    async collect() {
      child.stdin.write("collect\n");
      await child.stdin.flush();
      return JSON.parse(await line()) as Record<string, unknown>;
    },
    async kill() {
      child.kill("SIGKILL");
      await child.exited;
      children.delete(child);
    },
  };
}

const config = Buffer.from("{}");

function image(text: string) {
  const layer = Buffer.alloc(200_000, text);
  const describe = (bytes: Buffer, mediaType: string) => ({
    mediaType,
    digest: sha256(bytes),
    size: bytes.length,
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: describe(config, mediaTypes.config),
    layers: [describe(layer, mediaTypes.layer)],
  });
  return { layer, manifest };
}

/** Pushes one image after the other under one tag until the registry is gone; which were acknowledged, and which tried. */
async function pushUntilGone(
  url: string,
  name: string,
  { first, onAnswer }: { readonly first: number; readonly onAnswer: () => void },
) {
  let acknowledged: string | undefined;
  for (let at = first; ; at++) {
    const { layer, manifest } = image(`${name} ${at};`);
    const tried = sha256(manifest);
    try {
      for (const blob of [config, layer]) {
        const begun = await fetch(`${url}/v2/${name}/blobs/uploads/`, { method: "POST" });
        const where = `${url}${begun.headers.get("location")}`;
        const half = blob.length >> 1;
        await fetch(where, { method: "PATCH", body: new Uint8Array(blob.subarray(0, half)) });
        const put = await fetch(`${where}?digest=${sha256(blob)}`, {
          method: "PUT",
          body: new Uint8Array(blob.subarray(half)),
        });
        if (put.status !== 201) throw new Error(`a blob was answered ${put.status}`);
        onAnswer();
      }
      const headers = { "Content-Type": mediaTypes.manifest };
      const path = `${url}/v2/${name}/manifests/latest`;
      const put = await fetch(path, { method: "PUT", body: manifest, headers });
      if (put.status !== 201) throw new Error(`the manifest was answered ${put.status}`);
      acknowledged = tried;
      onAnswer();
    } catch (error) {
      if ((error as { code?: unknown }).code === undefined) throw error;
      return { acknowledged, tried, next: at + 1 };
    }
  }
}

async function requireWhole(url: string, name: string): Promise<string | undefined> {
  const response = await fetch(`${url}/v2/${name}/manifests/latest`);
  if (response.status === 404) return undefined;
  const text = await response.text();
  expect(response.headers.get("docker-content-digest")).toBe(sha256(text));
  const { layers } = JSON.parse(text) as { layers: { digest: string }[] };
  for (const { digest } of layers) {
    const blob = await fetch(`${url}/v2/${name}/blobs/${digest}`);
    const bytes = Buffer.from(await blob.arrayBuffer());
    const told = blob.status === 200 ? sha256(bytes) : bytes.toString();
    expect([blob.status, told]).toEqual([200, digest]);
  }
  return sha256(text);
}

test("a registry that is killed while it is pushed to has the old or the new, whole", async () => {
  const root = mkdtempSync(join(tmpdir(), "thimble-registry-crash-"));
  roots.push(root);
  const names = ["a", "b/c"];
  const state = new Map(
    names.map((name) => [name, { last: undefined as string | undefined, next: 0 }]),
  );
  let moved = 0;
  for (let round = 0; round < 12; round++) {
    const server = await start(root);
    // In the middle of whatever the others are at when one gets this answer.
    const enough = Promise.withResolvers<void>();
    let answers = 0;
    const onAnswer = () => {
      if (++answers === 4 + 5 * round) enough.resolve();
    };
    const pushing = names.map((name) =>
      pushUntilGone(server.url, name, { first: state.get(name)?.next ?? 0, onAnswer }),
    );
    await Promise.race([enough.promise, ...pushing]);
    await server.kill();
    const outcomes = await Promise.all(pushing);
    const again = await start(root);
    for (const [at, name] of names.entries()) {
      const { acknowledged, tried, next } = outcomes[at] ?? { next: 0 };
      const before = acknowledged ?? state.get(name)?.last;
      const now = await requireWhole(again.url, name);
      expect([before, tried]).toContain(now);
      if (now !== state.get(name)?.last) moved++;
      state.set(name, { last: now, next });
    }
    if (round % 4 === 3) {
      await again.collect();
      for (const name of names)
        expect(await requireWhole(again.url, name)).toBe(state.get(name)?.last);
      expect(await again.collect()).toMatchObject({ blobs: 0, links: 0, uploads: 0 });
    }
    await again.kill();
  }
  expect(moved).toBeGreaterThan(4);
});
