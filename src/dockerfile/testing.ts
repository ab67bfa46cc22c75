/** For tests: Dockerfiles that cover the language, as testdata/cases.txt has them. */

/** A Dockerfile and what a build of it is asked for. */
export interface Case {
  readonly name: string;
  readonly text: string;
  readonly args: readonly (readonly [name: string, value: string])[];
  readonly target?: string;
  /** The .dockerignore; "" for none. */
  readonly ignored: string;
}

/** Each case is headed by "=== NAME"; lines "@target T", "@build-arg A=B" and "@ignore PATTERN" are its request. */
export async function readCases(): Promise<Case[]> {
  const text = await Bun.file(`${import.meta.dir}/testdata/cases.txt`).text();
  return text
    .split(/^=== /m)
    .slice(1)
    .map((part) => {
      const [name = "", ...lines] = part.split("\n");
      const values = (kind: string) =>
        lines
          .filter((line) => line.startsWith(`@${kind} `))
          .map((line) => line.slice(kind.length + 2));
      const [target] = values("target");
      return {
        name,
        text: lines.filter((line) => !/^@(target|build-arg|ignore) /.test(line)).join("\n"),
        args: values("build-arg").map((each) => {
          const [key = "", ...value] = each.split("=");
          return [key, value.join("=")] as const;
        }),
        ...(target === undefined ? {} : { target }),
        ignored: values("ignore").join("\n"),
      };
    });
}
