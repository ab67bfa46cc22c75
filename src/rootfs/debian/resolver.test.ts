import { describe, expect, test } from "bun:test";
import { inRuns, inUnpackOrder } from "./order.ts";
import { PackageIndex } from "./package-index.ts";
import { findPackages, resolve } from "./resolver.ts";
import { planInstallation } from "./selection.ts";

/** "name version; Field: value; ..." for each package. */
function indexOf(...packages: string[]): PackageIndex {
  const index = new PackageIndex("amd64");
  index.add(stanzas(packages), 0);
  return index;
}

function stanzas(packages: readonly string[], architecture = "amd64"): string {
  return packages
    .map((text) => {
      const [head = "", ...fields] = text.split(";").map((part) => part.trim());
      const [name, version = "1"] = head.split(" ");
      return `Package: ${name}\nVersion: ${version}\nArchitecture: ${architecture}\n${fields
        .map((field) => `${field}\n`)
        .join("")}Filename: pool/${name}.deb\nSize: 1\nSHA256: ${"0".repeat(64)}\n\n`;
    })
    .join("");
}

const choose = (index: PackageIndex, ...names: string[]) =>
  resolve(index, findPackages(index, names))
    .map(({ name, version }) => `${name} ${version}`)
    .sort();

describe("PackageIndex", () => {
  test("the newest version is the candidate, the earlier repository's among equals", () => {
    const index = indexOf("a 1", "b 1");
    index.add(stanzas(["a 2~rc1", "b 1"]), 1);
    expect(index.candidate("a")).toMatchObject({ version: "2~rc1", repository: 1 });
    expect(index.candidate("b")).toMatchObject({ repository: 0 });
    expect(index.candidate("c")).toBeUndefined();
  });

  test("packages of other architectures do not count", () => {
    const index = indexOf("a 1");
    index.add(stanzas(["a 9"], "arm64"), 0);
    index.add(stanzas(["b 1"], "all"), 0);
    expect(index.candidate("a")?.version).toBe("1");
    expect(index.candidate("b")?.version).toBe("1");
  });

  test("an entry whose file lies outside of the mirror is refused when it is needed", () => {
    const index = new PackageIndex("amd64");
    index.add("Package: a\nVersion: 1\nArchitecture: amd64\nFilename: ../a\nSize: 1\n\n", 0);
    expect(() => index.candidate("a")).toThrow("no usable Filename");
  });

  test("folded fields and a file without a last newline", () => {
    const index = new PackageIndex("amd64");
    index.add(stanzas(["a 1; Depends: b,\n c"]).trimEnd(), 0);
    expect(index.candidate("a")?.depends).toEqual([[{ name: "b" }], [{ name: "c" }]]);
  });
});

describe("resolve", () => {
  test("dependencies and pre-dependencies, of dependencies too", () => {
    const index = indexOf("a; Depends: b; Pre-Depends: c", "b; Depends: d", "c", "d", "e");
    expect(choose(index, "a")).toEqual(["a 1", "b 1", "c 1", "d 1"]);
  });

  test("the first alternative, unless another is there anyway", () => {
    const index = indexOf("a; Depends: b | c", "b", "c", "x; Depends: c");
    expect(choose(index, "a")).toEqual(["a 1", "b 1"]);
    expect(choose(index, "a", "x")).toEqual(["a 1", "c 1", "x 1"]);
    expect(choose(index, "x", "a")).toEqual(["a 1", "c 1", "x 1"]);
  });

  test("the next alternative when the first is too old, missing or leads nowhere", () => {
    expect(choose(indexOf("a; Depends: b (>= 2) | c", "b 1", "c"), "a")).toEqual(["a 1", "c 1"]);
    expect(choose(indexOf("a; Depends: nothing | c", "c"), "a")).toEqual(["a 1", "c 1"]);
    const dead = indexOf("a; Depends: b | c", "b; Depends: nothing", "c");
    expect(choose(dead, "a")).toEqual(["a 1", "c 1"]);
  });

  test("a choice is taken back when it turns out wrong later", () => {
    const index = indexOf(
      "a; Depends: b | c, d | e",
      "b",
      "c",
      "d; Conflicts: b",
      "e; Conflicts: b",
    );
    expect(choose(index, "a")).toEqual(["a 1", "c 1", "d 1"]);
  });

  test("virtual packages: the more important provider first, versions only if provided", () => {
    const index = indexOf(
      "a; Depends: v",
      "p; Provides: v; Priority: optional",
      "q; Provides: v (= 3); Priority: important",
      "b; Depends: v (>= 2)",
      "c; Depends: v (>= 4)",
    );
    expect(choose(index, "a")).toEqual(["a 1", "q 1"]);
    expect(choose(index, "b")).toEqual(["b 1", "q 1"]);
    expect(() => choose(index, "c")).toThrow("c depends on v (>= 4)");
  });

  test(":any asks for a package that allows it", () => {
    const index = indexOf(
      "a; Depends: python:any",
      "python; Multi-Arch: allowed",
      "b; Depends: sh:any",
      "sh",
    );
    expect(choose(index, "a")).toEqual(["a 1", "python 1"]);
    expect(() => choose(index, "b")).toThrow("b depends on sh:any");
  });

  test("conflicts and breaks, by name, version and provision", () => {
    const clash = "a 1 conflicts with b 1";
    expect(() => choose(indexOf("a; Conflicts: b", "b"), "a", "b")).toThrow(clash);
    expect(() => choose(indexOf("a; Breaks: b (<< 2)", "b 1"), "b", "a")).toThrow(clash);
    expect(choose(indexOf("a; Breaks: b (<< 2)", "b 2"), "b", "a")).toEqual(["a 1", "b 2"]);
    expect(choose(indexOf("a; Provides: mta; Conflicts: mta"), "a")).toEqual(["a 1"]);
    expect(() => choose(indexOf("a; Conflicts: mta", "b; Provides: mta"), "a", "b")).toThrow(
      "a 1 conflicts with b 1 (which provides mta)",
    );
  });

  test("the chain to a package that cannot be had", () => {
    const index = indexOf("a; Depends: b", "b; Depends: c", "c; Depends: d (>= 2)", "d 1");
    expect(() => choose(index, "a")).toThrow(
      "a → b → c depends on d (>= 2), but d (>= 2) is wanted and the suite has 1",
    );
  });

  test("a circle of dependencies ends", () => {
    expect(choose(indexOf("a; Depends: b", "b; Depends: a"), "a")).toEqual(["a 1", "b 1"]);
  });

  test("an installed package is not chosen again", () => {
    const index = indexOf("a; Depends: b", "b; Depends: c", "c");
    const installed = findPackages(index, ["b", "c"]);
    const chosen = resolve(index, findPackages(index, ["a", "b"]), installed);
    expect(chosen.map(({ name }) => name)).toEqual(["a"]);
  });

  test("a search without end is given up", () => {
    const pairs = Array.from({ length: 15 }, (_, i) => i);
    const index = indexOf(
      `a; Depends: ${pairs.map((i) => `x${i} | y${i}`).join(", ")}, z1 | z2`,
      ...pairs.flatMap((i) => [`x${i}`, `y${i}`]),
      "z1; Conflicts: a",
      "z2; Conflicts: a",
    );
    expect(() => choose(index, "a")).toThrow("cannot be installed together");
  });
});

