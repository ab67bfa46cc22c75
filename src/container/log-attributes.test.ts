import { expect, test } from "bun:test";
import { logAttributes } from "./log-attributes.ts";
import type { LoggedContainer } from "./log-tag.ts";

const container: LoggedContainer = {
  id: `1877cc01be71${"0".repeat(52)}`,
  name: "l1",
  imageId: `sha256:414354e33dc0${"0".repeat(52)}`,
  argv: ["sh", "-c", "echo hi; echo err >&2"],
  createdAt: 1_700_000_000_123_456_789n,
  config: {
    Image: "streams/bb",
    Env: ["X=1", "YY=2 3", "PLAIN", "Z=a=b"],
    Labels: { a: "1", "b.c": "2", zz: "3" },
  },
};

function attributes(Config: Record<string, string>, Type = "json-file"): string | undefined {
  return logAttributes("/logs/x", { Type, Config }, container);
}

test("the tag, labels and variables of a log, as Docker 28 writes them", () => {
  const chosen = {
    tag: "{{.ID}}|{{.Name}}|{{.ImageName}}|{{ .Command }}",
    labels: "a,nope",
    "labels-regex": "^b",
    env: "X,FOO,PLAIN",
    "env-regex": "^(YY|Z)",
  };
  expect(attributes(chosen)).toBe(
    '{"X":"1","YY":"2 3","Z":"a=b","a":"1","b.c":"2","tag":"1877cc01be71|l1|streams/bb|sh -c echo hi; echo err \\u003e\\u00262"}',
  );
});

const tagOf = (tag: string, more: Record<string, string> = {}) =>
  JSON.parse(attributes({ ...more, tag }) ?? "{}").tag;

// Checked against Docker 28.
test.each([
  ["{{.Name}}/{{.ID}}", "l1/1877cc01be71"],
  ["{{ upper .Name }} {{slice .ID 0 4}} {{truncate .FullID 6}}", "L1 1877 1877cc"],
  ['{{printf "%s-%s" .Name .ImageName | lower}}', "l1-streams/bb"],
  ["{{.ContainerLabels.a}}|{{.ContainerLabels.nope}}", "1|<no value>"],
  ['{{index .ContainerLabels "b.c"}}|{{index .ContainerLabels "nope"}}', "2|"],
  ["{{(.ExtraAttributes nil).X}}|{{with .ExtraAttributes nil}}{{.a}}{{end}}", "1|1"],
  ["{{.ContainerName}} {{.LogPath}} {{.Config}}", "/l1 /logs/x map[env:X labels:a tag:T]"],
  ["{{.ContainerEnv}} {{index .ContainerArgs 0}}", "[X=1 YY=2 3 PLAIN Z=a=b] -c"],
  ['{{if eq .Name "l1"}}one{{else}}other{{end}}', "one"],
  ["{{.DaemonName}} {{.ImageID}}", "thimble 414354e33dc0"],
])("the tag %s", (tag, wanted) => {
  const got = tagOf(tag, { labels: "a", env: "X" });
  expect(got.replace(tag, "T")).toBe(wanted);
});

test("json shows a tag's whole data", () => {
  expect(JSON.parse(tagOf("{{json .}}"))).toEqual({
    Config: { tag: "{{json .}}" },
    ContainerID: container.id,
    ContainerName: "/l1",
    ContainerEntrypoint: "sh",
    ContainerArgs: ["-c", "echo hi; echo err >&2"],
    ContainerImageID: container.imageId,
    ContainerImageName: "streams/bb",
    ContainerCreated: "2023-11-14T22:13:20.123456789Z",
    ContainerEnv: ["X=1", "YY=2 3", "PLAIN", "Z=a=b"],
    ContainerLabels: { a: "1", "b.c": "2", zz: "3" },
    LogPath: "/logs/x",
    DaemonName: "thimble",
  });
});

test.each([
  ["{{.Nope}}", "can't evaluate field Nope: there is no such field"],
  ["{{.Name", "unclosed action"],
  ["{{nofn .}}", 'function "nofn" not defined'],
  ["{{index .ContainerArgs 9}}", "index out of range: 9"],
])("the tag %s is refused", (tag, why) => {
  expect(() => tagOf(tag)).toThrow(
    `cannot read the log tag ${JSON.stringify(tag)}: ${why}; a tag is a template with fields such as {{.ID}}, `,
  );
});

test("nothing chosen is nothing added", () => {
  expect(attributes({})).toBeUndefined();
  expect(attributes({ tag: "", labels: "", env: "nope" })).toBeUndefined();
  expect(attributes({ labels: "a" }, "local")).toBeUndefined();
});

test("attributes too long for a line are refused", () => {
  const config = { ...container.config, Labels: { a: "x".repeat(33_000) } };
  const log = { Type: "json-file", Config: { labels: "a" } };
  expect(() => logAttributes("/logs/x", log, { ...container, config })).toThrow("at most 32768");
});
