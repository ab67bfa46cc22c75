import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { BuildEvent, BuildRequest, StepFault } from "#engine";
import { parseReference, type Reference } from "#image";
import { TarWriter } from "#tar";
import { rejection } from "../../src/base/testing.ts";
import {
  busyboxTree,
  type OpenedEngine,
  openEngineAt,
  type TestRoots,
  temporaryRoots,
} from "../support/engine.ts";
import { engineHoldings } from "../support/engine-holdings.ts";

let leaks: ReturnType<typeof engineHoldings>;
let roots: TestRoots & Disposable;
let opened: OpenedEngine;

beforeAll(async () => {
  roots = temporaryRoots();
  leaks = engineHoldings(roots);
  opened = await openEngineAt(roots);
  const { images } = opened.engine;
  await images.import(busyboxTree(), { reference: "base", changes: [] }, () => undefined);
});

afterAll(async () => {
  const { images, builds } = opened.engine;
  for (const { id } of await images.list({ all: true, filters: {} })) {
    await images.remove(id, { force: true, prune: true });
  }
  const builder = await builds.builder();
  expect((await builder.prune({ all: true })).ids.length).toBeGreaterThan(0);
  expect(await builder.usage()).toEqual([]);
  await opened[Symbol.asyncDispose]();
  expect(readdirSync(join(roots.dataRoot, "content/blobs/sha256"))).toEqual([]);
  expect(readdirSync(join(roots.dataRoot, "snapshots")).filter(Number)).toEqual([]);
  roots[Symbol.dispose]();
  await leaks.settled();
});

interface Built {
  readonly events: readonly BuildEvent[];
  readonly id: string;
  /** The names of the steps that ran, and of those whose results were known. */
  readonly ran: readonly string[];
  readonly cached: readonly string[];
  readonly output: string;
}

async function build(
  text: string,
  { tags = [], ...change }: Partial<BuildRequest> & { tags?: readonly Reference[] } = {},
): Promise<Built> {
  const events: BuildEvent[] = [];
  const builder = await opened.engine.builds.builder();
  const { signal } = new AbortController();
  const report = (event: BuildEvent) => {
    events.push(event);
    change.report?.(event);
  };
  await using made = await builder.build({
    ...{ dockerfile: { text, name: "Dockerfile" }, signal },
    ...{ ...change, report },
  });
  const { id } = await builder.keep(made, { tags, annotations: [], report, signal });
  return { events, id, output: outputOf(events), ...steps(events) };
}

function steps(events: readonly BuildEvent[]): Pick<Built, "ran" | "cached"> {
  const done = events.flatMap((event) =>
    event.kind === "vertex" && event.completed !== undefined && / RUN /.test(event.name)
      ? [event]
      : [],
  );
  const named = (isCached: boolean) =>
    done.filter(({ cached = false }) => cached === isCached).map(({ name }) => name);
  return { ran: named(false), cached: named(true) };
}

function outputOf(events: readonly BuildEvent[]): string {
  const pieces = events.flatMap((event) => (event.kind === "log" ? [event.data] : []));
  return Buffer.concat(pieces).toString();
}

const cache = "RUN --mount=type=cache,target=/c";

test("a step runs once; the second build has its result and gives the same image", async () => {
  const text =
    "FROM base\nENV A=1\nRUN echo $A > /one; date >> /one\nRUN cat /one > /two\nUSER app\n";
  const first = await build(text, { tags: [parseReference("made:1")] });
  expect(first.ran).toHaveLength(2);
  const second = await build(text);
  expect(second).toMatchObject({ ran: [], id: first.id });
  expect(second.cached).toHaveLength(2);
  const { config, tags } = await opened.engine.images.get("made:1");
  expect(tags).toEqual(["made:1"]);
  expect(config.config?.User).toBe("app");
  expect(config.history?.map(({ created_by }) => created_by).slice(-4)).toEqual([
    "ENV A=1",
    "RUN /bin/sh -c echo $A > /one; date >> /one # buildkit",
    "RUN /bin/sh -c cat /one > /two # buildkit",
    "USER app",
  ]);
  const other = await build(text.replace("A=1", "A=2"));
  expect(other.ran).toHaveLength(2);
  expect((await build(text, { noCache: true })).ran).toHaveLength(2);
});

