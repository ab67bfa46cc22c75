import { DockerfileFault, quote } from "./fault.ts";
import { type FlagValues, parseFlags, proposing } from "./flags.ts";
import { parseHealthcheck } from "./healthcheck.ts";
import { heredocText, parseHeredocWord } from "./heredoc.ts";
import type { Argument, CommandLine, Instruction, Kind, Stage, Written } from "./instruction.ts";
import { checkMountSource } from "./mount.ts";
import { trim } from "./space.ts";
import type { Pair, Statement } from "./statement.ts";

type Parsers = {
  readonly [K in Kind]: (
    statement: Statement,
    isLabs: boolean,
  ) => Omit<Instruction<K>, "kind" | keyof Written>;
};

const parsers: Parsers = {
  add: parseAdd,
  arg: parseArg,
  cmd: (statement) => parseCommand(statement),
  copy: parseCopy,
  entrypoint: (statement) => parseCommand(statement),
  env: (statement) => ({ pairs: parsePairs(statement) }),
  expose: (statement) => ({ ports: someWords(statement).toSorted() }),
  healthcheck: parseHealthcheck,
  label: (statement) => ({ pairs: parsePairs(statement) }),
  maintainer: (statement) => ({ maintainer: oneWord(statement) }),
  onbuild: parseOnbuild,
  run: parseRun,
  shell: parseShell,
  // BuildKit leaves flags of ARG and STOPSIGNAL unread.
  stopsignal: (statement) => ({ signal: oneWord({ ...statement, flags: [] }) }),
  user: (statement) => ({ user: oneWord(statement) }),
  volume: parseVolume,
  workdir: (statement) => ({ path: oneWord(statement) }),
};

const keywords = ["from", ...Object.keys(parsers)].map((name) => name.toUpperCase());

/** Applies an instruction's own rules. `invalid` in BuildKit's words, without lines. */
export function parseInstruction(statement: Statement, isLabs: boolean): Instruction {
  const kind = statement.keyword.toLowerCase();
  if (!isKind(kind)) throw unknownInstruction(statement.keyword);
  // The table pairs each kind with the parser of its form.
  return { ...written(statement), ...parsers[kind](statement, isLabs), kind } as Instruction;
}

function isKind(word: string): word is Kind {
  return Object.hasOwn(parsers, word);
}

function unknownInstruction(keyword: string): DockerfileFault {
  const isLower = keyword === keyword.toLowerCase();
  const known = isLower ? keywords.map((each) => each.toLowerCase()) : keywords;
  const word = isLower ? keyword : keyword.toUpperCase();
  return new DockerfileFault(proposing(`unknown instruction: ${keyword}`, word, known));
}

/** FROM, as a stage without instructions yet. */
export function parseFrom(statement: Statement): Omit<Stage, "instructions"> {
  const words = wordsOf(statement);
  const [base = "", as, written_] = words;
  let name: string | undefined;
  if (words.length === 3 && as?.toLowerCase() === "as" && written_ !== undefined) {
    name = written_.toLowerCase();
    if (!/^[a-z][a-z0-9-_.]*$/.test(name)) {
      throw new DockerfileFault(
        `invalid name for build stage: ${quote(written_)}, name can't start with a number or contain symbols`,
      );
    }
  } else if (words.length !== 1) {
    throw new DockerfileFault("FROM requires either one or three arguments");
  }
  const { platform } = parseFlags(statement.flags, { platform: "text" });
  const description = describe(statement.comments, name);
  return {
    ...written(statement),
    ...(name === undefined ? {} : { name }),
    base,
    ...(platform === undefined || platform === "" ? {} : { platform }),
    ...(description === undefined ? {} : { description }),
  };
}

function written({ keyword, source, range, comments }: Statement): Written {
  return { keyword, source, range, comments };
}

/** What a comment "# name text" above a definition says of it. */
function describe(comments: readonly string[], name: string | undefined): string | undefined {
  const comment =
    name === undefined ? undefined : comments.find((each) => each.startsWith(`${name} `));
  return comment?.slice((name ?? "").length + 1);
}

function wordsOf({ arguments: given }: Statement): readonly string[] {
  return given.form === "pairs" || given.form === "trigger" ? [] : given.words;
}

function someWords(statement: Statement): readonly string[] {
  const words = wordsOf(statement);
  if (words.length === 0) throw atLeastOne(statement);
  parseFlags(statement.flags, {});
  return words;
}

function oneWord(statement: Statement): string {
  const [word, ...more] = wordsOf(statement);
  if (word === undefined || more.length > 0) {
    throw new DockerfileFault(`${statement.keyword.toUpperCase()} requires exactly one argument`);
  }
  parseFlags(statement.flags, {});
  return word;
}

function atLeastOne({ keyword }: Statement): DockerfileFault {
  return new DockerfileFault(`${keyword.toUpperCase()} requires at least one argument`);
}

function parsePairs(statement: Statement): readonly Pair[] {
  parseFlags(statement.flags, {});
  const { arguments: given, keyword } = statement;
  if (given.form !== "pairs") throw atLeastOne(statement);
  if (given.pairs.some(({ name }) => name === "")) throw blankName(keyword);
  return given.pairs;
}

function blankName(keyword: string): DockerfileFault {
  return new DockerfileFault(`${keyword.toUpperCase()} names can not be blank`);
}

