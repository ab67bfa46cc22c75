/** The same commit gives the same image: on another engine, with another umask, user and clock. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { execFileSync } from "node:child_process";
import { chmodSync, mkdirSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { collect } from "#base";
import { busyboxTree } from "../support/engine.ts";
import { ThimbleCli } from "../support/thimble-cli.ts";

const isRoot = process.getuid?.() === 0;

/** Contexts that need nothing but themselves, each a directory of one repository. */
const contexts = {
  copied: "FROM scratch\nCOPY . /files/\nCOPY --parents site/*/index.html /pages/\n",
  made: [
    "FROM scratch AS system",
    "ADD rootfs.tar /",
    "FROM system AS make",
    "WORKDIR /src",
    "COPY . .",
    "RUN ./make.sh > out && mkdir -p made && cp -p make.sh made/",
    "FROM system",
    "COPY --from=make /src/out /src/made /out/",
    "USER app",
    'CMD ["sh"]',
  ].join("\n"),
  named: [
    "FROM scratch",
    "ADD --chown=7:8 --exclude=*.md . /app/",
    "COPY --from=shared --chmod=u=rwX,go=rX . /shared/",
    "COPY --link --from=shared bin /link/",
  ].join("\n"),
} as const;

/** What differs from one clone to the next. */
interface Clone {
  readonly umask: string;
  readonly user: number;
  /** Of the files, as touch reads it. */
  readonly time: string;
}

const clones: readonly Clone[] = [
  { umask: "022", user: 0, time: "2024-01-01T00:00:00Z" },
  { umask: "002", user: 1000, time: "2025-02-03T04:05:06Z" },
  { umask: "077", user: 1001, time: "2033-01-01T00:00:00Z" },
];

describe.skipIf(!isRoot)("a commit that is built [needs root]", () => {
  const first = new ThimbleCli();
  const second = new ThimbleCli();
  const repository = join(first.directory, "repository");

  const put = (path: string, content: string | Uint8Array, mode = 0o644) => {
    mkdirSync(dirname(join(repository, path)), { recursive: true });
    writeFileSync(join(repository, path), content);
    chmodSync(join(repository, path), mode);
  };
  const git = (...words: string[]) => {
    const who = ["-c", "user.name=a", "-c", "user.email=a@example.org"];
    const env = { ...process.env, GIT_COMMITTER_DATE: "1700000000 +0000" };
    execFileSync("git", ["-C", repository, ...who, ...words], { env });
  };
  const inspect = async (cli: ThimbleCli, id: string) =>
    await cli.ok(["image", "inspect", "-f", "{{json .RootFS.Layers}}", id]);

  beforeAll(async () => {
    for (const [name, text] of Object.entries(contexts)) put(`${name}/Dockerfile`, text);
    put("copied/site/a/index.html", "<p>a</p>\n");
    put("copied/site/b/index.html", "<p>b</p>\n");
    put("copied/tool", "#!/bin/sh\n", 0o755);
    symlinkSync("site/a", join(repository, "copied/link"));
    put("made/rootfs.tar", await collect(busyboxTree(), 64 << 20, "the root file system"));
    put("made/make.sh", "#!/bin/sh\nls -ln make.sh data | cut -c1-20; cat data/*\n", 0o755);
    put("made/data/text", "some\n");
    put("named/a.txt", "a\n");
    put("named/README.md", "left out\n");
    put("shared/bin/run", "#!/bin/sh\n", 0o755);
    put("shared/conf/deep/x.conf", "x\n");
    git("init", "-q");
    git("add", ".");
    git("commit", "-qm", "all");
    for (const [cli, umask] of [
      [first, "022"],
      [second, "077"],
    ] as const) {
      await cli.ok(["images"], { umask });
      cli.openToAll();
    }
    for (const each of clones) clone(each);
  });
  afterAll(async () => {
    await first[Symbol.asyncDispose]();
    await second[Symbol.asyncDispose]();
  });

  const placeOf = ({ umask }: Clone) => join(first.directory, `clone-${umask}`);

  /** A clone, as a user has it with this umask. */
  function clone(made: Clone): void {
    const { umask, user, time } = made;
    const to = placeOf(made);
    const script = [
      `umask ${umask}; git clone -q ${repository} ${to}`,
      `find ${to} -not -path '*/.git/*' -exec touch -h -d ${time} {} +`,
      `chown -R ${user}:${user} ${to}`,
    ].join(" && ");
    execFileSync("sh", ["-ec", script]);
  }

  test.each(Object.keys(contexts))("is the same image everywhere: %s", async (name) => {
    const ids = new Set<string>();
    const build = async (cli: ThimbleCli, each: Clone, ...flags: string[]) => {
      const at = placeOf(each);
      const words = ["--build-context", `shared=${at}/shared`, ...flags, `${at}/${name}`];
      ids.add(await cli.ok(["build", "-q", ...words], { user: each.user, umask: each.umask }));
    };
    for (const [index, each] of clones.entries()) await build(index === 1 ? first : second, each);
    // The last one was cached; without the cache its result is the same.
    for (const each of clones.slice(-1)) await build(second, each, "--no-cache");
    expect([...ids]).toHaveLength(1);
    const [id = ""] = ids;
    expect(await inspect(first, id)).toBe(await inspect(second, id));
  });

  test("has the modes that git has, whatever they are here; other files keep theirs", async () => {
    const at = join(first.directory, "mine");
    execFileSync("git", ["clone", "-q", repository, at]);
    writeFileSync(join(at, "copied/untracked"), "u\n");
    chmodSync(join(at, "copied/untracked"), 0o640);
    chmodSync(join(at, "copied/site/a/index.html"), 0o600);
    const made = async () => {
      const out = join(first.directory, "out");
      const words = ["--progress", "plain", "-o", out, `${at}/copied`];
      const { status, stderr } = await first.run(["build", ...words]);
      expect(status).toBe(0);
      const modeOf = (path: string) =>
        (statSync(join(out, "files", path)).mode & 0o7777).toString(8);
      const modes = ["untracked", "site/a/index.html", "site", "tool"].map(modeOf);
      rmSync(out, { recursive: true });
      return { modes: modes.join(" "), isCached: /COPY \. .*\n#\d+ CACHED/.test(stderr) };
    };
    expect(await made()).toEqual({ modes: "640 644 755 755", isCached: false });
    chmodSync(join(at, "copied/site"), 0o700);
    chmodSync(join(at, "copied/tool"), 0o700);
    expect(await made()).toEqual({ modes: "640 644 755 755", isCached: true });
    chmodSync(join(at, "copied/untracked"), 0o604);
    expect(await made()).toEqual({ modes: "604 644 755 755", isCached: false });
    chmodSync(join(at, "copied/site/a/index.html"), 0o755);
    chmodSync(join(at, "copied/tool"), 0o644);
    expect(await made()).toEqual({ modes: "604 755 755 644", isCached: false });
  });
});
