import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { outcome, random, rounds } from "../../base/testing.ts";
import type { Call } from "../grpc/client.ts";
import { type Packet, PacketType, Packet as packets } from "../protobuf/file-messages.ts";
import type { ClientSession } from "../session/client-session.ts";
import { receiveDirectory } from "./receive-directory.ts";
import { ReceivedDirectory } from "./received-directory.ts";

type Draft = Parameters<typeof packets.encode>[0];
type File = NonNullable<Draft["stat"]> & { readonly content?: string };

const type = PacketType;
const directory = 0x80000000 + 0o755;
const time = 1_700_000_000_123_456_789n;
const file = (path: string, content: string, more: Partial<File> = {}): File => ({
  ...{ path, content, mode: 0o644, size: BigInt(content.length), modTime: time },
  ...more,
});
const folder = (path: string): File => ({ path, mode: directory, modTime: time });

let root: string;
let path: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "thimble-receive-"));
  path = join(root, "copy");
  Bun.spawnSync(["mkdir", path]);
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A client that answers as `script` says; what it is sent is told to that. */
function clientOf(script: (sent: AsyncIterable<Draft>) => AsyncIterable<Draft>): ClientSession {
  const sent: Draft[] = [];
  let wake = Promise.withResolvers<void>();
  let isOver = false;
  async function* received() {
    while (!isOver || sent.length > 0) {
      const packet = sent.shift();
      if (packet) yield packet;
      else {
        await wake.promise;
        wake = Promise.withResolvers();
      }
    }
  }
  const end = () => {
    isOver = true;
    wake.resolve();
  };
  const call: Call<Packet, Draft> = {
    async send(packet) {
      sent.push(packet);
      wake.resolve();
    },
    end,
    async *messages() {
      for await (const packet of script(received())) yield packets.decode(packets.encode(packet));
    },
    [Symbol.asyncDispose]: async () => end(),
  };
  return { call: () => call } as unknown as ClientSession;
}

/** A client as it should be; `asked` gets the paths that it was asked for. */
function honest(files: readonly File[], asked: string[] = []): ClientSession {
  return clientOf(async function* (sent) {
    for (const { content: _, ...stat } of files) yield { type: type.stat, stat };
    yield { type: type.stat };
    for await (const packet of sent) {
      if (packet.type === type.end) return yield { type: type.end };
      const found = files[packet.id ?? 0];
      asked.push(found?.path ?? "");
      yield { type: type.data, id: packet.id, data: Buffer.from(found?.content ?? "") };
      yield { type: type.data, id: packet.id };
    }
  });
}

/** A client that sends these packets and nothing else. */
const saying = (...all: readonly Draft[]) =>
  clientOf(async function* () {
    yield* all;
  });

async function receive(client: ClientSession): Promise<void> {
  using into = await ReceivedDirectory.open(path);
  await receiveDirectory(client, into, { name: "context", signal: new AbortController().signal });
}

test("files, directories and links arrive with modes and times", async () => {
  await receive(
    honest([
      folder("d"),
      file("d/run", "#!/bin/sh", { mode: 0o755 + 0x800000 }),
      file("d/same", "", { mode: 0o755 + 0x800000, linkname: "d/run" }),
      { path: "link", mode: 0x8000000 + 0o777, linkname: "../../etc/passwd", modTime: time },
    ]),
  );
  const run = statSync(join(path, "d/run"), { bigint: true });
  expect([run.mode, run.mtimeNs, run.nlink]).toEqual([0o104755n, time, 2n]);
  expect(readFileSync(join(path, "d/same"), "utf8")).toBe("#!/bin/sh");
  expect(readlinkSync(join(path, "link"))).toBe("../../etc/passwd");
  expect(statSync(join(path, "d"), { bigint: true }).mtimeNs).toBe(time);
});

test("only what is not here as the client has it is asked for", async () => {
  const files = [folder("d"), file("d/a", "one"), file("d/b", "two"), file("e", "")];
  await receive(honest(files));
  const asked: string[] = [];
  const changed = file("d/b", "new", { modTime: time + 1n });
  await receive(honest([folder("d"), file("d/a", "one"), changed], asked));
  expect(asked).toEqual(["d/b"]);
  expect(readFileSync(join(path, "d/b"), "utf8")).toBe("new");
  expect(readdirSync(path)).toEqual(["d"]);
});