function parseArg(statement: Statement): { declared: readonly Argument[] } {
  const declared = someWords({ ...statement, flags: [] }).map((word) => {
    const equals = word.indexOf("=");
    if (equals === 0) throw blankName("ARG");
    const name = equals < 0 ? word : word.slice(0, equals);
    const description = describe(statement.comments, name);
    return {
      name,
      ...(equals < 0 ? {} : { value: word.slice(equals + 1) }),
      ...(description === undefined ? {} : { description }),
    };
  });
  return { declared };
}

function parseAdd(statement: Statement) {
  const words = transferWords(statement);
  const flags = parseFlags(statement.flags, {
    chown: "text",
    chmod: "text",
    link: "switch",
    "keep-git-dir": "switch",
    checksum: "text",
    unpack: "switch",
    exclude: "list",
  });
  const keepGitDirectory = flags["keep-git-dir"];
  return {
    ...parseTransfer(statement, words, flags),
    ...(keepGitDirectory === undefined ? {} : { keepGitDirectory }),
    checksum: flags.checksum ?? "",
    ...(flags.unpack === undefined ? {} : { unpack: flags.unpack }),
  };
}

function parseCopy(statement: Statement) {
  const words = transferWords(statement);
  const flags = parseFlags(statement.flags, {
    chown: "text",
    from: "text",
    chmod: "text",
    link: "switch",
    parents: "switch",
    exclude: "list",
  });
  return {
    ...parseTransfer(statement, words, flags),
    ...(flags.from ? { from: flags.from } : {}),
    parents: flags.parents ?? false,
  };
}

function transferWords(statement: Statement): readonly string[] {
  const words = wordsOf(statement);
  if (words.length >= 2) return words;
  throw new DockerfileFault(
    `${statement.keyword.toUpperCase()} requires at least two arguments, but only one was provided. Destination could not be determined`,
  );
}

interface TransferFlags {
  readonly chown?: string;
  readonly chmod?: string;
  readonly link?: boolean;
  readonly exclude?: readonly string[];
}

function parseTransfer(statement: Statement, words: readonly string[], flags: TransferFlags) {
  const destination = words.at(-1) ?? "";
  if (parseHeredocWord(destination)) {
    throw new DockerfileFault(
      `${statement.keyword.toUpperCase()} cannot accept a heredoc as a destination`,
    );
  }
  const byName = new Map(statement.heredocs.map((each) => [each.name, each]));
  const written = words.slice(0, -1).map((word) => ({ word, heredoc: parseHeredocWord(word) }));
  return {
    sources: written.flatMap(({ word, heredoc }) => (heredoc ? [] : [word])),
    documents: written.flatMap(({ heredoc }) => {
      const document = heredoc && byName.get(heredoc.name);
      return document ? [{ ...document, content: heredocText(document), isChomped: false }] : [];
    }),
    destination,
    chown: flags.chown ?? "",
    chmod: flags.chmod ?? "",
    link: flags.link ?? false,
    exclude: flags.exclude ?? [],
  };
}

function parseCommand(statement: Statement): CommandLine {
  parseFlags(statement.flags, {});
  return commandLine(statement);
}

function commandLine(statement: Statement): CommandLine {
  return { words: wordsOf(statement), isJson: statement.arguments.form === "json" };
}

function parseRun(statement: Statement, isLabs: boolean) {
  const stable = { mount: "list", network: "text", device: "list" } as const;
  const labs = { ...stable, security: "text" } as const;
  const flags: FlagValues<typeof labs> = parseFlags(statement.flags, isLabs ? labs : stable);
  const mounts = flags.mount ?? [];
  for (const mount of mounts) checkMountSource(mount);
  return {
    ...commandLine(statement),
    heredocs: statement.heredocs,
    mounts,
    network: oneOf(["default", "none", "host"], flags.network, "network mode"),
    security: oneOf(["sandbox", "insecure"], flags.security, "security mode"),
    devices: flags.device ?? [],
  };
}

/** The first word is the default. */
function oneOf<T extends string>(
  words: readonly [T, ...T[]],
  given: string | undefined,
  what: string,
): T {
  if (given === undefined || given === "") return words[0];
  const found = words.find((word) => word === given);
  if (found !== undefined) return found;
  throw new DockerfileFault(`invalid ${what} ${quote(given)}`);
}

function parseShell(statement: Statement): { shell: readonly string[] } {
  parseFlags(statement.flags, {});
  const shell = wordsOf(statement);
  if (shell.length === 0) throw atLeastOne(statement);
  if (statement.arguments.form === "json") return { shell };
  throw new DockerfileFault("SHELL requires the arguments to be in JSON form");
}

function parseVolume(statement: Statement): { volumes: readonly string[] } {
  const volumes = someWords(statement).map(trim);
  if (volumes.includes("")) {
    throw new DockerfileFault("VOLUME specified can not be an empty string");
  }
  return { volumes };
}

function parseOnbuild(statement: Statement): { trigger: string } {
  const { arguments: given } = statement;
  if (given.form !== "trigger") throw atLeastOne(statement);
  parseFlags(statement.flags, {});
  const keyword = given.statement.keyword.toUpperCase();
  if (keyword === "ONBUILD") {
    throw new DockerfileFault("Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
  }
  if (keyword === "MAINTAINER" || keyword === "FROM") {
    throw new DockerfileFault(`${keyword} isn't allowed as an ONBUILD trigger`);
  }
  const documents = statement.heredocs.map(({ content, name }) => `\n${content}${name}`);
  return { trigger: given.statement.source + documents.join("") };
}
