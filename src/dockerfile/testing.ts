import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";

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

/** What `docker buildx build --call` says of a case: here Docker 28.5 with buildx 0.29. */
export interface Answer {
  readonly status: number;
  /** "LINES RULE: DETAIL", in order. */
  readonly warnings: readonly string[];
  readonly error?: string;
  /** The lines of the error. */
  readonly at?: string;
  readonly outline?: Readonly<Record<string, unknown>>;
  readonly targets?: readonly string[];
}

interface Place {
  readonly ranges?: readonly { readonly start: { readonly line?: number } }[];
}

/** What buildx prints for one thing that it lists. */
interface Item {
  readonly location?: Place;
  readonly name?: string;
  readonly value?: string;
  readonly description?: string;
  readonly required?: boolean;
  readonly default?: boolean;
  readonly base?: string;
  readonly platform?: string;
  readonly ruleName?: string;
  readonly detail?: string;
}

/** Asks the docker of the environment, which needs buildx, about each case. */
export async function recordAnswers(
  cases: readonly Case[],
): Promise<Readonly<Record<string, Answer>>> {
  const answers: Record<string, Answer> = {};
  for (const each of cases) {
    const directory = await mkdtemp("/tmp/thimble-case-");
    await Bun.write(join(directory, "Dockerfile"), each.text);
    if (each.ignored !== "") await Bun.write(join(directory, ".dockerignore"), each.ignored);
    answers[each.name] = ask(each, directory);
    await rm(directory, { recursive: true });
  }
  return answers;
}

function ask({ text, args, target }: Case, directory: string): Answer {
  const words = args.map(([name, value]) => `--build-arg=${name}=${value}`);
  if (target !== undefined) words.push(`--target=${target}`);
  const call = (method: string) => {
    const command = [
      "docker",
      "buildx",
      "build",
      "--progress=quiet",
      `--call=${method},format=json`,
    ];
    const { exitCode, stdout } = Bun.spawnSync([...command, ...words, directory]);
    const printed = stdout.toString().trim();
    return { status: exitCode, json: printed === "" ? undefined : JSON.parse(printed) };
  };
  const { status, json } = call("check");
  const { warnings, buildError } = json as {
    readonly warnings: readonly Item[] | null;
    readonly buildError?: { readonly message: string; readonly location: Place };
  };
  const isListed = /\b(?:ARG|AS|ONBUILD)\b|--mount|@target/.test(text) || target !== undefined;
  const outline = isListed ? call("outline").json : undefined;
  const targets = isListed ? call("targets").json : undefined;
  return {
    status,
    warnings: (warnings ?? []).map(
      ({ location, ruleName, detail }) => `${lines(location)} ${ruleName}: ${detail}`,
    ),
    ...(buildError ? { error: buildError.message, at: lines(buildError.location) } : {}),
    ...(outline ? { outline: shownOutline(outline) } : {}),
    ...(targets ? { targets: (targets.targets as Item[]).map(shownTarget) } : {}),
  };
}

function lines({ ranges = [] }: Place = {}): string {
  return ranges.flatMap(({ start }) => start.line ?? []).join(",");
}

function shownOutline(found: {
  readonly name?: string;
  readonly description?: string;
  readonly args?: readonly Item[];
  readonly secrets?: readonly Item[];
  readonly ssh?: readonly Item[];
}): NonNullable<Answer["outline"]> {
  const wants = (items: readonly Item[] = []) =>
    items
      .map(
        ({ location, name, required }) =>
          `${lines(location)} ${name}${required ? " required" : ""}`,
      )
      .toSorted();
  return {
    ...(found.name ? { name: found.name } : {}),
    ...(found.description ? { description: found.description } : {}),
    args: (found.args ?? [])
      .map(({ location, name, value = "", description = "" }) =>
        `${lines(location)} ${name}=${value} ${description}`.trim(),
      )
      .toSorted(),
    secrets: wants(found.secrets),
    ssh: wants(found.ssh),
  };
}

function shownTarget({
  location,
  name = "",
  base = "",
  platform,
  description,
  ...rest
}: Item): string {
  const on = platform === undefined ? "" : ` on ${platform}`;
  const about = description === undefined ? "" : `: ${description}`;
  return `${lines(location)} ${name} from ${base}${on}${rest.default ? " default" : ""}${about}`;
}
