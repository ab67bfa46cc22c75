import { expect, test } from "bun:test";
import { type LoggedContainer, logAttributes } from "./log-attributes.ts";

const container: LoggedContainer = {
  id: `1877cc01be71${"0".repeat(52)}`,
  name: "l1",
  imageId: `sha256:414354e33dc0${"0".repeat(52)}`,
  argv: ["sh", "-c", "echo hi; echo err >&2"],
  config: {
    Image: "streams/bb",
    Env: ["X=1", "YY=2 3", "PLAIN", "Z=a=b"],
    Labels: { a: "1", "b.c": "2", zz: "3" },
  },
};

function attributes(Config: Record<string, string>, Type = "json-file"): string | undefined {
  return logAttributes({ Type, Config }, container);
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

test("nothing chosen is nothing added", () => {
  expect(attributes({})).toBeUndefined();
  expect(attributes({ tag: "", labels: "", env: "nope" })).toBeUndefined();
  expect(attributes({ labels: "a" }, "local")).toBeUndefined();
});

test("what does not fit into each line is refused", () => {
  const config = { ...container.config, Labels: { a: "x".repeat(33_000) } };
  const log = { Type: "json-file", Config: { labels: "a" } };
  expect(() => logAttributes(log, { ...container, config })).toThrow("at most 32768");
});
