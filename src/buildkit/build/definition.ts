import { createHash } from "node:crypto";
import { Fault } from "#base";
import type { Input, Value } from "../protobuf/message.ts";
import { type Definition, Op } from "../protobuf/solver-messages.ts";

/** How results of builds here are named within LLB. */
const scheme = "thimble-result://";

/**
 * A result of a build as LLB: clients pass it on from one build to another (the linked targets of a
 * bake file), and look at nothing in it but how its parts hang together.
 */
export function definitionOf(result: string): Input<typeof Definition> {
  const source = Op.encode({ source: { identifier: scheme + result } });
  const digest = `sha256:${createHash("sha256").update(source).digest("hex")}`;
  const head = Op.encode({ inputs: [{ digest, index: 0n }] });
  return { def: [source, head], metadata: [[digest, { description: [] }]] };
}

/** The result that a definition names. `unsupported` for any other definition: LLB is not carried out. */
export function resultOf(definition: Value<typeof Definition> | undefined): string {
  for (const bytes of definition?.def.slice(0, 2) ?? []) {
    const { source } = Op.decode(bytes);
    if (source?.identifier.startsWith(scheme)) return source.identifier.slice(scheme.length);
  }
  throw new Fault(
    "unsupported",
    "a build in LLB is not supported: only results of other builds and Dockerfiles are; use the frontend dockerfile.v0",
  );
}
