import type { OciMount } from "#runtime";
import { type Owners, ociOwners } from "./id-mapping.ts";
import type { BindMount } from "./mounts.ts";

/** A bind as the OCI configuration has it; `owners` where they are mapped. */
export function ociBind(bind: BindMount, owners?: Owners): OciMount {
  return {
    destination: bind.target,
    type: "bind",
    source: bind.source,
    options: [
      bind.recursive ? "rbind" : "bind",
      // Not "rw": that would make a file system writable that the host has mounted read-only.
      ...(bind.readonly ? [bind.recursive && !bind.shallow ? "rro" : "ro"] : []),
      bind.propagation ?? "rprivate",
    ],
    ...(owners && ociOwners(owners)),
  };
}
