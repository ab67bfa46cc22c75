import { bool, type Flags, list, text } from "../flag.ts";

/** The flags that say which project is meant; they stand before the verb or behind it. */
export const projectFlags = {
  "all-resources": bool("Include what no service uses"),
  compatibility: bool("Take the model as it is, as --no-normalize does"),
  "env-file": list("File of variables; may be given many times", { complete: "file" }),
  file: list("Compose file; may be given many times, - is the standard input", {
    short: "f",
    shownDefault: "compose.yaml, or the like, here or above",
    complete: "file",
  }),
  profile: list('Profile to activate; "*" is all'),
  "project-directory": text("Directory from which relative paths count", {
    shownDefault: "that of the first compose file",
    complete: "file",
  }),
  "project-name": text("Name of the project", {
    short: "p",
    shownDefault: "that of the directory",
  }),
};

/** A verb's own flags and those of the project, whose letters it takes where it needs them: `logs -f`. */
export function withProject<F extends Flags>(own: F): typeof projectFlags & F {
  const letters = new Set(Object.values(own).map(({ short }) => short));
  const others = Object.entries(projectFlags).map(([name, flag]) => {
    const { short, ...rest } = flag;
    return [name, letters.has(short) ? rest : flag] as const;
  });
  return { ...(Object.fromEntries(others) as typeof projectFlags), ...own };
}
