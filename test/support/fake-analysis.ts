import { Fault } from "#base";
import type { Engine } from "#engine";
import type { Digest } from "#image";

const id = `sha256:${"5".repeat(64)}` as Digest;
const image = { id, digest: id, tags: ["busybox:test"] };
const weight = { layers: 2, bytes: 300, compressed: 200 };
const none = { files: 0, bytes: 0 };

/** Answers with the question, as far as an answer has room for it. */
export function fakeAnalysis(calls: string[]): Engine["analysis"] {
  const known = (ref: string) => {
    if (ref !== "busybox:test") throw new Fault("not_found", `there is no image "${ref}" here`);
  };
  return {
    async explain(ref, options) {
      known(ref);
      calls.push(`explain ${ref} ${JSON.stringify(options)}`);
      return {
        image,
        compressed: 200,
        total: {
          ...{ bytes: 300, visible: 250, files: 3, wasted: 50, replaced: 20, deleted: 30 },
          ...{ unchanged: 20, efficiency: 250 / 300 },
        },
        layers: [],
        tree: { path: "/", bytes: 250, files: 3, children: [] },
        files: [],
        packages: { managers: [], unread: [], count: 0, bytes: 0, list: [] },
        unowned: { bytes: 250, files: 3, list: [] },
        wasted: { count: 0, list: [] },
        duplicates: { bytes: 0, count: 0, atLeast: 1024, list: [] },
        hints: [],
      };
    },
    async explainPath(ref, path) {
      known(ref);
      return { image, path, resolved: path, exists: false, steps: [] };
    },
    async sbom(ref) {
      known(ref);
      return { name: ref, packages: [] };
    },
    async compare(from, to, options) {
      known(from);
      calls.push(`compare ${from} ${to} ${JSON.stringify(options)}`);
      return {
        from: { ...image, ...weight },
        to: { ...image, ...weight },
        sharedLayers: 2,
        config: [],
        ...{ added: none, removed: none, changed: none, changes: [], more: 0 },
        packages: { added: [], removed: [], changed: [] },
      };
    },
    async squash(ref, { created, ...options }, report) {
      calls.push(`squash ${ref} ${JSON.stringify({ ...options, created: String(created) })}`);
      report({ status: "Merging 2 layers" });
      known(ref);
      return { ...image, kept: 0, merged: 2, before: weight, after: { ...weight, layers: 1 } };
    },
  };
}
