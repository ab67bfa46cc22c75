import type { BuildEvent, Engine } from "#engine";
import { parseReference } from "#image";

/** Builds an image of so many steps over busybox; gives the names of those that ran. */
export async function crashedBuild(engine: Engine, steps: number): Promise<readonly string[]> {
  const runs = Array.from({ length: steps }, (_, index) => `RUN echo ${index} > /made-${index}\n`);
  const ran = new Set<string>();
  const builder = await engine.builds.builder();
  const { signal } = new AbortController();
  const report = (event: BuildEvent) => {
    if (event.kind !== "vertex" || event.completed === undefined || event.cached) return;
    if (event.name.includes(" RUN ")) ran.add(event.name.replace(/^.* RUN /, ""));
  };
  await using built = await builder.build({
    dockerfile: { text: `FROM busybox\n${runs.join("")}`, name: "Dockerfile" },
    ...{ report, signal },
  });
  const tags = [parseReference("victim:1")];
  if (steps > 1) await builder.keep(built, { tags, annotations: [], report, signal });
  return [...ran];
}

/** Fails at a step above the first one of `crashedBuild`, of which somebody is to look at the files. */
export async function failedBuild(engine: Engine): Promise<void> {
  const builder = await engine.builds.builder();
  await using _built = await builder.build({
    dockerfile: {
      text: "FROM busybox\nRUN echo 0 > /made-0\nRUN touch /left; false\n",
      name: "Dockerfile",
    },
    report: () => undefined,
    enter: async () => undefined,
    signal: new AbortController().signal,
  });
}
