import { expect, test } from "bun:test";
import { readFrontendOptions } from "./frontend-request.ts";

const read = (options: Readonly<Record<string, string>>) =>
  readFrontendOptions(new Map(Object.entries(options)), {
    ...{ inputs: new Map(), entitlements: [], cacheImports: [] },
  });

test("without options it is the Dockerfile and the context of the client", () => {
  expect(read({})).toMatchObject({
    ...{ dockerfileName: "Dockerfile", noCache: false, pull: false, call: "" },
    context: { kind: "client", name: "context" },
    dockerfilePlace: { kind: "client", name: "dockerfile" },
  });
});

test("places are told apart by what they begin with", () => {
  const contexts = { tool: "docker-image://alpine:3", files: "local:files", page: "https://e.x/a" };
  const options = Object.entries(contexts).map(([name, value]) => [`context:${name}`, value]);
  const layout = "oci-layout://store:tag@sha256:abc";
  const { contexts: found } = read({ ...Object.fromEntries(options), "context:oci": layout });
  expect(Object.fromEntries(found)).toEqual({
    tool: { kind: "image", reference: "alpine:3" },
    files: { kind: "client", name: "files" },
    page: { kind: "remote", url: "https://e.x/a" },
    oci: { kind: "layout", store: "store", reference: "sha256:abc" },
  });
  expect(read({ context: "http://buildkit-session/id" })).toMatchObject({
    context: { kind: "upload", path: "/id" },
    dockerfilePlace: { kind: "upload", path: "/id" },
  });
  expect(() => read({ "context:a": "input:b" })).toThrow("no input b");
});

test("caches that are to be read come as JSON", () => {
  const caches = [{ Type: "registry", Attrs: { ref: "r.example/cache" } }, { Type: "gha" }];
  expect(read({ "cache-imports": JSON.stringify(caches) }).cacheImports).toEqual([
    { type: "registry", attributes: new Map([["ref", "r.example/cache"]]) },
    { type: "gha", attributes: new Map() },
  ]);
  expect(() => read({ "cache-imports": "[1]" })).toThrow("must be an object");
});

test("no-cache is of all, or of stages", () => {
  expect(read({ "no-cache": "" }).noCache).toBe(true);
  expect(read({ "no-cache": "a,b" }).noCache).toEqual(["a", "b"]);
});

test("limits and hosts are read, and what is none is refused", () => {
  const options = { "add-hosts": "a=1.2.3.4,b=::1", ulimit: "nofile=1:2,core=-1" };
  expect(read({ ...options, "shm-size": "65536" })).toMatchObject({
    extraHosts: ["a:1.2.3.4", "b:::1"],
    ulimits: [
      { Name: "nofile", Soft: 1, Hard: 2 },
      { Name: "core", Soft: -1, Hard: -1 },
    ],
    shmSize: 65536,
  });
  expect(() => read({ ulimit: "many" })).toThrow("invalid ulimit: many");
  expect(() => read({ "shm-size": "64m" })).toThrow("invalid shm-size");
});

test("an option that is not known is refused by its name", () => {
  expect(() => read({ devices: "all" })).toThrow("the option devices of the Dockerfile frontend");
});
