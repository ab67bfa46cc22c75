/** `thimble build` as a user types it, before an engine of its own. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { ThimbleCli } from "../support/thimble-cli.ts";
import { tarOf } from "../support/tree.ts";

/** A server of an archive, a file and a repository, made in a directory of their own. */
async function serveFiles(near: string): Promise<AsyncDisposable & { readonly url: string }> {
  const root = `${near}-served`;
  mkdirSync(join(root, "work/below"), { recursive: true });
  const tar = tarOf([{ name: "deep/x", content: "tar\n" }]);
  writeFileSync(join(root, "files.tar.gz"), Bun.gzipSync(new Uint8Array(tar)));
  writeFileSync(join(root, "file"), "file\n");
  writeFileSync(join(root, "work/below/f"), "repo\n");
  const git = (...words: string[]) => execFileSync("git", ["-C", join(root, "work"), ...words]);
  git("init", "-q");
  git("add", ".");
  git("-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "all");
  git("clone", "-q", "--bare", ".", join(root, "r.git"));
  execFileSync("git", ["-C", join(root, "r.git"), "update-server-info"]);
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const file = Bun.file(join(root, new URL(request.url).pathname));
      return (await file.exists()) ? new Response(file) : new Response("", { status: 404 });
    },
  });
  const url = `http://127.0.0.1:${server.port}`;
  return { url, [Symbol.asyncDispose]: () => server.stop(true) };
}

const isRoot = process.getuid?.() === 0;

