import { expect, test } from "bun:test";
import { Definition, Op } from "../protobuf/solver-messages.ts";
import { definitionOf, resultOf } from "./definition.ts";

const passedOn = (definition: Parameters<typeof Definition.encode>[0]) =>
  Definition.decode(Definition.encode(definition));

test("a result comes back from the client that passed it on", () => {
  const definition = passedOn(definitionOf("abc.1"));
  expect(resultOf(definition)).toBe("abc.1");
  // BuildKit's clients look for the operation that the last one has as its input.
  const head = Op.decode(definition.def.at(-1) ?? new Uint8Array(0));
  expect([...definition.metadata.keys()]).toEqual([head.inputs[0]?.digest ?? ""]);
});

test("any other definition is refused", () => {
  const source = Op.encode({ source: { identifier: "docker-image://docker.io/library/alpine" } });
  expect(() => resultOf(passedOn({ def: [source] }))).toThrow("LLB is not supported");
  expect(() => resultOf(undefined)).toThrow("LLB is not supported");
});
