/**
 * yaml: YAML as go-yaml reads and prints it, which docker compose and buildx are built upon. Pure.
 *
 * A text becomes nodes, which know their places, and nodes become values; `emitYaml` prints values
 * byte for byte as go-yaml does. Faults have go-yaml's words. What strangers send has limits:
 * depth, and aliases that multiply.
 */

export { DateValue, decodeNode, NonStringKey } from "./decode.ts";
export { byKeyOrder, emitYaml, type Output, OutputMap } from "./emit.ts";
export { parseNodes, type YamlNode } from "./node.ts";
export { type Mark, YamlError } from "./token.ts";
export { Float, goFloatText, isMapping, type Mapping, type Value } from "./value.ts";
