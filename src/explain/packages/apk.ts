import { defined } from "#base";
import { type FoundPackage, maxDatabase, type PackageFiles } from "./package.ts";

const places = ["lib/apk/db/installed", "usr/lib/apk/db/installed"];

/**
 * The packages that apk installed, from its database (apk-tools, "installed" in apk-package(5) and
 * wiki "Apk spec"): fields of one letter, F a directory, R a file in it.
 */
export function* apkPackages(files: PackageFiles): Generator<FoundPackage, void> {
  for (const place of places) {
    const text = files.read(place, maxDatabase)?.toString("latin1");
    if (text === undefined) continue;
    for (const paragraph of text.split(/\n\n+/)) {
      const found = packageOf(paragraph.split("\n"));
      if (found) yield found;
    }
    // The second place is a link to the first one, or the other way round.
    return;
  }
}

function packageOf(lines: readonly string[]): FoundPackage | undefined {
  const field = (letter: string) => lines.find((line) => line.startsWith(`${letter}:`))?.slice(2);
  const name = field("P");
  if (name === undefined) return undefined;
  const architecture = field("A");
  const size = Number.parseInt(field("I") ?? "", 10);
  return {
    manager: "apk",
    name,
    version: field("V") ?? "",
    ...defined({ architecture }),
    ...(size >= 0 && { installedSize: size }),
    paths: { [Symbol.iterator]: () => pathsOf(lines) },
  };
}

function* pathsOf(lines: readonly string[]): Generator<string, void> {
  let directory = "";
  for (const line of lines) {
    const value = line.slice(2);
    if (line.startsWith("F:")) directory = value;
    else if (line.startsWith("R:")) yield directory === "" ? value : `${directory}/${value}`;
  }
}
