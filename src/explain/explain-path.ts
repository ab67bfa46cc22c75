import { defined, Fault } from "#base";
import { nameToText, textToName } from "#tar";
import type { ImageView } from "./image-view.ts";
import type { Breathe, LayerEntry } from "./layer-source.ts";
import { pathOf, shownPath } from "./merged-tree.ts";
import { findOwners } from "./ownership.ts";
import type { PackageManager } from "./packages/package.ts";

/** Where one path of an image comes from. */
export interface PathExplanation {
  /** As asked. */
  readonly path: string;
  /** After links among its directories: "/usr/bin/sh" for "/bin/sh". */
  readonly resolved: string;
  readonly exists: boolean;
  readonly type?: string;
  readonly bytes?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Where a link leads. */
  readonly target?: string;
  /** The layer that the visible file comes from; counted from 1. */
  readonly layer?: number;
  readonly package?: {
    readonly manager: PackageManager;
    readonly name: string;
    readonly version: string;
  };
  /** The changes that the layers made to it, lowest first. */
  readonly steps: readonly PathStep[];
}

/** One layer's change to the path; `bytes`, mode and owner as they are after it. */
export interface PathStep {
  readonly layer: number;
  readonly action: "added" | "replaced" | "deleted";
  readonly bytes?: number;
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** The directory whose deletion took it along. */
  readonly with?: string;
}

/** `not_found` when no layer ever had the path. */
export function explainPath(view: ImageView, text: string, breathe: Breathe): PathExplanation {
  const asked = textToName(text);
  const node = view.tree.resolve(asked);
  const path = node ? pathOf(node) : lexical(view, asked);
  const steps = trace(view, path);
  if (steps.length === 0) {
    throw new Fault("not_found", `no layer of the image has ${text}`, { about: text });
  }
  const resolved = node ? shownPath(node) : `/${nameToText(path)}`;
  if (!node) return { path: text, resolved, exists: false, steps };
  const { packages } = view.packages();
  const { ownerOf } = findOwners(view.tree, packages, { breathe });
  const owner = packages[ownerOf.get(node) ?? -1];
  return {
    path: text,
    resolved,
    exists: true,
    type: node.type,
    ...defined({ bytes: node.content?.size }),
    mode: node.mode,
    uid: node.uid,
    gid: node.gid,
    ...(node.linkName !== "" && { target: nameToText(node.linkName) }),
    layer: steps.at(-1)?.layer ?? node.layer + 1,
    ...defined({
      package: owner && {
        manager: owner.manager,
        name: nameToText(owner.name),
        version: nameToText(owner.version),
      },
    }),
    steps,
  };
}

/** For a path that is gone: its directory may still exist, behind a link. */
function lexical(view: ImageView, asked: string): string {
  const parts = asked.split("/").filter((part) => part !== "" && part !== ".");
  const name = parts.pop() ?? "";
  const parent = view.tree.resolve(parts.join("/"), true);
  const above = parent?.children ? pathOf(parent) : parts.join("/");
  return above === "" ? name : `${above}/${name}`;
}

function trace(view: ImageView, path: string): PathStep[] {
  const parts = path === "" ? [] : path.split("/");
  const prefixes = parts.map((_, at) => parts.slice(0, at + 1).join("/"));
  const above = prefixes.slice(0, -1).map((prefix) => ({ prefix, entries: view.entries(prefix) }));
  const own = view.entries(path);
  const steps: PathStep[] = [];
  let there: LayerEntry | undefined;
  // A layer also names the directories above its changes, mostly with the attributes that they had.
  const isSame = (entry: LayerEntry) =>
    there?.type === "directory" &&
    entry.type === "directory" &&
    entry.opaque !== true &&
    there.mode === entry.mode &&
    there.uid === entry.uid &&
    there.gid === entry.gid;
  for (const [index, entry] of own.entries()) {
    const layer = index + 1;
    const hider = above.find(({ entries }) => hides(entries[index]));
    if (hider && there) {
      steps.push({ layer, action: "deleted", with: `/${nameToText(hider.prefix)}/` });
      there = undefined;
    }
    if (entry?.type === "whiteout") {
      if (there) steps.push({ layer, action: "deleted" });
      there = undefined;
    } else if (entry && !isSame(entry)) {
      const { mode, uid, gid, size } = entry;
      const bytes = entry.type === "file" && { bytes: size };
      steps.push({ layer, action: there ? "replaced" : "added", ...bytes, mode, uid, gid });
      there = entry;
    }
  }
  return steps;
}

/** Whether the entries that the layers below have in a directory are hidden. */
function hides(entry: LayerEntry | undefined): boolean {
  return entry !== undefined && (entry.type !== "directory" || entry.opaque === true);
}
