import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseReference, withDefaultTag } from "#image";
import { parsePolicy, readPolicy } from "./policy.ts";

const pub = join(import.meta.dir, "testdata/cosign.pub");
const accept = [{ type: "insecureAcceptAnything" }];
const reject = [{ type: "reject" }];
const policy = (value: object) => parsePolicy(Buffer.from(JSON.stringify(value)), "policy.json");
const reference = (text: string) => withDefaultTag(parseReference(text));

test("the most particular scope decides", () => {
  const found = policy({
    default: reject,
    transports: {
      docker: {
        "registry.example": accept,
        "registry.example/team": reject,
        "registry.example/team/app": accept,
        "registry.example/team/app:bad": reject,
        "*.example.org": accept,
        "docker.io/library": accept,
      },
    },
  });
  const decides = (text: string) => {
    const { scope, requirements } = found.requirementsFor(reference(text));
    return [scope, requirements[0]?.type];
  };
  expect(decides("registry.example/x")).toEqual(["registry.example", "accept"]);
  expect(decides("registry.example/team/x")).toEqual(["registry.example/team", "reject"]);
  expect(decides("registry.example/team/app:1")).toEqual(["registry.example/team/app", "accept"]);
  expect(decides("registry.example/team/app:bad")).toEqual([
    "registry.example/team/app:bad",
    "reject",
  ]);
  expect(decides("registry.example/teamwork/app")).toEqual(["registry.example", "accept"]);
  expect(decides("a.b.example.org/x")).toEqual(["*.example.org", "accept"]);
  expect(decides("a.example.org:5000/x")).toEqual(["*.example.org", "accept"]);
  expect(decides("example.org/x")).toEqual(["default", "reject"]);
  expect(decides("debian")).toEqual(["docker.io/library", "accept"]);
  expect(decides("someone/debian")).toEqual(["default", "reject"]);
  expect(found.requirementsFor(undefined)).toMatchObject({ scope: "default" });
});

test("a registry is known under each of its names", () => {
  const found = policy({
    default: accept,
    transports: {
      docker: {
        "Registry.example": reject,
        "docker.io": reject,
        "*.Example.org": reject,
        "other.example:443/app": reject,
        "other.example:5000": reject,
      },
    },
  });
  const decides = (text: string) => found.requirementsFor(reference(text)).requirements[0]?.type;
  const rejected = ["registry.example/x", "REGISTRY.Example/x:1", "registry.example:443/x"];
  const hub = ["debian", "index.docker.io/library/debian", "registry-1.docker.io/library/debian"];
  const others = ["A.example.ORG/x", "other.example/app:1", "OTHER.example:5000/x"];
  for (const text of [...rejected, ...hub, ...others]) {
    expect([text, decides(text)]).toEqual([text, "reject"]);
  }
  expect(decides("other.example/else")).toBe("accept");
  expect(decides("other.example:5001/app")).toBe("accept");
});

test("a scope that fits no image, or stands there twice, is refused", () => {
  for (const scope of [
    "https://registry.example",
    "registry.example/",
    "registry.example/Team",
    "debian",
    "library/debian",
    "*",
    "*.",
  ]) {
    const value = { default: accept, transports: { docker: { [scope]: reject } } };
    expect(() => policy(value)).toThrow(`the scope "${scope}"`);
  }
  const twice = { "a.example": reject, "A.example:443": accept };
  expect(() => policy({ default: accept, transports: { docker: twice } })).toThrow("twice");
});

test("an empty scope is that of all registries", () => {
  const found = policy({ default: accept, transports: { docker: { "": reject } } });
  expect(found.requirementsFor(reference("a.example/x")).requirements).toEqual([
    { type: "reject" },
  ]);
});

test("keys are read once, from files and from the policy itself", () => {
  const signed = { type: "sigstoreSigned", keyPath: pub };
  const data = Buffer.from(require("node:fs").readFileSync(pub)).toString("base64");
  const inline = { type: "sigstoreSigned", keyDatas: [data] };
  for (const each of [signed, inline]) {
    const [found] = policy({ default: [each] }).requirementsFor(reference("a")).requirements;
    expect(found).toMatchObject({ type: "signed", keys: [expect.anything()] });
  }
});

test("an unknown requirement is refused, never skipped", () => {
  const refused: readonly [object, string][] = [
    [{}, "default"],
    [{ default: [] }, "is empty"],
    [{ default: [{ type: "signedBy", keyType: "GPGKeys" }] }, "signedBy"],
    [{ default: [{ type: "sigstoreSigned" }] }, "has no keyPath"],
    [{ default: [{ type: "sigstoreSigned", keyPath: "/none" }] }, "/none"],
    [{ default: [{ type: "sigstoreSigned", keyPath: pub, fulcio: {} }] }, "fulcio"],
    [{ default: accept, transport: {} }, "transport"],
    [
      {
        default: [{ type: "sigstoreSigned", keyPath: pub, signedIdentity: { type: "any" } }],
      },
      "which no policy knows",
    ],
  ];
  for (const [value, words] of refused) expect(() => policy(value)).toThrow(words);
});

test("the first file that exists counts, without a file all is accepted, a broken one is a fault", () => {
  const directory = mkdtempSync(join(tmpdir(), "thimble-policy-"));
  try {
    const [first, second] = [join(directory, "a.json"), join(directory, "b.json")];
    const type = () => readPolicy([first, second]).requirementsFor(reference("x")).requirements[0];
    expect(type()).toEqual({ type: "accept" });
    writeFileSync(second, JSON.stringify({ default: reject }));
    expect(type()).toEqual({ type: "reject" });
    writeFileSync(first, "{");
    expect(type).toThrow("a.json");
    rmSync(first);
    symlinkSync("/dev/zero", first);
    expect(type).toThrow("a.json: it is not a file");
  } finally {
    rmSync(directory, { recursive: true });
  }
});
