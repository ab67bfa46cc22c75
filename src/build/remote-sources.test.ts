import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sha256 } from "#image";
import { outcome } from "../base/testing.ts";
import { commitOf } from "./git-repository.ts";
import type { RemotePart } from "./key.ts";
import { RemoteSources } from "./remote-sources.ts";

let root: string;
let server: ReturnType<typeof Bun.serve>;
let asked = 0;
const changed = "Wed, 21 Oct 2015 07:28:00 GMT";

beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-remote-"));
  server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request) {
      asked += 1;
      const { pathname } = new URL(request.url);
      if (pathname === "/moved") return Response.redirect(`${server.url}file`);
      // A repository as any server of files has it.
      if (pathname.startsWith("/r.git/")) return repositoryFile(pathname);
      if (pathname !== "/file") return new Response("no", { status: 404 });
      const headers = { etag: '"1"', "last-modified": changed };
      const isKnown = request.headers.get("if-none-match") === '"1"';
      return isKnown
        ? new Response(null, { status: 304, headers })
        : new Response("data", { headers });
    },
  });
});

afterAll(async () => {
  await server.stop(true);
  rmSync(root, { recursive: true });
});

async function repositoryFile(path: string): Promise<Response> {
  const file = Bun.file(join(root, path));
  return (await file.exists()) ? new Response(file) : new Response("no", { status: 404 });
}

const signal = new AbortController().signal;
const part = (path: string, checksum?: string): RemotePart => ({
  kind: "remote",
  from: {
    kind: "remote",
    url: `${server.url}${path}`,
    fileName: "na*me",
    ...(checksum && { checksum }),
  },
  unpacks: false,
});

describe("a file of the web", () => {
  test("comes once in a build, with mode and time, and not again while its version stays", async () => {
    const sources = new RemoteSources(join(root, "a"));
    {
      await using build = sources.open(signal);
      expect(await build.contentOf(part("moved"))).toBe(sha256("data"));
      const before = asked;
      const { directory, path } = await build.filesOf(part("moved"));
      expect(asked).toBe(before);
      expect(path).toBe("/na\\*me");
      const file = join(directory, "na*me");
      expect(readFileSync(file, "utf8")).toBe("data");
      expect(statSync(file).mode & 0o777).toBe(0o600);
      expect(statSync(file).mtimeMs).toBe(Date.parse(changed));
    }
    await using build = sources.open(signal);
    expect(await build.contentOf(part("moved"))).toBe(sha256("data"));
    expect(readdirSync(join(root, "a"), { recursive: true }).join()).not.toContain("na*me");
    const { directory } = await build.filesOf(part("moved"));
    expect(readdirSync(directory)).toEqual(["na*me"]);
  });

  test("is known by its checksum without asking, and refused with another", async () => {
    await using build = new RemoteSources(join(root, "b")).open(signal);
    const before = asked;
    const right = sha256("data");
    expect(await build.contentOf(part("file", right))).toBe(right);
    expect(asked).toBe(before);
    await build.filesOf(part("file", right));
    const wrong = right.replace(/.$/, right.endsWith("0") ? "1" : "0");
    const refused = await outcome(build.filesOf(part("file", wrong)));
    expect(refused).toThrow(`digest mismatch ${right}: ${wrong}`);
    const sha512 = `sha512:${new Bun.CryptoHasher("sha512").update("data").digest("hex")}`;
    expect((await build.filesOf(part("file", sha512))).path).toBe("/na\\*me");
  });

  test("that is not there ends the build with the status", async () => {
    await using build = new RemoteSources(join(root, "c")).open(signal);
    const missing = await outcome(build.contentOf(part("missing")));
    expect(missing).toThrow("/missing: invalid response status 404");
  });
});

test.skipIf(!Bun.which("git"))(
  "a repository's files come at a tag, with one directory alone",
  async () => {
    const work = join(root, "work");
    const git = (...args: string[]) => {
      const identity = ["-c", "user.name=n", "-c", "user.email=e", "-c", "init.defaultBranch=main"];
      const { exitCode, stdout, stderr } = Bun.spawnSync(["git", ...identity, ...args]);
      if (exitCode !== 0) throw new Error(stderr.toString());
      return stdout.toString().trim();
    };
    git("init", "-q", work);
    mkdirSync(join(work, "sub"));
    writeFileSync(join(work, "sub/file"), "tagged");
    git("-C", work, "add", ".");
    git("-C", work, "commit", "-qm", "first");
    git("-C", work, "tag", "-am", "message", "v1");
    const commit = git("-C", work, "rev-parse", "HEAD");
    writeFileSync(join(work, "sub/file"), "later");
    git("-C", work, "commit", "-qam", "second");
    git("clone", "-q", "--bare", work, join(root, "r.git"));
    git("-C", join(root, "r.git"), "update-server-info");
    const from = { kind: "git", url: `${server.url}r.git`, keepsGitDirectory: false } as const;
    const asked = { kind: "git", from: { ...from, ref: "v1", directory: "sub" } } as const;
    await using build = new RemoteSources(join(root, "d")).open(signal);
    expect(await build.contentOf(asked)).toBe(commit);
    const { directory, path } = await build.filesOf(asked);
    expect(path).toBe("/sub");
    expect(readFileSync(join(directory, "sub/file"), "utf8")).toBe("tagged");
    expect(readdirSync(directory)).toEqual(["sub"]);
    const missing = { kind: "git", from: { ...from, ref: "v2", directory: "" } } as const;
    expect(await outcome(build.contentOf(missing))).toThrow("has no v2");
  },
);

test("the commit of a repository has to be the one that a checksum names", async () => {
  const commit = "0123456789".repeat(4);
  const source = {
    kind: "git",
    url: "https://h/r.git",
    directory: "",
    keepsGitDirectory: false,
  } as const;
  expect(await commitOf({ ...source, ref: commit, checksum: "0123" }, signal)).toBe(commit);
  const other = await outcome(commitOf({ ...source, ref: commit, checksum: "9" }, signal));
  expect(other).toThrow(`expected checksum to match 9, got ${commit}`);
});
