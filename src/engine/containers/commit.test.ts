import { expect, test } from "bun:test";
import { configOf, mergeDefaults } from "./commit.ts";

const container = {
  Cmd: ["sh"],
  Entrypoint: ["/entry"],
  Env: ["PATH=/bin", "A=1"],
  Labels: { a: "1", b: "2" },
  ExposedPorts: { "80/tcp": {} },
  User: "app",
};

test("settings that the user leaves out are the container's", () => {
  expect(mergeDefaults({}, container)).toEqual(container);
  expect(mergeDefaults({}, {})).toEqual({});
});

test("variables, labels and ports are merged by name, single values replaced", () => {
  expect(
    mergeDefaults(
      { Env: ["A=2", "B=3"], Labels: { b: "3" }, ExposedPorts: { "81/tcp": {} }, User: "root" },
      container,
    ),
  ).toEqual({
    ...container,
    Env: ["PATH=/bin", "A=2", "B=3"],
    Labels: { a: "1", b: "3" },
    ExposedPorts: { "80/tcp": {}, "81/tcp": {} },
    User: "root",
  });
});

test("a command leaves the entry point, an entry point takes the container's command away", () => {
  expect(mergeDefaults({ Cmd: ["ls"] }, container)).toMatchObject({
    Cmd: ["ls"],
    Entrypoint: ["/entry"],
  });
  const changed = mergeDefaults({ Entrypoint: ["cat"] }, container);
  expect(changed.Entrypoint).toEqual(["cat"]);
  expect(changed).not.toHaveProperty("Cmd");
});

test("instructions apply to the container's configuration when none is sent", () => {
  const changes = ["ENV PATH=/x:$PATH", "WORKDIR sub", "USER $A", "LABEL c=$A", "EXPOSE 8$A"];
  expect(configOf({ ...container, WorkingDir: "/srv" }, { config: {}, changes })).toEqual({
    ...container,
    Env: ["PATH=/x:/bin", "A=1"],
    WorkingDir: "/srv/sub",
    User: "1",
    Labels: { a: "1", b: "2", c: "1" },
    ExposedPorts: { "80/tcp": {}, "81/tcp": {} },
  });
  const sent = configOf(container, { config: { User: "sent" }, changes: ["WORKDIR sub"] });
  expect(sent).toEqual({ ...container, User: "sent", WorkingDir: "/sub" });
});

test("a new entry point keeps a command only when that is given too", () => {
  const of = (...changes: string[]) => configOf(container, { config: {}, changes });
  expect(of('ENTRYPOINT ["cat"]')).not.toHaveProperty("Cmd");
  expect(of('ENTRYPOINT ["cat"]', 'CMD ["x"]')).toMatchObject({ Cmd: ["x"] });
  expect(of('CMD ["x"]')).toMatchObject({ Cmd: ["x"], Entrypoint: ["/entry"] });
});
