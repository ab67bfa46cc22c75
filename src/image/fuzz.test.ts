import { expect, test } from "bun:test";
import { isFault } from "#base";
import { type Random, random, rounds } from "../base/testing.ts";
import {
  canonicalString,
  encodeDocument,
  mediaTypes,
  parseImageConfig,
  parseIndex,
  parseJson,
  parseManifest,
  parsePlatform,
  parseReference,
  selectManifest,
  sha256,
} from "./index.ts";

const digest = sha256("x");
const layer = {
  mediaType: mediaTypes.layerGzip,
  digest,
  size: 3,
  urls: ["https://example.org/layer"],
  annotations: { a: "b" },
};
const manifest = {
  schemaVersion: 2,
  mediaType: mediaTypes.manifest,
  artifactType: "application/x",
  config: { mediaType: mediaTypes.config, digest, size: 1 },
  layers: [layer, layer],
  subject: { mediaType: mediaTypes.manifest, digest, size: 1 },
  annotations: { k: "v" },
};
const index = {
  schemaVersion: 2,
  mediaType: mediaTypes.index,
  manifests: [
    {
      mediaType: mediaTypes.manifest,
      digest,
      size: 5,
      platform: { os: "linux", architecture: "arm", variant: "v7", "os.features": ["x"] },
    },
  ],
};
const config = {
  architecture: "amd64",
  os: "linux",
  config: { Env: ["A=B"], Labels: { a: "b" }, ExposedPorts: { "80/tcp": {} }, Cmd: ["x"] },
  rootfs: { type: "layers", diff_ids: [digest] },
  history: [{ created_by: "x" }],
};

/** What is put in the place of a value: of every type, too large, too small, odd. */
const strange: readonly unknown[] = [
  null,
  true,
  -1,
  0.5,
  2 ** 60,
  "",
  "\0",
  "é\u{1f600}",
  "x".repeat(300),
  digest.toUpperCase(),
  [],
  [[[[]]]],
  {},
  { __proto__: null, constructor: 1 },
  Array(1001).fill({}),
];

/** The document with one of its places replaced. */
function replaceOne(value: unknown, pick: Random): unknown {
  if (typeof value !== "object" || value === null || pick(4) === 0) {
    return strange[pick(strange.length)];
  }
  const keys = Object.keys(value);
  const key = keys[pick(Math.max(1, keys.length))];
  if (key === undefined) return strange[pick(strange.length)];
  const copy: Record<string, unknown> = Array.isArray(value)
    ? ([...value] as unknown as Record<string, unknown>)
    : { ...value };
  copy[key] = replaceOne(copy[key], pick);
  return copy;
}

/** The bytes with a few flipped, cut out, or doubled. */
function damage(bytes: Buffer, pick: Random): Buffer {
  const damaged = Buffer.from(bytes);
  for (let i = pick(4); i >= 0; i--) damaged[pick(damaged.length)] = pick(256);
  const cut = pick(damaged.length);
  if (pick(3) === 0) return damaged.subarray(0, cut);
  return pick(3) === 0 ? Buffer.concat([damaged.subarray(0, cut), damaged]) : damaged;
}

/** Runs a parser: anything but a value or a Fault of the input's is a defect. */
function attempt(parse: () => unknown, shown: () => string): boolean {
  try {
    parse();
    return true;
  } catch (error) {
    const isExpected =
      isFault(error) && ["invalid", "unsupported", "exhausted", "not_found"].includes(error.code);
    if (!isExpected) throw new Error(`${String(error)} for ${shown()}`, { cause: error });
    expect(error.message.length).toBeLessThan(3000);
    return false;
  }
}

const documents = [
  ["parseManifest", manifest, (bytes: Buffer) => parseManifest(bytes)],
  [
    "parseIndex",
    index,
    (bytes: Buffer) => selectManifest(parseIndex(bytes), { os: "linux", architecture: "arm" }),
  ],
  ["parseImageConfig", config, (bytes: Buffer) => parseImageConfig(bytes)],
  [
    "parseJson",
    manifest,
    (bytes: Buffer) =>
      parseJson("it", bytes)
        .at("layers")
        .list(9, (c) => c.object()),
  ],
] as const;

test.each(documents)("%s of damaged documents gives a value or a Fault", (_, document, parse) => {
  const pick = random(20_251);
  const whole = encodeDocument(document);
  let taken = 0;
  const count = rounds(400, 15_000);
  for (let round = 0; round < count; round++) {
    const value = encodeDocument({ it: replaceOne(document, pick) });
    const bytes = pick(2) === 0 ? damage(whole, pick) : value.subarray(6, -1);
    if (
      attempt(
        () => parse(bytes),
        () => JSON.stringify(bytes.toString()),
      )
    )
      taken++;
  }
  // Otherwise only the first check of all would have been tried.
  expect(taken).toBeGreaterThan(3);
  expect(taken).toBeLessThan(count - 3);
});

test("parseReference of odd names gives a reference that reads back, or a Fault", () => {
  const pick = random(7);
  const parts = [
    "a",
    "app",
    "/",
    ":",
    "@",
    ".",
    "-",
    "_",
    "__",
    "localhost",
    "example.org",
    ":5000",
    "[::1]",
    "..",
    "A",
    "é",
    " ",
    "\n",
    "\0",
    digest,
    "sha256:",
    "x".repeat(130),
    "@sha512:",
    "library/",
  ];
  let taken = 0;
  for (let round = 0; round < rounds(4000, 200_000); round++) {
    let text = "";
    for (let i = pick(7); i >= 0; i--) text += parts[pick(parts.length)];
    const check = () => {
      const canonical = canonicalString(parseReference(text));
      expect(canonicalString(parseReference(canonical))).toBe(canonical);
      expect(canonical).toMatch(/^[\x21-\x7e]+$/);
      expect(parseReference(text).path.split("/")).not.toContain("..");
    };
    if (attempt(check, () => JSON.stringify(text))) taken++;
  }
  expect(taken).toBeGreaterThan(100);
});

test("parsePlatform of odd names gives a platform or a Fault", () => {
  const pick = random(3);
  const parts = [
    "linux",
    "arm",
    "arm64",
    "/",
    "v7",
    "8",
    "constructor",
    "__proto__",
    "windows",
    ".",
    " ",
    "é",
  ];
  for (let round = 0; round < rounds(1000, 50_000); round++) {
    let text = "";
    for (let i = pick(5); i >= 0; i--) text += parts[pick(parts.length)];
    attempt(
      () => parsePlatform(text),
      () => JSON.stringify(text),
    );
  }
});

test("random bytes are not a document", () => {
  const pick = random(99);
  for (let round = 0; round < rounds(100, 5000); round++) {
    const bytes = Buffer.from(Array.from({ length: pick(200) }, () => pick(256)));
    for (const [, , parse] of documents)
      attempt(
        () => parse(bytes),
        () => bytes.toString("hex"),
      );
  }
});
