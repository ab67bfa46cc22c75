/** A place in a model as messages name it: "services.web.ports.[0]"; "*" in a pattern stands for any one part. */
export type Path = readonly string[];

/** A path as messages print it. */
export const pathText = (path: Path) => path.join(".");

/** Where a walk through a model stands among the patterns of a table; empty when none leads on. */
export type Place<T> = readonly Branch<T>[];

interface Branch<T> {
  readonly parts: Map<string, Branch<T>>;
  value?: T;
}

/** What belongs to places of a model, by patterns such as "services.*.ports". */
export class PathTable<T> {
  readonly root: Place<T>;

  constructor(entries: Readonly<Record<string, T>>) {
    const root: Branch<T> = { parts: new Map() };
    this.root = [root];
    for (const [pattern, value] of Object.entries(entries)) {
      let branch = root;
      for (const part of pattern.split(".")) {
        let next = branch.parts.get(part);
        if (next === undefined) {
          next = { parts: new Map() };
          branch.parts.set(part, next);
        }
        branch = next;
      }
      branch.value = value;
    }
  }

  /** What belongs to a path. */
  find(path: Path): T | undefined {
    let place = this.root;
    for (const part of path) place = enter(place, part);
    return valueAt(place);
  }
}

/** The place of a part of what stands at a place. */
export function enter<T>(place: Place<T>, part: string): Place<T> {
  const next: Branch<T>[] = [];
  for (const branch of place) {
    const exact = branch.parts.get(part);
    if (exact !== undefined) next.push(exact);
    const any = branch.parts.get("*");
    if (any !== undefined) next.push(any);
  }
  return next;
}

/** What belongs to a place. */
export function valueAt<T>(place: Place<T>): T | undefined {
  for (const branch of place) if (branch.value !== undefined) return branch.value;
  return undefined;
}
