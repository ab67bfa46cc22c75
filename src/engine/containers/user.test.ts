import { expect, test } from "bun:test";
import { resolveUser } from "./user.ts";

const files = {
  passwd: `root:x:0:0:root:/root:/bin/sh
daemon:x:1:1::/usr/sbin:/usr/sbin/nologin
broken
me:x:1000:1001:Me,,,:/home/me:/bin/sh
4242:x:7:8::/odd:/bin/sh
toobig:x:99999999999:1::/:/bin/sh
`,
  group: `root:x:0:
tty:x:5:me,daemon
wheel:x:10:root
me:x:1001:
docker:x:999:me
`,
};

test.each([
  ["", { uid: 0, gid: 0, additionalGids: [0, 10], home: "/root" }],
  ["0", { uid: 0, gid: 0, additionalGids: [0, 10], home: "/root" }],
  ["me", { uid: 1000, gid: 1001, additionalGids: [1001, 5, 999], home: "/home/me" }],
  ["1000", { uid: 1000, gid: 1001, additionalGids: [1001, 5, 999], home: "/home/me" }],
  ["me:tty", { uid: 1000, gid: 5, additionalGids: [5], home: "/home/me" }],
  ["me:77", { uid: 1000, gid: 77, additionalGids: [77], home: "/home/me" }],
  ["5000", { uid: 5000, gid: 0, additionalGids: [0], home: "/" }],
  ["5000:6000", { uid: 5000, gid: 6000, additionalGids: [6000], home: "/" }],
  // A name of digits comes before the number, as in runc.
  ["4242", { uid: 7, gid: 8, additionalGids: [8], home: "/odd" }],
])("%p", (user, expected) => {
  expect(resolveUser(user, files)).toEqual(expected);
});

test.each([
  ["nobody", "unable to find user nobody: no matching entries in passwd file"],
  ["me:nobody", "unable to find group nobody: no matching entries in group file"],
  ["toobig", "unable to find user toobig"],
  ["99999999999", "uids and gids must be in range 0-2147483647"],
  ["2147483648", "uids and gids must be in range 0-2147483647"],
  ["0:2147483648", "uids and gids must be in range 0-2147483647"],
  ["me:99999999999", "uids and gids must be in range"],
  ["-1", "uids and gids must be in range 0-2147483647"],
])("%p is refused", (user, message) => {
  expect(() => resolveUser(user, files)).toThrow(message);
});

test("an image without the files knows numbers only", () => {
  const none = { passwd: "", group: "" };
  expect(resolveUser("12:13", none)).toEqual({ uid: 12, gid: 13, additionalGids: [13], home: "/" });
  expect(() => resolveUser("root", none)).toThrow("unable to find user root");
});

test("groups given by name and number are added", () => {
  expect(resolveUser("me", files, ["wheel", "4000"]).additionalGids).toEqual([
    1001, 5, 999, 10, 4000,
  ]);
});
