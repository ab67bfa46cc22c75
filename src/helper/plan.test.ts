import { expect, test } from "bun:test";
import { type Random, random, rounds } from "../base/testing.ts";
import { decodePlan } from "./decode-plan.ts";
import { encodeNameless, encodePlan, namePlan } from "./encode-plan.ts";
import type { FdIndex, LaunchPlan, MountOperation } from "./plan.ts";
import { creations, modes, namespaceKinds, planHeader, propagations, stdioModes } from "./tags.ts";

/** A repeatable source of plans: the same seed makes the same plan. */
class Dice {
  readonly below: Random;

  constructor(seed: number) {
    this.below = random(seed);
  }

  pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }

  text(): string {
    return this.pick(["", "/", "/proc/sys", "ä€𝄞", "a=b,c", "x".repeat(this.below(300)), " \n"]);
  }

  u32(): number {
    return this.pick([0, 1, 0xffff_ffff, this.below(2 ** 32)]);
  }

  u64(): bigint {
    return this.pick([0n, 1n, 2n ** 64n - 1n, BigInt(this.below(2 ** 32)) << 20n]);
  }

  fd(): FdIndex {
    return this.below(253) as FdIndex;
  }

  many<T>(make: () => T): T[] {
    return Array.from({ length: this.below(5) }, make);
  }

  maybe<K extends string, V>(key: K, make: () => V): { [Key in K]?: V } {
    return this.below(2) === 0 ? {} : ({ [key]: make() } as { [Key in K]?: V });
  }
}

function randomSource(dice: Dice): MountOperation["source"] {
  const recursive = dice.below(2) === 0;
  const options = dice.many(() => [dice.text(), dice.below(2) === 0 ? null : dice.text()] as const);
  return dice.pick([
    { kind: "filesystem", type: dice.text(), options },
    { kind: "legacy", type: dice.text(), data: dice.text() },
    { kind: "bind", path: dice.text(), recursive },
    { kind: "bind-fd", fd: dice.fd(), recursive },
  ]);
}

function randomPlan(seed: number): LaunchPlan {
  const dice = new Dice(seed);
  const flag = () => dice.below(2) === 0;
  return {
    mode: dice.pick(modes),
    id: dice.text().slice(0, 100),
    namespaces: dice.many(() => ({
      kind: dice.pick(namespaceKinds),
      ...dice.maybe("join", () => dice.fd()),
    })),
    uidMaps: dice.many(() => ({ inside: dice.u32(), outside: dice.u32(), count: dice.u32() })),
    gidMaps: dice.many(() => ({ inside: dice.u32(), outside: dice.u32(), count: dice.u32() })),
    ...dice.maybe("rootAnchor", () => dice.text()),
    mounts: dice.many(() => ({
      source: randomSource(dice),
      target: dice.text(),
      attributes: { set: dice.u32(), clear: dice.below(2 ** 32) * 256 },
      recursiveAttributes: flag(),
      ...dice.maybe("propagation", () => dice.pick(propagations)),
      create: dice.pick(creations),
      ...dice.maybe("owners", () => ({
        uids: [{ inside: dice.u32(), outside: dice.u32(), count: dice.u32() }],
        gids: dice.many(() => ({ inside: dice.u32(), outside: dice.u32(), count: dice.u32() })),
      })),
    })),
    rootReadonly: flag(),
    ...dice.maybe("rootPropagation", () => dice.pick(propagations)),
    devices: dice.many(() => ({
      path: dice.text(),
      type: dice.pick(["c", "b", "p"] as const),
      major: dice.u32(),
      minor: dice.u32(),
      mode: dice.u32(),
      uid: dice.u32(),
      gid: dice.u32(),
    })),
    symlinks: dice.many(() => ({ target: dice.text(), path: dice.text() })),
    maskedPaths: dice.many(() => dice.text()),
    readonlyPaths: dice.many(() => dice.text()),
    sysctls: dice.many(() => ({ name: dice.text(), value: dice.text() })),
    ...dice.maybe("hostname", () => dice.text()),
    ...dice.maybe("domainname", () => dice.text()),
    ...dice.maybe("cgroup", () =>
      flag()
        ? ({ version: 2, directory: dice.fd() } as const)
        : ({ version: 1, tasks: dice.many(() => dice.fd()) } as const),
    ),
    ...dice.maybe("oomCounter", () => dice.fd()),
    ...dice.maybe("oomEvent", () => dice.fd()),
    resourceLimits: dice.many(() => ({
      resource: dice.u32(),
      soft: dice.u64(),
      hard: dice.u64(),
    })),
    ...dice.maybe("oomScoreAdj", () => dice.below(2001) - 1000),
    ...dice.maybe("capabilities", () => ({
      bounding: dice.u64(),
      effective: dice.u64(),
      permitted: dice.u64(),
      inheritable: dice.u64(),
      ambient: dice.u64(),
    })),
    noNewPrivileges: flag(),
    ...dice.maybe("seccomp", () =>
      Uint8Array.from({ length: 8 * (1 + dice.below(9)) }, () => dice.below(256)),
    ),
    ...dice.maybe("seccompFlags", () => dice.u32()),
    ...dice.maybe("process", () => ({
      argv: [dice.text(), ...dice.many(() => dice.text())],
      env: dice.many(() => dice.text()),
      cwd: dice.text(),
      uid: dice.u32(),
      gid: dice.u32(),
      additionalGids: dice.many(() => dice.u32()),
      ...dice.maybe("umask", () => dice.u32()),
    })),
    init: flag(),
    stdio: {
      mode: dice.pick(stdioModes),
      stdin: flag(),
      stdinOnce: flag(),
      ...dice.maybe("rows", () => dice.u32()),
      ...dice.maybe("columns", () => dice.u32()),
    },
    ...dice.maybe("log", () => ({
      path: dice.text(),
      maxSize: dice.u64(),
      maxFiles: dice.u32(),
      ...dice.maybe("attributes", () => dice.text()),
    })),
    ...dice.maybe("controlSocket", () => dice.text().slice(0, 100)),
    ...dice.maybe("exitRecord", () => dice.text()),
    ...dice.maybe("awaitStart", () => true),
  };
}