test("another type of file takes the place of what was there", async () => {
  await receive(honest([folder("x"), folder("x/y"), file("x/y/z", "deep"), file("f", "file")]));
  await receive(honest([folder("f"), file("f/in", "it"), file("x", "now a file")]));
  expect(readFileSync(join(path, "x"), "utf8")).toBe("now a file");
  expect(readFileSync(join(path, "f/in"), "utf8")).toBe("it");
});

test("a link never leads a later transfer out of the directory", async () => {
  const outside = join(root, "outside");
  Bun.spawnSync(["mkdir", outside]);
  await receive(honest([{ path: "d", mode: 0x8000000 + 0o777, linkname: outside, modTime: time }]));
  await receive(honest([folder("d"), file("d/f", "inside")]));
  expect(readdirSync(outside)).toEqual([]);
  expect(lstatSync(join(path, "d")).isDirectory()).toBe(true);
});

test("a file that shrank is taken as it came and asked for again; of one that grew, what was announced", async () => {
  const asked: string[] = [];
  const files = [file("less", "12", { size: 5n }), file("more", "1234567", { size: 3n })];
  await receive(honest(files, asked));
  await receive(honest(files, asked));
  expect(asked).toEqual(["less", "more", "less"]);
  expect(readFileSync(join(path, "more"), "utf8")).toBe("123");
});

describe("a client that breaks the rules is refused:", () => {
  const stat = { path: "a", mode: 0o644, size: 3n, modTime: time };
  const listed = [{ type: type.stat, stat }, { type: type.stat }];
  for (const [what, said, why] of [
    ["it leaves within the list", [{ type: type.stat, stat }], "ended before its end"],
    ["it leaves within a file", [...listed, { type: type.data, data: Buffer.from("1") }], "ended"],
    ["it says that it is done and is not", [...listed, { type: type.end }], "too early"],
    ["it sends what was not asked for", [...listed, { type: type.data, id: 7 }], "not asked for"],
    [
      "it lists files after their end",
      [...listed, { type: type.stat, stat }],
      "after the end of its list",
    ],
    ["it sends a packet of no type", [{ type: 9 }], "packet of the type 9"],
    ["it says why it fails", [{ type: type.error, data: Buffer.from("EIO") }], "EIO"],
    ["it leads out", [{ type: type.stat, stat: { ...stat, path: "../a" } }], "leads out"],
  ] as const)
    test(what, async () => {
      expect(await outcome(receive(saying(...said)))).toThrow(why);
      expect(existsSync(join(root, "a"))).toBe(false);
    });

  test("it opens more files at a time than clients do", async () => {
    const count = 70;
    const names = Array.from({ length: count }, (_, index) => `f${index}`);
    const flood = saying(
      ...names.map((name) => ({ type: type.stat, stat: { ...stat, path: name } })),
      { type: type.stat },
      ...names.map((_, id) => ({ type: type.data, id, data: Buffer.from("1") })),
    );
    expect(await outcome(receive(flood))).toThrow("more than 64 files at a time");
  });

  test("random packets leave nothing outside, and the next transfer mends the copy", async () => {
    const number = random(9);
    const names = ["a", "a/b", "a/b/c", "b", "../x", "/y", "a/../z", ".", "l", "l/x"];
    const modes = [0o644, directory, 0x8000000 + 0o777, 0x2000000 + 0o600, 0];
    const links = ["", "", "a", "..", "/"];
    const pick = <T>(from: readonly T[]): T => from[number(from.length)] as T;
    for (let round = 0; round < rounds(60, 3_000); round++) {
      const said = Array.from({ length: 1 + number(12) }, (): Draft => {
        const entry = {
          ...{ path: pick(names), mode: pick(modes), size: BigInt(number(4)) },
          ...{ linkname: pick(links), modTime: BigInt(number(3)) },
        };
        if (number(3) > 0) return { type: type.stat, stat: entry };
        return { type: number(5), id: number(4), data: Buffer.alloc(number(5)) };
      });
      await receive(saying(...said)).catch(() => undefined);
      expect(readdirSync(root)).toEqual(["copy"]);
    }
    await receive(honest([folder("a"), file("a/b", "mended")]));
    expect(readFileSync(join(path, "a/b"), "utf8")).toBe("mended");
    expect(readdirSync(path)).toEqual(["a"]);
  });
});