test("a step that changes nothing adds no layer, and files for its mounts do not stay", async () => {
  const { id } = await build("FROM base\nRUN cat /etc/resolv.conf /etc/hosts > /dev/null\n");
  const base = await opened.engine.images.get("base");
  const made = await opened.engine.images.get(id ?? "");
  expect(made.config.rootfs).toEqual(base.config.rootfs);
  expect(made.config.history?.at(-1)?.empty_layer).toBe(true);
});

test("a failing step tells its status and its line in BuildKit's words, and what came before stays", async () => {
  const text =
    'FROM base\nRUN echo kept > /kept\nRUN echo out; echo "err" >&2; exit 3\nRUN echo never\n';
  const events: BuildEvent[] = [];
  const fault = (await rejection(
    build(text, { report: (event) => events.push(event) }),
  )) as StepFault;
  expect(fault.message).toBe(
    'process "/bin/sh -c echo out; echo \\"err\\" >&2; exit 3" did not complete successfully: exit code: 3',
  );
  expect(fault.failure).toMatchObject({ exitCode: 3, ranges: [{ start: 3, end: 3 }] });
  expect(outputOf(events)).toBe("out\nerr\n");
  const again = await rejection(build(text, { report: (event) => events.push(event) }));
  expect(again).toMatchObject({ message: fault.message });
  expect(steps(events).cached).toEqual(["[2/4] RUN echo kept > /kept"]);
});

test("a program that is missing is told as runc would", async () => {
  const fault = (await rejection(build('FROM base\nRUN ["/nope"]\n'))) as StepFault;
  expect(fault.message).toContain('process "/nope" did not complete successfully: exec: "/nope":');
  expect(fault.failure.exitCode).toBe(127);
});

test("stages that do not need each other run at the same time", async () => {
  const meet = (own: string, other: string) =>
    `${cache} touch /c/${own}; while [ ! -e /c/${other} ]; do sleep 0.05; done; echo ${own} > /${own}`;
  const text = [
    ...["FROM base AS one", meet("one", "two"), "FROM base AS two", meet("two", "one")],
    "FROM base",
    "RUN --mount=from=one,target=/a --mount=from=two,target=/b cat /a/one /b/two",
  ];
  expect((await build(text.join("\n"))).output).toBe("one\ntwo\n");
});

test("a step that two builds need at the same moment runs once", async () => {
  const text = `FROM base\n${cache} echo run >> /c/runs; echo started; while [ ! -e /c/go ]; do sleep 0.05; done; cat /c/runs > /runs\nRUN cat /runs\n`;
  const started = Promise.withResolvers<void>();
  const first = build(text, {
    report: (event) => {
      if (event.kind === "log") started.resolve();
    },
  });
  await started.promise;
  const second = build(text);
  await build(`FROM base\n${cache} touch /c/go\n`);
  const [one, two] = await Promise.all([first, second]);
  expect(one.id).toBe(two.id as string);
  const shown = await build("FROM base\nRUN --mount=type=cache,target=/c cat /c/runs\n");
  expect(shown.output).toBe("run\n");
});

test("a build that is cancelled ends its steps and leaves nothing", async () => {
  const stop = new AbortController();
  const work = build("FROM base\nRUN echo started; sleep 1000\n", {
    signal: stop.signal,
    report: (event) => {
      if (event.kind === "log") stop.abort();
    },
  });
  expect(await rejection(work)).toMatchObject({ code: "canceled" });
  const builder = await opened.engine.builds.builder();
  expect((await builder.usage()).filter(({ inUse }) => inUse)).toEqual([]);
});

test("mounts: secrets in memory alone, tmpfs, caches with the rights that were asked for", async () => {
  const secret = "correct horse battery staple";
  const text = [
    "FROM base",
    "RUN --mount=type=secret,id=key,uid=7,mode=0440 stat -c '%a %u' /run/secrets/key; wc -c < /run/secrets/key",
    'RUN --mount=type=secret,id=key,env=KEY [ -n "$KEY" ] && [ ! -e /run/secrets ]',
    "RUN --mount=type=tmpfs,target=/tmp/t,size=1m df -k /tmp/t | tail -1 | tr -s ' ' | cut -d' ' -f2",
    "RUN --mount=type=cache,target=/d,uid=5,gid=6,mode=0750 stat -c '%a %u %g' /d",
    "RUN [ ! -e /d ] && [ ! -e /tmp/t ]",
    "RUN --network=none ip -o link | wc -l",
  ];
  const made = await build(text.join("\n").replaceAll("| cut -d' ' -f2", ""), {
    secrets: { get: async (id) => (id === "key" ? Buffer.from(secret) : undefined) },
  });
  expect(made.output).toContain("440 7\n28\n");
  expect(made.output).toContain("tmpfs 1024 ");
  expect(made.output).toContain("750 5 6\n");
  const found = Bun.spawnSync(["grep", "-rlaF", secret, roots.dataRoot, roots.runRoot]);
  expect(found.stdout.toString()).toBe("");
  const missing = await rejection(
    build("FROM base\nRUN --mount=type=secret,id=none,required echo\n"),
  );
  expect(missing).toMatchObject({ message: "secret none: not found" });
});

