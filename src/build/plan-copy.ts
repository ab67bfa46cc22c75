import { posix } from "node:path";
import { defined } from "#base";
import { heredocText, type Instruction, isGitSource, isHttpSource } from "#dockerfile";
import type { ContextSource, CopyOperation, CopyPart, GitSource, Operation } from "./operation.ts";

/** Where COPY and ADD take files from, and what relative destinations are relative to. */
export interface CopyScope {
  readonly from: Operation | ContextSource | "scratch";
  readonly cwd: string;
}

/** What COPY or ADD copies where; their variables are expanded. */
export function copyOf(
  instruction: Instruction<"add" | "copy">,
  { from, cwd }: CopyScope,
): Pick<CopyOperation, "parts" | "destination" | "chown" | "chmod" | "isLink" | "exclude"> {
  const { sources, documents, chown, chmod, link, exclude } = instruction;
  return {
    parts: [
      ...sources.map((source) => sourcePart(source, instruction, from)),
      ...documents.map(
        (each): CopyPart => ({
          kind: "document",
          document: { name: each.name, text: heredocText(each) },
        }),
      ),
    ],
    destination: destinationIn(cwd, instruction.destination),
    chown,
    chmod,
    isLink: link,
    exclude,
  };
}

function sourcePart(
  source: string,
  instruction: Instruction<"add" | "copy">,
  from: CopyScope["from"],
): CopyPart {
  if (instruction.kind === "add") {
    const { checksum, unpack, keepGitDirectory = false } = instruction;
    if (isGitSource(source)) {
      const given = {
        keepsGitDirectory: keepGitDirectory,
        ...defined({ checksum: checksum || undefined }),
      };
      return { kind: "git", from: { ...parseGitSource(source), ...given } };
    }
    if (isHttpSource(source)) {
      const remote = { kind: "remote", url: source, fileName: fileNameOf(source) } as const;
      const from = { ...remote, ...defined({ checksum: checksum || undefined }) };
      return { kind: "remote", from, unpacks: unpack ?? false };
    }
    return { kind: "files", from, path: cleanSource(source), unpacks: unpack ?? true };
  }
  if (!instruction.parents) {
    return { kind: "files", from, path: cleanSource(source), unpacks: false };
  }
  const pivot = source.indexOf("/./");
  const path = pivot < 0 ? "/" : cleanSource(source.slice(0, pivot));
  const below = posix.join("/", pivot < 0 ? source : source.slice(pivot + 3)).slice(1);
  return { kind: "files", from, path, parents: below.replace(/\/$/, ""), unpacks: false };
}

function cleanSource(source: string): string {
  const path = posix.join("/", source);
  return path.length > 1 ? path.replace(/\/$/, "") : path;
}

/** A destination from the root; "dir/" and "dir/." keep a slash at the end. */
function destinationIn(cwd: string, destination: string): string {
  const path = posix.resolve("/", cwd, destination);
  const isDirectory = /(?:^|\/)\.?$/.test(destination);
  return isDirectory && path !== "/" ? `${path}/` : path;
}

/** The name that a file from the web gets: the last part of the URL's path. */
function fileNameOf(url: string): string {
  const unnamed = "__unnamed__";
  try {
    const base = posix.basename(decodeURIComponent(new URL(url).pathname));
    return base === "" || base === "." || base === ".." ? unnamed : base;
  } catch {
    return unnamed;
  }
}

/** "URL#REF:DIRECTORY", or "URL?ref=REF&subdir=DIRECTORY". */
export function parseGitSource(
  source: string,
): Pick<GitSource, "kind" | "url" | "ref" | "directory"> {
  const [, address = "", query = "", fragment = ""] =
    /^([^?#]*)(?:\?([^#]*))?(?:#(.*))?$/s.exec(source) ?? [];
  const asked = new URLSearchParams(query);
  const colon = fragment.indexOf(":");
  const ref =
    (colon < 0 ? fragment : fragment.slice(0, colon)) ||
    asked.get("ref") ||
    asked.get("branch") ||
    asked.get("tag") ||
    undefined;
  const directory = (colon < 0 ? "" : fragment.slice(colon + 1)) || asked.get("subdir") || "";
  const inside = posix.join("/", directory).slice(1).replace(/\/$/, "");
  return { kind: "git", url: address, directory: inside, ...defined({ ref }) };
}
