import { Fault } from "#base";

/** Gives a mode for the one that a file has; both are permission bits with setuid, setgid and sticky. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

/** One step of it: `now` is what the steps before made of the `first` mode. */
type ModeStep = (
  now: number,
  file: { readonly first: number; readonly isDirectory: boolean },
) => number;

const classes = { u: 0o4700, g: 0o2070, o: 0o1007 } as const;
const bits = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 } as const;

/** "0644", or changes as chmod(1) takes them without regard to the umask: "u=rwX,go=rX". */
export function parseModeChange(text: string): ModeChange {
  if (/^[0-7]+$/.test(text)) {
    const mode = Number.parseInt(text, 8) & 0o7777;
    return () => mode;
  }
  const steps = text.split(",").flatMap(parseClause);
  return (first, isDirectory) =>
    steps.reduce((now, step) => step(now, { first, isDirectory }), first);
}

/** The mode of an octal text; undefined for changes. */
export function octalMode(text: string): number | undefined {
  return /^[0-7]+$/.test(text) ? Number.parseInt(text, 8) & 0o7777 : undefined;
}

function parseClause(clause: string): ModeStep[] {
  const [, who = "", rest = ""] = /^([ugoa]*)((?:[-+=][rwxXstugo]*)+)$/.exec(clause) ?? [];
  if (rest === "") {
    throw new Fault("invalid", `${JSON.stringify(clause)} is not a change of a mode`);
  }
  const isAll = who === "" || who.includes("a");
  const mask = (["u", "g", "o"] as const)
    .filter((each) => isAll || who.includes(each))
    .reduce((sum, each) => sum | classes[each], 0);
  return [...rest.matchAll(/([-+=])([rwxXstugo]*)/g)].map(
    ([, operator = "", letters = ""]): ModeStep =>
      (mode, { first, isDirectory }) => {
        // As BuildKit does, and unlike chmod(1): X looks at the mode before all steps.
        const x = isDirectory || (first & 0o111) !== 0 ? bits.x : 0;
        const set = [...letters].reduce(
          (sum, each) => sum | (each === "X" ? x : meaning(each, mode)),
          0,
        );
        if (operator === "+") return mode | (set & mask);
        if (operator === "-") return mode & ~(set & mask);
        return (mode & ~mask) | (set & mask);
      },
  );
}

function meaning(letter: string, mode: number): number {
  if (letter in bits) return bits[letter as keyof typeof bits];
  const shift = letter === "u" ? 6 : letter === "g" ? 3 : 0;
  const copied = (mode >> shift) & 7;
  return (copied << 6) | (copied << 3) | copied;
}