describe.skipIf(!isRoot)("thimble build [needs root]", () => {
  const cli = new ThimbleCli();
  beforeAll(async () => {
    await cli.importBusybox("busybox");
  });
  afterAll(async () => {
    await cli[Symbol.asyncDispose]();
  });

  let context = "";
  let count = 0;
  beforeEach(() => {
    context = join(cli.directory, `context-${count++}`);
    mkdirSync(context);
  });
  const put = (name: string, text: string) => writeFileSync(join(context, name), text);
  const build = (...words: string[]) =>
    cli.run(["build", "--progress", "plain", ...words, context]);

  test("an image has the files of the context, and a change runs only what it reaches", async () => {
    put(
      "Dockerfile",
      "FROM busybox\nRUN echo once > /once\nCOPY a b* /files/\nRUN cat /files/* > /all\nCMD cat /all\n",
    );
    put("a", "one ");
    put("b", "two\n");
    put("c", "left out");
    put(".dockerignore", "c\n");
    const first = await build("-t", "files");
    expect(first).toMatchObject({ status: 0, stdout: "" });
    expect(first.stderr).toMatch(/#\d+ \[2\/4\] RUN echo once > \/once\n/);
    expect(first.stderr).toMatch(/#\d+ DONE \d+\.\ds\n/);
    expect(await cli.ok(["run", "--rm", "files"])).toBe("one two");

    const again = await build("-t", "files");
    expect(again.stderr.match(/^#\d+ CACHED$/gm)?.length).toBeGreaterThanOrEqual(3);
    put("a", "another ");
    const changed = await build("-t", "files", "--explain");
    expect(changed.stderr).toMatch(/RUN echo once > \/once\n#\d+ CACHED/);
    expect(await cli.ok(["run", "--rm", "files"])).toBe("another two");
  });

  test("a Dockerfile and a context come on standard input", async () => {
    const dockerfile = "FROM busybox\nCMD echo from stdin\n";
    const id = await cli.ok(["build", "-q", "-"], { input: dockerfile });
    expect(await cli.ok(["run", "--rm", id])).toBe("from stdin");

    const tar = tarOf([
      { name: "sub/Dockerfile", content: "FROM busybox\nCOPY x /x\nCMD cat /x\n" },
      { name: "x", content: "of a tar" },
    ]);
    const other = await cli.ok(["build", "-q", "-f", "sub/Dockerfile", "-"], { input: tar });
    expect(await cli.ok(["run", "--rm", other])).toBe("of a tar");

    put("x", "of the directory");
    const third = await cli.ok(["build", "-q", "-f", "-", context], {
      input: "FROM busybox\nCOPY x /x\nCMD cat /x\n",
    });
    expect(await cli.ok(["run", "--rm", third])).toBe("of the directory");
  });

  test("a step that fails is shown with its output and its line", async () => {
    put("Dockerfile", "FROM busybox\nRUN echo before; echo why >&2; exit 3\n");
    const { status, stdout, stderr } = await build();
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^#\d+ \d+\.\d+ why$/m);
    expect(stderr).toMatch(
      /------\n > \[2\/2\] RUN echo before; .*:\n\d+\.\d+ before\n\d+\.\d+ why\n------\nDockerfile:2\n/,
    );
    expect(stderr).toContain("   2 | >>> RUN echo before; echo why >&2; exit 3\n");
    expect(stderr).toEndWith("did not complete successfully: exit code: 3\n");
  });

  test("an error of the Dockerfile is shown with its line", async () => {
    put("Dockerfile", "FROM busybox\nCOPY missing /\n");
    const { status, stderr } = await build();
    expect(status).toBe(1);
    expect(stderr).toContain("   2 | >>> COPY missing /\n");
    expect(stderr).toContain('"/missing": not found');
    const stage = await build("--target", "nothere");
    expect(stage.stderr).toContain('target stage "nothere" could not be found');
  });

  test("arguments, secrets and stages", async () => {
    put(
      "Dockerfile",
      "FROM busybox AS first\nARG A\nRUN --mount=type=secret,id=s,required cat /run/secrets/s | wc -c > /len; echo $A > /a\nCMD cat /a /len\nFROM first\nRUN exit 1\n",
    );
    put("secret", "swordfish");
    const words = ["--target", "first", "--build-arg", "A=1", "-t", "args"];
    const { status } = await build(...words, "--secret", `id=s,src=${context}/secret`);
    expect(status).toBe(0);
    expect(await cli.ok(["run", "--rm", "args"])).toBe("1\n9");
    const { stdout } = await cli.run(["run", "--rm", "args", "ls", "-a", "/run/secrets"]);
    expect(stdout).not.toContain("s\n");
  });

  test("results go to directories, archives and files", async () => {
    put(
      "Dockerfile",
      "FROM busybox AS make\nRUN echo made > /x\nFROM scratch\nCOPY --from=make /x /dir/x\n",
    );
    const out = join(context, "../out");
    expect(await build("-o", out)).toMatchObject({ status: 0 });
    expect(readFileSync(join(out, "dir/x"), "utf8")).toBe("made\n");
    const tar = `${out}.tar`;
    expect(await build("-o", `type=oci,dest=${tar}`, "-t", "loaded:1")).toMatchObject({
      status: 0,
    });
    expect(await cli.ok(["load", "-i", tar])).toContain("loaded:1");
    const files = ["--iidfile", `${out}.id`, "--metadata-file", `${out}.json`];
    const id = await cli.ok(["build", "-q", "-t", "named", ...files, context]);
    expect(readFileSync(`${out}.id`, "utf8")).toBe(id);
    expect(JSON.parse(readFileSync(`${out}.json`, "utf8"))).toMatchObject({
      "image.name": "docker.io/library/named:latest",
    });
  });

  test("other contexts stand beside the directory", async () => {
    put("Dockerfile", "FROM base\nCOPY --from=more f /f\nCMD cat /f\n");
    const more = join(context, "../more");
    mkdirSync(more);
    writeFileSync(join(more, "f"), "more");
    const contexts = [
      "--build-context",
      "base=docker-image://busybox",
      "--build-context",
      `more=${more}`,
    ];
    expect(await build("-t", "more", ...contexts)).toMatchObject({ status: 0 });
    expect(await cli.ok(["run", "--rm", "more"])).toBe("more");
  });

  test("other contexts are fetched, images of OCI layouts, and stages", async () => {
    put(
      "Dockerfile",
      [
        "FROM busybox AS made",
        "RUN echo made > /made",
        "FROM base",
        "COPY --from=tar deep/x /tar",
        "COPY --from=file context /file",
        "COPY --from=repo f /repo",
        "COPY --from=stage made /stage",
        "CMD cat /laid /tar /file /repo /stage",
      ].join("\n"),
    );
    await using served = await serveFiles(context);
    const laid = join(context, "laid");
    mkdirSync(laid);
    const text = "FROM busybox\nRUN echo laid > /laid\nENV A=laid\n";
    const archive = ["-t", "laid:2", "-o", `type=oci,dest=${laid}.tar`];
    await cli.ok(["build", "-q", ...archive, "-"], { input: text });
    execFileSync("tar", ["-C", laid, "-xf", `${laid}.tar`]);
    const contexts = (base: string) =>
      [
        `base=oci-layout://${base}`,
        `tar=${served.url}/files.tar.gz`,
        `file=${served.url}/file`,
        `repo=${served.url}/r.git#:below`,
        "stage=target:made",
      ].flatMap((each) => ["--build-context", each]);
    const built = await build("-t", "mixed", ...contexts(`${laid}:2`));
    expect(built).toMatchObject({ status: 0 });
    expect(built.stderr).toContain("[context base] load metadata for 2");
    expect(await cli.ok(["run", "--rm", "mixed"])).toBe("laid\ntar\nfile\nrepo\nmade");
    expect(await cli.ok(["image", "inspect", "-f", "{{.Config.Env}}", "mixed"])).toContain(
      "A=laid",
    );
    const [digest] = /sha256:\w{64}/.exec(readFileSync(join(laid, "index.json"), "utf8")) ?? [];
    const again = await build("-t", "mixed", ...contexts(`${laid}@${digest}`));
    expect(again.stderr.match(/^#\d+ CACHED$/gm)?.length).toBeGreaterThanOrEqual(6);

    const missing = await build("--build-context", `base=oci-layout://${laid}:3`);
    expect(missing).toMatchObject({ status: 1 });
    expect(missing.stderr).toContain(
      "failed to load the image 3 of the context base: the OCI layout has no image 3",
    );
    const none = await build("--build-context", `base=oci-layout://${context}`);
    expect(none.stderr).toContain("the context is no OCI layout: it has no index.json");
    const stage = await build("--build-context", "base=target:nothere");
    expect(stage.stderr).toContain('target stage "nothere" could not be found');
    const gone = await build("--build-context", `base=${served.url}/nothere`);
    expect(gone).toMatchObject({ status: 1 });
    expect(gone.stderr).toContain("/nothere: invalid response status 404");
  });

  test("ctrl-c ends the build and what it runs", async () => {
    put("Dockerfile", "FROM busybox\nRUN echo begun; sleep 1000\n");
    const running = cli.start(["build", "--progress", "plain", context]);
    await running.until(" begun\n");
    running.signal("SIGINT");
    expect(await running.ended).toMatchObject({ status: 130 });
  });

  test("--watch builds again after a change", async () => {
    put("Dockerfile", "FROM busybox\nCOPY a /a\nRUN cat /a\n");
    put("a", "first\n");
    const running = cli.start(["build", "--watch", "--progress", "plain", context]);
    await running.until(" first\n");
    await running.until("watching ");
    put("a", "second\n");
    await running.until(" second\n");
    running.signal("SIGINT");
    await running.ended;
  });

  test("the cache is listed and pruned", async () => {
    expect(await cli.ok(["builder", "du"])).toMatch(/Reclaimable:\t\d/);
    expect(await cli.ok(["builder", "prune", "-af"])).toMatch(/Total:\t\d/);
    expect(await cli.ok(["builder", "du"])).toEndWith("Total:\t\t0B");
    expect(readdirSync(join(cli.directory, "data/build/contexts"))).toEqual([]);
  });
});
