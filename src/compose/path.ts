/** A place in a model as messages name it: "services.web.ports.[0]"; "*" in a pattern stands for any one part. */
export type Path = readonly string[];

/** A path as messages print it. */
export const pathText = (path: Path) => path.join(".");

/** Looks up what belongs to a path among patterns such as "services.*.ports". */
export class PathTable<T> {
  private readonly root: Branch<T> = { parts: new Map() };

  constructor(entries: Readonly<Record<string, T>>) {
    for (const [pattern, value] of Object.entries(entries)) {
      let branch = this.root;
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

  find(path: Path): T | undefined {
    return seek(this.root, path, 0);
  }
}

interface Branch<T> {
  readonly parts: Map<string, Branch<T>>;
  value?: T;
}

function seek<T>(branch: Branch<T>, path: Path, at: number): T | undefined {
  const part = path[at];
  if (part === undefined) return branch.value;
  const exact = branch.parts.get(part);
  const found = exact && seek(exact, path, at + 1);
  if (found !== undefined) return found;
  const any = branch.parts.get("*");
  return any && seek(any, path, at + 1);
}
