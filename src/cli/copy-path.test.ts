import { expect, test } from "bun:test";
import { parseSide, placeOf } from "./copy-path.ts";

test.each([
  ["web:/etc", { container: "web", path: "/etc" }],
  ["web:etc:x", { container: "web", path: "etc:x" }],
  ["./a:b", { container: "", path: "./a:b" }],
  ["/a:b", { container: "", path: "/a:b" }],
  ["-", { container: "", path: "-" }],
])("%s", (word, side) => expect(parseSide(word)).toEqual(side));

const file = { isDirectory: false, name: "f" };
const directory = { isDirectory: true, name: "d" };
const content = { isDirectory: true, name: "." };

test.each([
  ["a file into a directory", file, "/x", "directory", { directory: "/x", name: "f" }],
  ["a file over a file", file, "/x/y", "file", { directory: "/x", name: "y" }],
  ["a file to a new name", file, "/x/y", "missing", { directory: "/x", name: "y" }],
  ["a directory into a directory", directory, "/x", "directory", { directory: "/x", name: "d" }],
  ["a directory to a new name", directory, "/x/y/", "missing", { directory: "/x", name: "y" }],
  ["content into a directory", content, "/x", "directory", { directory: "/x", name: "." }],
  ["content to a new name", content, "/x/y", "missing", { directory: "/x", name: "y" }],
] as const)("%s", (_case, source, path, is, place) =>
  expect(placeOf(source, { path, is })).toEqual(place),
);

test("what docker refuses is refused in its words", () => {
  expect(() => placeOf(directory, { path: "/x", is: "file" })).toThrow("cannot copy directory");
  expect(() => placeOf(file, { path: "/x/", is: "missing" })).toThrow("no such directory");
});