test("files are copied from the context and from stages; a stage that gives the same files is cached", async () => {
  const builder = await opened.engine.builds.builder();
  const send = async (files: Readonly<Record<string, string>>) =>
    await builder.archives.fromArchive(archiveOf(files));
  const text = [
    "FROM base AS tool",
    "COPY tool.sh /tool",
    "RUN cat /tool > /made",
    "FROM base",
    "WORKDIR /srv/app",
    "COPY --chown=app --chmod=600 *.txt ./",
    "COPY --from=tool /made /usr/made",
    "RUN --mount=target=/src cat /src/a.txt /usr/made && ls /src && stat -c '%a %u %g' a.txt",
  ].join("\n");
  await using context = await send({ "a.txt": "A\n", "b.txt": "B\n", "tool.sh": "t\n", skip: "s" });
  const ignore = "skip\n";
  const first = await build(text, { context, ignore });
  expect(first.output).toBe("A\nt\na.txt\nb.txt\ntool.sh\n600 1000 1000\n");
  await using same = await send({
    "a.txt": "A\n",
    "b.txt": "B\n",
    "tool.sh": "t\n",
    skip: "other",
  });
  const second = await build(text, { context: same, ignore });
  expect(second).toMatchObject({ ran: [], id: first.id });
  const missing = await rejection(build("FROM base\nCOPY a.tx /\n", { context, ignore }));
  expect(missing).toMatchObject({ message: expect.stringContaining('"/a.tx": not found') });
});

test("a build that explains itself says of each step why it ran", async () => {
  const reasons = async (text: string) => {
    const { events } = await build(text, { explains: true });
    return events.flatMap((event) =>
      event.kind === "vertex" && event.reason !== undefined && event.completed === undefined
        ? [event.reason]
        : [],
    );
  };
  const text = (one: string) => `FROM base\nARG X=${one}\nRUN echo why > /w-$X\nRUN echo above\n`;
  expect(await reasons(text("1"))).toHaveLength(2);
  expect(await reasons(text("1"))).toEqual([]);
  expect(await reasons(text("2"))).toEqual([
    "the environment changed: X",
    "the environment changed: X",
  ]);
});

test("twenty builds at once share what they have in common, and each has its own image", async () => {
  const texts = Array.from(
    { length: 20 },
    (_, index) => `FROM base\nRUN echo shared; echo s > /s\nRUN echo ${index} > /own\n`,
  );
  const made = await Promise.all(texts.map((text) => build(text)));
  expect(new Set(made.map(({ id }) => id)).size).toBe(20);
  const shared = made.flatMap(({ ran }) => ran.filter((name) => name.includes("shared")));
  const started = made.filter(({ output }) => output.includes("shared"));
  expect(shared.length).toBeGreaterThan(0);
  expect(started.length).toBeGreaterThan(0);
  const chains = await Promise.all(
    made.map(async ({ id = "" }) => (await opened.engine.images.get(id)).config.rootfs.diff_ids[1]),
  );
  expect(new Set(chains).size).toBe(1);
});

/** A tar of files with the same times. */
async function* archiveOf(files: Readonly<Record<string, string>>): AsyncGenerator<Uint8Array> {
  const chunks: Uint8Array[] = [];
  const tar = new TarWriter((bytes) => chunks.push(bytes));
  const owner = { uid: 0, gid: 0, mtime: 1_700_000_000_000_000_000n, linkName: "" };
  for (const [name, text] of Object.entries(files)) {
    const bytes = Buffer.from(text);
    tar.entry({ ...owner, type: "file", name, mode: 0o644, size: bytes.length }, bytes);
  }
  tar.finish();
  yield* chunks;
}
