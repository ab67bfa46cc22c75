import { expect, test } from "bun:test";
import { Fault } from "#base";
import { applyChanges, type ImageDefaults } from "./index.ts";

const base: ImageDefaults = { Env: ["PATH=/bin", "A=1"], WorkingDir: "/srv", Cmd: ["old"] };

test.each<[string, Partial<ImageDefaults>]>([
  ['CMD ["a", "b c"]', { Cmd: ["a", "b c"] }],
  ["cmd echo $A 'x'", { Cmd: ["/bin/sh", "-c", "echo $A 'x'"] }],
  ["CMD []", { Cmd: [] }],
  ["CMD [not json", { Cmd: ["/bin/sh", "-c", "[not json"] }],
  ['ENTRYPOINT ["/x"]', { Entrypoint: ["/x"] }],
  ["ENV B=2 A=3", { Env: ["PATH=/bin", "A=3", "B=2"] }],
  ["ENV B the rest of it", { Env: ["PATH=/bin", "A=1", "B=the rest of it"] }],
  ["ENV PATH=/opt:$PATH", { Env: ["PATH=/opt:/bin", "A=1"] }],
  [
    `ENV B="x \${A} \\"q\\"" C='$A' D=a\\ b`,
    { Env: ["PATH=/bin", "A=1", 'B=x 1 "q"', "C=$A", "D=a b"] },
  ],
  [
    `ENV B=\${NO:-dflt} C=\${A:+set} D=\${NO:+x}`,
    { Env: ["PATH=/bin", "A=1", "B=dflt", "C=set", "D="] },
  ],
  [
    "EXPOSE 80 53/udp 8000-8001/TCP",
    { ExposedPorts: { "80/tcp": {}, "53/udp": {}, "8000/tcp": {}, "8001/tcp": {} } },
  ],
  ["LABEL a=b 'c d'=\"e f\"", { Labels: { a: "b", "c d": "e f" } }],
  ["USER app:staff", { User: "app:staff" }],
  ["WORKDIR sub/../x", { WorkingDir: "/srv/x" }],
  ["WORKDIR /abs", { WorkingDir: "/abs" }],
  ['VOLUME ["/a", "/b b"]', { Volumes: { "/a": {}, "/b b": {} } }],
  ["VOLUME /a /b", { Volumes: { "/a": {}, "/b": {} } }],
  ["STOPSIGNAL SIGRTMIN+3", { StopSignal: "SIGRTMIN+3" }],
  ["STOPSIGNAL 9", { StopSignal: "9" }],
  ["ONBUILD RUN x", { OnBuild: ["RUN x"] }],
  [
    "HEALTHCHECK --interval=1m30s --retries=3 CMD curl x",
    { Healthcheck: { Interval: 90e9, Retries: 3, Test: ["CMD-SHELL", "curl x"] } },
  ],
  ['HEALTHCHECK CMD ["a"]', { Healthcheck: { Test: ["CMD", "a"] } }],
  ["HEALTHCHECK NONE", { Healthcheck: { Test: ["NONE"] } }],
])("%s", (change, expected) => {
  expect(applyChanges(base, [change])).toEqual({ ...base, ...expected });
});

test("changes apply in order, over lines, and leave the given configuration alone", () => {
  const before = structuredClone(base);
  const result = applyChanges(base, ["ENV X=1\nENV Y=$X$X", "", "WORKDIR a", "WORKDIR b"]);
  expect(result.Env).toEqual(["PATH=/bin", "A=1", "X=1", "Y=11"]);
  expect(result.WorkingDir).toBe("/srv/a/b");
  expect(base).toEqual(before);
});

test.each([
  ["RUN x", "RUN cannot be used here"],
  ["WORKDR /x", "did you mean WORKDIR?"],
  ["ENV", "ENV needs an argument"],
  ["ENV A", "key=value"],
  ["ENV =x", "must not be empty"],
  ["ENV A='x", "not closed"],
  ['LABEL a="x', "not closed"],
  ["ENV A=${B", "not closed"],
  [`ENV A=\${B/x/y}`, "not a substitution"],
  ["EXPOSE http", "not a port"],
  ["EXPOSE 0", "not a port"],
  ["EXPOSE 70000", "not a port"],
  ["EXPOSE 9-1", "not a port"],
  ["USER a b", "not 2 words"],
  ["STOPSIGNAL 99", "not a signal"],
  ["STOPSIGNAL SIGABCD", "not a signal"],
  ["STOPSIGNAL HUPS", "not a signal"],
  ["STOPSIGNAL SIGNOTHING", "not a signal"],
  ["ONBUILD ONBUILD RUN x", "not allowed"],
  ["ONBUILD FROM x", "not allowed"],
  ['VOLUME [""]', "needs a path"],
  ["HEALTHCHECK --often=1s CMD x", "not a flag"],
  ["HEALTHCHECK --interval=x CMD x", "not a duration"],
  ["HEALTHCHECK x", "CMD and a command"],
])("%s is refused: %s", (change, why) => {
  let caught: unknown;
  try {
    applyChanges(base, [change]);
  } catch (error) {
    caught = error;
  }
  expect(caught).toBeInstanceOf(Fault);
  expect((caught as Fault).code).toBe("invalid");
  expect((caught as Fault).message).toContain(why);
  expect((caught as Fault).message).toContain(change.slice(0, 20));
});
