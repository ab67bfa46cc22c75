import type { Engine } from "#engine";
import { parseReference } from "#image";

/** Builds an image of so many steps over busybox; gives the names of those that ran. */
export async function crashedBuild(engine: Engine, steps: number): Promise<readonly string[]> {
  const runs = Array.from({ length: steps }, (_, index) => `RUN echo ${index} > /made-${index}\n`);
  const ran = new Set<string>();
  const builder = await engine.builds.builder();
  await using _built = await builder.build({
    dockerfile: { text: `FROM busybox\n${runs.join("")}`, name: "Dockerfile" },
    tags: steps > 1 ? [parseReference("victim:1")] : [],
    exportsImage: steps > 1,
    report: (event) => {
      if (event.kind !== "vertex" || event.completed === undefined || event.cached) return;
      if (event.name.includes(" RUN ")) ran.add(event.name.replace(/^.* RUN /, ""));
    },
    signal: new AbortController().signal,
  });
  return [...ran];
}