describe("findPackages", () => {
  test("the only provider stands in for a virtual name", () => {
    const index = indexOf("real; Provides: virtual");
    expect(findPackages(index, ["virtual"]).map(({ name }) => name)).toEqual(["real"]);
  });

  test("several are named, a misspelling is corrected", () => {
    const index = indexOf("p; Provides: v", "q; Provides: v", "nginx");
    expect(() => findPackages(index, ["v"])).toThrow("name one of those that provide it: p, q");
    expect(() => findPackages(index, ["ngin"])).toThrow("did you mean nginx?");
  });
});

describe("the order of unpacking", () => {
  const order = (...packages: string[]) => {
    const index = indexOf(...packages);
    const names = packages.map((text) => text.split(/[ ;]/)[0] ?? "");
    return inUnpackOrder(findPackages(index, names));
  };

  test("base-passwd and base-files lead, dependencies come before the packages that need them", () => {
    const ordered = order("a; Depends: z", "base-files", "base-passwd; Depends: z", "z");
    expect(ordered.map(({ name }) => name)).toEqual(["base-passwd", "base-files", "z", "a"]);
  });

  test("a pre-dependency ends a run", () => {
    const runs = inRuns(order("a; Pre-Depends: b", "b; Depends: c", "c", "d; Pre-Depends: a"));
    expect(runs.map((run) => run.map(({ name }) => name))).toEqual([["c", "b"], ["a"], ["d"]]);
  });
});

describe("planInstallation", () => {
  const suite = () =>
    indexOf(
      "dpkg; Essential: yes; Depends: libc6",
      "libc6",
      "apt; Depends: libapt",
      "libapt",
      "passwd; Priority: required",
      "nano; Priority: important",
      "build-essential; Depends: gcc",
      "gcc",
      "hello",
    );
  const names = (variant: "minbase" | "buildd" | "-", include: string[] = []) => {
    const plan = planInstallation(suite(), { variant, include });
    const rest = plan.rest.flat().map(({ name }) => name);
    return { rest: rest.sort(), automatic: [...plan.automatic].sort() };
  };

  test("the variants", () => {
    expect(names("minbase").rest).toEqual(["apt", "libapt", "passwd"]);
    expect(names("-").rest).toEqual(["apt", "libapt", "nano", "passwd"]);
    expect(names("buildd").rest).toEqual(["apt", "build-essential", "gcc", "libapt", "passwd"]);
  });

  test("an included package was asked for, its dependencies came along", () => {
    expect(names("minbase", ["hello", "build-essential"]).automatic).toEqual(["gcc", "libapt"]);
  });

  test("a repository without an essential set", () => {
    expect(() => planInstallation(indexOf("a"), { variant: "minbase", include: [] })).toThrow(
      "no Essential package",
    );
  });

  test("a merged /usr is not merged once more", () => {
    const names = (...packages: string[]) =>
      planInstallation(indexOf("apt", ...packages), { variant: "minbase", include: [] })
        .essential.map(({ name }) => name)
        .toSorted();
    const helpers = "helpers; Essential: yes; Depends: usrmerge | usr-is-merged";
    const usrmerge = "usrmerge; Depends: perl";
    expect(names(helpers, usrmerge, "perl", "usr-is-merged")).toEqual(["helpers", "usr-is-merged"]);
    expect(names(helpers, usrmerge, "perl")).toEqual(["helpers", "perl", "usrmerge"]);
    expect(names("dpkg; Essential: yes", "usr-is-merged")).toEqual(["dpkg"]);
  });
});
