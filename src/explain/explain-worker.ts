/** The thread behind `explain`: one job, then it ends, and its memory with it. */
import { Fault, flattenFault } from "#base";
import { useAddon } from "#kernel";
import { compareImages } from "./compare-images.ts";
import { explainImage } from "./explain-image.ts";
import { explainPath } from "./explain-path.ts";
import { ImageView } from "./image-view.ts";
import type { Answer, Request } from "./job.ts";
import { LayerDirectory } from "./layer-directory.ts";
import type { Breathe } from "./layer-source.ts";

declare const self: {
  onmessage: (event: { readonly data: Request | "end" }) => void;
  postMessage(answer: Answer): void;
};

self.onmessage = ({ data }) => {
  // A Worker that is terminated from outside takes Bun down now and then; one that exits does not.
  if (data === "end") process.exit(0);
  try {
    useAddon(data.addon);
    self.postMessage({ out: perform(data) });
  } catch (error) {
    self.postMessage({ fault: flattenFault(error) });
  }
};

function perform(request: Request): unknown {
  using layers = new DisposableStack();
  const breathe = () => {
    if (Atomics.load(request.stop, 0) !== 0) throw new Fault("canceled", "canceled");
  };
  const open = (directories: readonly string[]) => openView(layers, directories, breathe);
  switch (request.name) {
    case "explain":
      return explainImage(open(request.in.layers), { ...request.in, breathe });
    case "path":
      return explainPath(open(request.in.layers), request.in.path, breathe);
    case "compare": {
      const { from, to, ...options } = request.in;
      return compareImages(open(from), open(to), { ...options, breathe });
    }
  }
}

function openView(
  stack: DisposableStack,
  directories: readonly string[],
  breathe: Breathe,
): ImageView {
  const sources = directories.map((path) => stack.use(new LayerDirectory(path, breathe)));
  return ImageView.read(sources, breathe);
}
