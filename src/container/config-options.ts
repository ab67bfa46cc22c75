import { posix } from "node:path";
import { Fault } from "#base";
import { signalNumber } from "#kernel";
import { checkHealthCheck, healthCheckOf, shownHealthCheck } from "./health-check.ts";
import { resolveEnv } from "./image-default.ts";
import { cleanTarget } from "./mount-path.ts";
import { flag, option, type SentOf, shapes, text, textMap, type ValuesOf } from "./option.ts";

const { object } = shapes;

function invalid(message: string, about: string): never {
  throw new Fault("invalid", message, { about });
}

/** The number of a signal given by name or number; `invalid`, in Docker's words, for any other text. */
export function checkSignal(signal: string): number {
  const number = signalNumber(signal);
  if (number === undefined || number === 0) invalid(`invalid signal: ${signal}`, signal);
  return number;
}

/** Cmd and Entrypoint: one string or a list; an empty list differs from an absent one. */
const argv = () =>
  option({
    shape: shapes.argv,
    value: (sent): readonly string[] | undefined => (typeof sent === "string" ? [sent] : sent),
    effect: "engine",
    inspect: (words) => words ?? null,
  });

/** A set of names, as `{"80/tcp": {}}`. */
type NameSet = Readonly<Record<string, object>>;

function nameSet(sent: Readonly<Record<string, unknown>> | undefined): NameSet {
  return Object.fromEntries(Object.keys(sent ?? {}).map((name) => [name, {}]));
}

const isEmpty = (set: object) => Object.keys(set).length === 0;

const defaultPath = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

function checkEnv(variables: readonly string[]): void {
  for (const variable of variables)
    if (variable === "" || variable.startsWith("="))
      invalid(`invalid environment variable: ${variable}`, variable);
}

/**
 * Config of Docker's API, field by field in the order in which inspect shows them: the
 * part of a container for which an image may give defaults (see image-default.ts).
 */
export const configOptions = {
  Hostname: text({
    default: "",
    check: (name) => {
      if (Buffer.byteLength(name) > 64 || /[\p{Cc}\s]/u.test(name))
        invalid(`invalid hostname format: ${name}`, name);
    },
    effect: (draft, _, run) => {
      draft.hostname = run.hostname;
    },
  }),
  Domainname: text({
    default: "",
    check: (name) => {
      if (name.length > 64 || /[\p{Cc}\s]/u.test(name)) {
        invalid(`invalid domain name: ${name}`, name);
      }
    },
    effect: (draft, name) => {
      if (name !== "") draft.domainname = name;
    },
  }),
  /** "name", "uid", "name:group" and so on; the engine looks it up in the container's files. */
  User: text({
    default: "",
    effect: (draft, _, { user }) => {
      draft.user = user;
    },
  }),
  AttachStdin: flag({ default: false, effect: "shown" }),
  AttachStdout: flag({ default: false, effect: "shown" }),
  AttachStderr: flag({ default: false, effect: "shown" }),
  ExposedPorts: option({
    shape: shapes.keySet,
    value: nameSet,
    effect: "engine",
    inspect: (ports) => (isEmpty(ports) ? undefined : ports),
  }),
  Tty: flag({
    default: false,
    effect: (draft, isTerminal) => {
      draft.terminal = isTerminal;
    },
  }),
  OpenStdin: flag({ default: false, effect: "engine" }),
  StdinOnce: flag({ default: false, effect: "engine" }),
  /** Docker's variables, which those of the configuration replace; HOME comes from the user's passwd entry. */
  Env: option({
    shape: shapes.longTexts,
    value: (sent): readonly string[] => sent ?? [],
    check: checkEnv,
    effect: (draft, own, { hostname, user }) => {
      const terminal = draft.terminal ? ["TERM=xterm"] : [];
      const env = resolveEnv([defaultPath, `HOSTNAME=${hostname}`, ...terminal, ...own]);
      const hasHome = env.some((each) => each.startsWith("HOME=") && each !== "HOME=");
      // Where it is empty the user's counts, as in runc.
      draft.env = hasHome ? env : resolveEnv([...env, `HOME=${user.home}`]);
    },
    inspect: (env, sent) => (env.length > 0 ? env : (sent ?? null)),
  }),
  Cmd: argv(),
  Healthcheck: option({
    shape: object({
      Test: shapes.longTexts,
      Interval: shapes.whole,
      Timeout: shapes.whole,
      StartPeriod: shapes.whole,
      StartInterval: shapes.whole,
      Retries: shapes.whole,
    }),
    value: healthCheckOf,
    check: checkHealthCheck,
    effect: "engine",
    inspect: (check, sent) => shownHealthCheck(check) ?? (sent && {}),
  }),
  /** Of Windows' command lines; Linux has no use for it. */
  ArgsEscaped: flag({ default: false, effect: "shown", inspect: (isSet) => isSet || undefined }),
  /** As the user wrote it. */
  Image: text({ default: "", effect: "engine" }),
  /** Targets that have volumes of the container's own, unless something else is mounted there. */
  Volumes: option({
    shape: shapes.keySet,
    value: nameSet,
    effect: "engine",
    inspect: (volumes) => (isEmpty(volumes) ? null : volumes),
  }),
  WorkingDir: option({
    shape: shapes.text,
    value: (sent) => (sent ? cleanTarget(sent) : ""),
    check: (path) => {
      if (path !== "" && !posix.isAbsolute(path))
        invalid(
          `the working directory '${path}' is invalid, it needs to be an absolute path`,
          path,
        );
    },
    effect: (draft, path) => {
      draft.cwd = path;
    },
  }),
  /** Absent: the image's. `[]` or `[""]`: no entry point. */
  Entrypoint: argv(),
  /** As if the network mode were "none"; see `settle` in description.ts. */
  NetworkDisabled: flag({
    default: false,
    effect: "engine",
    inspect: (isDisabled) => isDisabled || undefined,
  }),
  /** Of the container in the network of its mode; from before each endpoint had one. */
  MacAddress: text({ default: "", effect: "engine", inspect: (mac) => mac || undefined }),
  /** Triggers of builds, for an image that is made of the container. */
  OnBuild: option({
    shape: shapes.texts,
    value: (sent): readonly string[] => sent ?? [],
    effect: "shown",
    inspect: (_, sent) => sent ?? null,
  }),
  Labels: textMap({ default: {}, effect: "shown" }),
  StopSignal: option({
    shape: shapes.text,
    value: (sent): string | undefined => sent || undefined,
    check: (signal) => void (signal === undefined || checkSignal(signal)),
    effect: "engine",
  }),
  /** Seconds; -1 waits for ever. */
  StopTimeout: option({
    shape: shapes.whole,
    value: (sent): number | undefined => sent,
    effect: "engine",
  }),
  /** By which scripts of the health check run; absent: /bin/sh -c. */
  Shell: option({
    shape: shapes.texts,
    value: (sent): readonly string[] | undefined => (sent && sent.length > 0 ? sent : undefined),
    effect: "engine",
  }),
} as const;

/** Config with defaults filled in, each field in the form in which the engine works with it. */
export type Config = ValuesOf<typeof configOptions>;

/** Config as a client sends it. */
export type ConfigBody = SentOf<typeof configOptions>;
