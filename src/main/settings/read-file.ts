import { readFileSync, statSync } from "node:fs";
import { Fault, type LogFormat, type LogLevel, suggest } from "#base";
import { isMap } from "./file-key.ts";
import { fileKeys } from "./file-keys.ts";

/** Docker's daemon.json as far as it is put into effect; keys that say what is so in any case are left out. */
export interface DaemonFile {
  readonly "data-root"?: string;
  readonly "exec-root"?: string;
  readonly "run-root"?: string;
  readonly hosts?: readonly string[];
  readonly group?: string;
  readonly tls?: boolean;
  readonly tlsverify?: boolean;
  readonly tlscacert?: string;
  readonly tlscert?: string;
  readonly tlskey?: string;
  readonly debug?: boolean;
  readonly "log-level"?: LogLevel;
  readonly "log-format"?: LogFormat;
  readonly "log-driver"?: string;
  readonly "log-opts"?: Readonly<Record<string, string>>;
  readonly labels?: readonly string[];
  readonly "metrics-addr"?: string;
  readonly "layer-compression"?: string;
  readonly "registry-mirrors"?: readonly string[];
  readonly "insecure-registries"?: readonly string[];
  readonly "authorization-plugins"?: readonly string[];
  readonly "max-concurrent-downloads"?: number;
  readonly "max-concurrent-uploads"?: number;
  readonly "default-ulimits"?: Readonly<
    Record<string, { readonly Soft: number; readonly Hard: number }>
  >;
  readonly "default-shm-size"?: string | number;
  readonly init?: boolean;
  readonly dns?: readonly string[];
  readonly "dns-opts"?: readonly string[];
  readonly "dns-search"?: readonly string[];
  readonly bip?: string;
  readonly "fixed-cidr"?: string;
  readonly "default-gateway"?: string;
  readonly ipv6?: boolean;
  readonly bip6?: string;
  readonly "fixed-cidr-v6"?: string;
  readonly "default-gateway-v6"?: string;
  readonly mtu?: number;
  readonly "default-address-pools"?: readonly { readonly base: string; readonly size: number }[];
}

const maxBytes = 1 << 20;

/**
 * The configuration file; nothing when it is missing and `isNamed` is false. One `invalid` fault
 * tells all that is wrong with it: keys that no engine knows, with the likeliest one meant, values
 * of another form, and what Docker has and thimble has not.
 */
export function readDaemonFile(
  path: string,
  { isNamed }: { readonly isNamed: boolean },
): DaemonFile {
  const text = readText(path, isNamed);
  if (text === undefined || text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw fault(
      path,
      `it is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      cause,
    );
  }
  if (!isMap(value)) throw fault(path, "it is not a JSON object");
  const wrong = wrongKeys(value);
  if (wrong.length > 0) throw fault(path, wrong.join("; "));
  return value as DaemonFile;
}

/** Settings that flags give, judged as those of the file are. */
export function checkedSettings(given: Readonly<Record<string, unknown>>): DaemonFile {
  const wrong = wrongKeys(given);
  if (wrong.length > 0) throw new Fault("invalid", `a flag cannot be used: ${wrong.join("; ")}`);
  return given;
}

function wrongKeys(value: Readonly<Record<string, unknown>>): string[] {
  return Object.entries(value).flatMap(([key, each]) => judge(key, each) ?? []);
}

function judge(key: string, value: unknown): string | undefined {
  const check = Object.hasOwn(fileKeys, key) ? fileKeys[key] : undefined;
  if (check) {
    const why = check(value);
    return why && `${key} ${JSON.stringify(value)}: ${why}`;
  }
  const meant = suggest(key, Object.keys(fileKeys));
  return `the following directives don't match any configuration option: ${key}${meant ? ` (did you mean ${meant}?)` : ""}`;
}

function readText(path: string, isNamed: boolean): string | undefined {
  try {
    if (statSync(path).size > maxBytes) throw fault(path, `it has more than ${maxBytes} bytes`);
    return readFileSync(path, "utf8");
  } catch (cause) {
    if (cause instanceof Fault) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    if (code === "ENOENT" && !isNamed) return undefined;
    throw fault(path, code === "ENOENT" ? "there is no such file" : message, cause);
  }
}

function fault(path: string, why: string, cause?: unknown): Fault {
  return new Fault("invalid", `the configuration file ${path} cannot be used: ${why}`, {
    about: path,
    cause,
  });
}
