import { expect, test } from "bun:test";
import { ociBind } from "./bind-mount.ts";
import { parseBind, parseMounts } from "./mounts.ts";

const mount = (IDMapping: { Source?: string; User?: string } | undefined) =>
  parseMounts([{ Type: "bind", Source: "/srv", Target: "/x", BindOptions: { IDMapping } }]).binds;

test("the owners of a bind are mapped where that is asked for", () => {
  expect(parseBind("/srv:/x:idmap,ro")).toMatchObject({ idMapping: { user: "" }, readonly: true });
  expect(parseBind("/srv:/x:ro")).not.toHaveProperty("idMapping");
  expect(mount({ Source: "match-user" })).toMatchObject([{ idMapping: { user: "" } }]);
  expect(mount({ Source: "match-user", User: "app:2" })).toMatchObject([
    { idMapping: { user: "app:2" } },
  ]);
  expect(mount(undefined)[0]).not.toHaveProperty("idMapping");
});

test.each([
  ["data:/x:idmap", "invalid mode: idmap: the owners of volumes are not mapped"],
  ["/srv:/x:idmap,idmap", "invalid mode: idmap,idmap"],
  ["/srv:/x:idmap=1", "invalid mode: idmap=1"],
])("%s is refused", (spec, message) => {
  expect(() => parseBind(spec)).toThrow(message);
});

test.each([
  [{ Source: "userns" }, 'use "match-user"'],
  [{ Source: "other" }, 'invalid id mapping "other"'],
  [{}, 'invalid id mapping ""'],
])("the mapping %j is refused", (mapping, message) => {
  expect(() => mount(mapping)).toThrow(message);
});

test("a map has the owner on the host first", () => {
  const owners = { host: { uid: 1000, gid: 1001 }, container: { uid: 0, gid: 5 } };
  const [bind] = mount({ Source: "match-user" });
  if (!bind) throw new Error("there is no bind");
  expect(ociBind(bind, owners)).toMatchObject({
    uidMappings: [{ containerID: 1000, hostID: 0, size: 1 }],
    gidMappings: [{ containerID: 1001, hostID: 5, size: 1 }],
  });
  expect(ociBind(bind)).not.toHaveProperty("uidMappings");
});
