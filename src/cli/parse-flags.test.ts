import { describe, expect, test } from "bun:test";
import { bool, commaList, cpus, duration, filter, int, list, map, size, text } from "./flag.ts";
import { FlagError, parseFlags } from "./parse-flags.ts";

const definition = {
  all: bool("", { short: "a" }),
  attach: list(""),
  cpus: cpus(""),
  detach: bool("", { short: "d" }),
  env: list("", { short: "e" }),
  filter: filter(),
  include: commaList(""),
  interactive: bool("", { short: "i" }),
  memory: size("", { short: "m" }),
  name: text(""),
  network: list("", { aliases: ["net"] }),
  "no-trunc": bool(""),
  proxy: bool("", { initial: true }),
  sysctl: map(""),
  time: duration(""),
  timeout: int("", { short: "t", min: -1, max: 100 }),
};

function parse(line: string, interspersed = true) {
  const words = line === "" ? [] : line.split(" ").map((word) => word.replaceAll("_", " "));
  return parseFlags(definition, words, { interspersed });
}

describe("what pflag accepts", () => {
  const cases: [line: string, flags: Record<string, unknown>, args: string[]][] = [
    ["", {}, []],
    ["--all x", { all: true }, ["x"]],
    ["-a x", { all: true }, ["x"]],
    ["--all=false x", { all: false }, ["x"]],
    ["-a=false", { all: false }, []],
    ["--proxy=0", { proxy: false }, []],
    ["--name x y", { name: "x" }, ["y"]],
    ["--name=x y", { name: "x" }, ["y"]],
    ["--name= y", { name: "" }, ["y"]],
    ["--name=a=b", { name: "a=b" }, []],
    ["--name --all", { name: "--all" }, []],
    ["-ia", { interactive: true, all: true }, []],
    ["-iam 5m", { interactive: true, all: true, memory: 5 << 20 }, []],
    ["-iam5m", { interactive: true, all: true, memory: 5 << 20 }, []],
    ["-m=5m", { memory: 5 << 20 }, []],
    ["-e A=1 -eB=2 -e=C=3", { env: ["A=1", "B=2", "C=3"] }, []],
    ["--net x --network y", { network: ["x", "y"] }, []],
    ["x --all y", { all: true }, ["x", "y"]],
    ["--all -- --name x", { all: true }, ["--name", "x"]],
    ["- x", {}, ["-", "x"]],
    ["--include a,b --include c,,d", { include: ["a", "b", "c", "d"] }, []],
    ["--sysctl a=1 --sysctl b=2=3", { sysctl: { a: "1", b: "2=3" } }, []],
    ["-f a=1 -f a=2 -f B=x", { filter: { a: ["1", "2"], b: ["x"] } }, []],
    ["--cpus .5", { cpus: 500_000_000 }, []],
    ["--time 1m30.5s", { time: 90.5e9 }, []],
    ["-t -1", { timeout: -1 }, []],
    ["--no-trunc", { "no-trunc": true }, []],
  ];
  test.each(cases)("%s", (line, flags, args) => {
    const parsed = parse(line);
    expect(parsed.flags).toMatchObject(flags);
    expect(parsed.args).toEqual(args);
  });

  test("without interspersed flags the first argument ends them", () => {
    const parsed = parse("-a IMAGE -d --name x --", false);
    expect(parsed.flags.detach).toBe(false);
    expect(parsed.args).toEqual(["IMAGE", "-d", "--name", "x", "--"]);
    expect(parse("-a -- IMAGE -d", false).args).toEqual(["IMAGE", "-d"]);
  });

  test("knows what was written out", () => {
    expect(parse("--all=false -ia").given).toEqual(new Set(["all", "interactive"] as const));
  });

  test("help ends it all, wherever it stands", () => {
    expect(parse("--all --help --nonsense").help).toBe(true);
    expect(parse("-h").help).toBe(true);
    expect(parse("--name --help").help).toBe(false);
  });
});

describe("what it does not, in docker's words", () => {
  test.each([
    ["--foo", "unknown flag: --foo"],
    ["-z", "unknown shorthand flag: 'z' in -z"],
    ["-az x", "unknown shorthand flag: 'z' in -z"],
    ["--name", "flag needs an argument: --name"],
    ["-e", "flag needs an argument: 'e' in -e"],
    ["-ae", "flag needs an argument: 'e' in -e"],
    ["---x", "bad flag syntax: ---x"],
    ["--=x", "bad flag syntax: --=x"],
    ["-m abc", 'invalid argument "abc" for "-m, --memory" flag: invalid size: \'abc\''],
    [
      "--all=maybe",
      'invalid argument "maybe" for "-a, --all" flag: "maybe" is neither true nor false',
    ],
    ["--cpus 1e3", 'invalid argument "1e3" for "--cpus" flag: "1e3" is not a number of CPUs'],
    ["--cpus 0.1234567891", "value is too precise"],
    ["-t 101", "101 is not between -1 and 100"],
    ["-t 1.5", '"1.5" is not a whole number'],
    ["--time 5", '"5" is not a duration'],
    ["--sysctl a", '"a" is not of the form KEY=VALUE'],
    ["-f bad", "bad format of filter (expected name=value)"],
  ])("%s", (line, message) => {
    expect(() => parse(line)).toThrow(message);
  });

  test.each([
    ["--nam x", "--name"],
    ["--detatch", "--detach"],
    ["-name x", "--name"],
    ["--xyzzy", undefined],
  ])("%s may have been meant as %s", (line, meant) => {
    try {
      parse(line);
      expect.unreachable();
    } catch (error) {
      expect(error).toBeInstanceOf(FlagError);
      expect((error as FlagError).meant).toBe(meant);
    }
  });
});

test("flags are told in their long form too, in their order", () => {
  const flags = { file: list("", { short: "f" }), quiet: bool("", { short: "q" }) };
  const { long } = parseFlags(flags, ["-qfa", "--file", "b"], { interspersed: true });
  expect(long).toEqual(["--quiet=true", "--file=a", "--file=b"]);
});