const minimal: LaunchPlan = {
  mode: "run",
  id: "one",
  namespaces: [],
  uidMaps: [],
  gidMaps: [],
  mounts: [],
  rootReadonly: false,
  devices: [],
  symlinks: [],
  maskedPaths: [],
  readonlyPaths: [],
  sysctls: [],
  resourceLimits: [],
  noNewPrivileges: false,
  process: { argv: ["true"], env: [], cwd: "/", uid: 0, gid: 0, additionalGids: [] },
  init: false,
  stdio: { mode: "null", stdin: false, stdinOnce: false },
};

test("decoding is the inverse of encoding", () => {
  for (let seed = 1; seed <= rounds(100, 10_000); seed++) {
    const plan = randomPlan(seed);
    expect(decodePlan(encodePlan(plan))).toEqual(plan);
  }
});

test("a plan that was encoded once is given other names", () => {
  const plan = randomPlan(3);
  const nameless = encodeNameless(plan);
  for (const id of ["one", "the other"]) {
    const named = { ...plan, id, controlSocket: `/run/${id}` };
    expect(decodePlan(namePlan(nameless, named))).toEqual(named);
  }
});

test("no plan that is cut off or bent is read as if it were whole", () => {
  const bytes = encodePlan(randomPlan(7));
  for (let length = 0; length < bytes.byteLength; length++) {
    const cut = Buffer.from(bytes.subarray(0, length));
    if (length >= planHeader) cut.writeUInt32LE(length, 8);
    if (length > planHeader && isBoundary(bytes, length)) continue;
    expect(() => decodePlan(cut)).toThrow("cannot read the launch plan");
  }
});

/** Whether a record ends there: a plan cut at such a place is a shorter plan. */
function isBoundary(bytes: Uint8Array, length: number): boolean {
  const buffer = Buffer.from(bytes);
  let at = planHeader;
  while (at < length) at += 8 + buffer.readUInt32LE(at + 4);
  return at === length;
}

test("a plan that no launcher could carry out is refused when it is encoded", () => {
  const process = { argv: ["true"], env: ["A=b\0c"], cwd: "/", uid: 0, gid: 0, additionalGids: [] };
  expect(() => encodePlan({ ...minimal, process })).toThrow("NUL");
  expect(() => encodePlan({ ...minimal, oomEvent: 253 as FdIndex })).toThrow(
    "descriptor index 253",
  );
  expect(() => encodePlan({ ...minimal, oomScoreAdj: 2 ** 31 })).toThrow("32 bits");
  expect(() => encodePlan({ ...minimal, id: "x".repeat(129) })).toThrow("longer than 128 bytes");
  expect(() => encodePlan({ ...minimal, controlSocket: "/".repeat(108) })).toThrow("107 bytes");
  expect(() => encodePlan({ ...minimal, seccomp: new Uint8Array(12) })).toThrow("8 bytes");
  const maskedPaths = Array.from({ length: 4097 }, () => "/proc");
  expect(() => encodePlan({ ...minimal, maskedPaths })).toThrow("at most 4096 masked paths");
  const env = Array.from({ length: 50 }, () => "x".repeat(200_000));
  expect(() => encodePlan({ ...minimal, process: { ...process, env } })).toThrow("the limit is");
});

test("an unknown tag is fatal", () => {
  const bytes = Buffer.concat([encodePlan(minimal), Buffer.from([0xff, 0, 0, 0, 0, 0, 0, 0])]);
  bytes.writeUInt32LE(bytes.byteLength, 8);
  expect(() => decodePlan(bytes)).toThrow("tag 255 is unknown");
});
