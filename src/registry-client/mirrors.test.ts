import { expect, test } from "bun:test";
import { openHostDirectory } from "./hosts.ts";
import { parseMirror } from "./mirrors.ts";

test("Docker Hub is asked at its mirrors first, and other registries at themselves", async () => {
  const mirrors = ["https://a.example:5000", "http://b.example/"];
  const hosts = openHostDirectory({ directories: [], mirrors, insecure: ["a.example:5000"] });
  const [first, second, origin] = await hosts.endpoints("docker.io");
  expect(first).toMatchObject({
    base: "https://a.example:5000/v2",
    namespace: "docker.io",
    trust: { verify: false },
    mayBePlain: false,
  });
  expect(second).toMatchObject({ base: "http://b.example/v2", mayBePlain: true });
  expect([first, second].some((each) => each?.capabilities.has("push"))).toBe(false);
  expect(origin?.base).toBe("https://registry-1.docker.io/v2");
  expect(await hosts.endpoints("other.example")).toHaveLength(1);
});

test.each([
  ["a.example", "give it as https://HOST[:PORT]"],
  ["ftp://a.example", "give it as https://HOST[:PORT]"],
  ["https://me:pw@a.example", "may not have a user"],
  ["https://a.example/path", "may not have a path"],
])("%s is no mirror", (text, why) => {
  expect(() => parseMirror(text)).toThrow(why);
});
