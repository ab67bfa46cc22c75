import type { Heredoc } from "./heredoc.ts";
import type { Instruction } from "./instruction.ts";
import type { Pair } from "./statement.ts";

/** How the texts of an instruction are expanded; `expand` gives each. */
export interface TextExpansion {
  /** Gives one text. */
  word(text: string): string;
  /** Gives any number of words. */
  words(text: string): readonly string[];
  /** Gives a document, in which quotes mean nothing. */
  document(text: string): string;
}

/**
 * An instruction with its variables expanded, where Dockerfiles have them: ADD, COPY, ENV, EXPOSE,
 * LABEL, STOPSIGNAL, USER, VOLUME, WORKDIR. The shell expands those of RUN, CMD, ENTRYPOINT and
 * HEALTHCHECK; `parseMount` those of --mount; ARG gives values only to what has none yet.
 */
export function expandInstruction(instruction: Instruction, by: TextExpansion): Instruction {
  switch (instruction.kind) {
    case "env":
    case "label":
      return { ...instruction, pairs: instruction.pairs.map((pair) => expandPair(pair, by)) };
    case "add": {
      const checksum = by.word(instruction.checksum);
      return { ...instruction, ...expandTransfer(instruction, by), checksum };
    }
    case "copy":
      return { ...instruction, ...expandTransfer(instruction, by) };
    case "expose":
      return { ...instruction, ports: instruction.ports.flatMap((port) => by.words(port)) };
    case "stopsignal":
      return { ...instruction, signal: by.word(instruction.signal) };
    case "user":
      return { ...instruction, user: by.word(instruction.user) };
    case "volume":
      return { ...instruction, volumes: instruction.volumes.map((each) => by.word(each)) };
    case "workdir":
      return { ...instruction, path: by.word(instruction.path) };
    default:
      return instruction;
  }
}

function expandPair(pair: Pair, by: TextExpansion): Pair {
  return { ...pair, name: by.word(pair.name), value: by.word(pair.value) };
}

function expandTransfer(
  { chown, chmod, exclude, sources, documents, destination }: Instruction<"add" | "copy">,
  by: TextExpansion,
) {
  return {
    chown: by.word(chown),
    chmod: by.word(chmod),
    exclude: exclude.map((each) => by.word(each)),
    sources: sources.map((each) => by.word(each)),
    destination: by.word(destination),
    documents: documents.map(
      (each): Heredoc => (each.isExpanded ? { ...each, content: by.document(each.content) } : each),
    ),
  };
}
