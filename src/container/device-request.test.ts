import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readCdiDevices } from "./cdi.ts";
import { addDevices, type DeviceRequest } from "./device-request.ts";
import type { SpecDraft } from "./option.ts";

const root = mkdtempSync(join(tmpdir(), "thimble-cdi-"));
const places = [join(root, "etc"), join(root, "run")];
for (const place of places) mkdirSync(place);
afterAll(() => rmSync(root, { recursive: true }));

function write(name: string, content: string): void {
  writeFileSync(join(root, name), content);
}

write(
  "etc/acme.json",
  JSON.stringify({
    ...{ cdiVersion: "0.6.0", kind: "acme.com/net" },
    containerEdits: { env: ["SHARED=1"], additionalGids: [44, 0] },
    devices: [
      {
        name: "one",
        containerEdits: {
          env: ["ONE=1"],
          deviceNodes: [
            { path: "/dev/acme", hostPath: "/dev/null", permissions: "r" },
            { path: "/dev/pipe", type: "p" },
            { path: "/dev/own", type: "b", major: 7, minor: 9, fileMode: 0o600, uid: 5 },
          ],
          mounts: [{ hostPath: "/usr", containerPath: "/opt/acme", options: ["ro", "nosuid"] }],
        },
      },
      { name: "hooked", containerEdits: { hooks: [{ hookName: "createContainer", path: "/x" }] } },
      { name: "twice", containerEdits: {} },
    ],
  }),
);
write(
  "etc/gpu.yaml",
  `cdiVersion: "0.5.0"
kind: acme.com/gpu
devices:
  - name: "0"
    containerEdits: { env: [GPU0=1] }
  - name: "1"
    containerEdits: { env: [GPU1=1] }
  - name: all
    containerEdits: { env: [GPUS=all] }
`,
);
write(
  "etc/more.json",
  '{"cdiVersion":"0.6.0","kind":"acme.com/net","devices":[{"name":"twice","containerEdits":{}}]}',
);
write("etc/broken.json", "{");
write(
  "run/acme.json",
  '{"cdiVersion":"0.6.0","kind":"acme.com/net","devices":[{"name":"two","containerEdits":{"env":["TWO=run"]}}]}',
);

const known = readCdiDevices(places);

function added(request: Partial<DeviceRequest>) {
  const draft = {
    ...{ env: ["ONE=0"], mounts: [], devices: [], deviceRules: [] },
    user: { uid: 0, gid: 0, additionalGids: [0] },
  } as unknown as SpecDraft;
  const none = { Driver: "", Count: 0, DeviceIDs: [], Capabilities: [], Options: {} };
  addDevices(draft, [{ ...none, ...request }], known);
  return draft;
}

const cdi = (...DeviceIDs: string[]) => added({ Driver: "cdi", DeviceIDs });

test("a device adds its nodes, mounts and variables, and those of its specification", () => {
  const draft = cdi("acme.com/net=one");
  expect(draft.env).toEqual(["ONE=1", "SHARED=1"]);
  expect(draft.user.additionalGids).toEqual([0, 44]);
  expect(draft.mounts).toEqual([
    {
      ...{ destination: "/opt/acme", type: "bind", source: "/usr" },
      options: ["rbind", "ro", "nosuid"],
    },
  ]);
  expect(draft.devices).toMatchObject([
    { path: "/dev/acme", type: "c", major: 1, minor: 3 },
    { path: "/dev/pipe", type: "p" },
    { path: "/dev/own", type: "b", major: 7, minor: 9, fileMode: 0o600, uid: 5 },
  ]);
  expect(draft.deviceRules).toEqual([
    { allow: true, type: "c", major: 1, minor: 3, access: "r" },
    { allow: true, type: "b", major: 7, minor: 9, access: "rwm" },
  ]);
});

test("a later directory adds devices, and a broken file hides no others", () => {
  expect(cdi("acme.com/net=two").env).toEqual(["ONE=0", "TWO=run"]);
  expect(known.faults.some((each) => each.includes("broken.json cannot be read"))).toBe(true);
});

test("GPUs are those of the specification, by number or by name", () => {
  const gpus = (more: object) => added({ Capabilities: [["gpu"]], ...more }).env.slice(1);
  expect(gpus({ Count: -1 })).toEqual(["GPU0=1", "GPU1=1"]);
  expect(gpus({ Count: 1 })).toEqual(["GPU0=1"]);
  expect(gpus({ DeviceIDs: ["all"] })).toEqual(["GPUS=all"]);
  expect(gpus({ DeviceIDs: ["acme.com/gpu=1"] })).toEqual(["GPU1=1"]);
  expect(() => gpus({ Count: 3 })).toThrow("3 GPUs are asked for");
  expect(() => gpus({ Count: 1, DeviceIDs: ["0"] })).toThrow("cannot set both Count and DeviceIDs");
});

test.each([
  [
    { Driver: "cdi", DeviceIDs: ["acme.com/net=one", "no.com/x=y", "bad"] },
    "unresolvable CDI devices no.com/x=y, bad",
  ],
  [
    { Driver: "cdi", DeviceIDs: ["acme.com/net=twice"] },
    "acme.com/net=twice is described twice in",
  ],
  [{ Driver: "cdi", Count: 1 }, "unexpected count in CDI device request"],
  [{ Driver: "cdi", Options: { a: "b" } }, "unexpected options in CDI device request"],
  [{ Driver: "cdi", DeviceIDs: ["acme.com/net=hooked"] }, "needs a hook (createContainer: /x)"],
  [
    { Driver: "nope", Capabilities: [["a", "b"], ["c"]] },
    'could not select device driver "nope" with capabilities: [[a b] [c]]',
  ],
  [{}, 'could not select device driver "" with capabilities: []'],
])("%j is refused", (request, message) => {
  expect(() => added(request)).toThrow(message);
});
