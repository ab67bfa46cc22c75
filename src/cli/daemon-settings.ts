import { Fault } from "#base";
import { parseUlimit } from "./create-host.ts";
import { csvFields } from "./csv-fields.ts";
import type { Values } from "./flag.ts";
import { keyValues } from "./key-values.ts";
import type { settingFlags } from "./table/daemon.ts";

type SettingFlags = Values<typeof settingFlags>;
type Setting = readonly [key: string, value: (flags: SettingFlags) => unknown];

/** Each flag with its key of the configuration file, and the value that the file would have. */
const settings: Readonly<Record<keyof SettingFlags, Setting>> = {
  bip: ["bip", ({ bip }) => bip],
  "default-address-pool": [
    "default-address-pools",
    (flags) => flags["default-address-pool"].map(parsePool),
  ],
  "default-shm-size": ["default-shm-size", (flags) => flags["default-shm-size"]],
  "default-ulimit": [
    "default-ulimits",
    (flags) =>
      Object.fromEntries(
        flags["default-ulimit"]
          .map((word) => parseUlimit(word, "--default-ulimit"))
          .map((limit) => [limit.Name, limit]),
      ),
  ],
  dns: ["dns", ({ dns }) => dns],
  "dns-opt": ["dns-opts", (flags) => flags["dns-opt"]],
  "dns-search": ["dns-search", (flags) => flags["dns-search"]],
  "exec-root": ["exec-root", (flags) => flags["exec-root"]],
  "fixed-cidr": ["fixed-cidr", (flags) => flags["fixed-cidr"]],
  init: ["init", ({ init }) => init],
  label: ["labels", ({ label }) => label],
  "log-driver": ["log-driver", (flags) => flags["log-driver"]],
  "log-opt": ["log-opts", (flags) => flags["log-opt"]],
  "max-concurrent-downloads": [
    "max-concurrent-downloads",
    (flags) => flags["max-concurrent-downloads"],
  ],
  "max-concurrent-uploads": ["max-concurrent-uploads", (flags) => flags["max-concurrent-uploads"]],
  mtu: ["mtu", ({ mtu }) => mtu],
  "registry-mirror": ["registry-mirrors", (flags) => flags["registry-mirror"]],
  "storage-driver": ["storage-driver", (flags) => flags["storage-driver"]],
  "storage-opt": ["storage-opts", (flags) => flags["storage-opt"]],
};

/** What the flags that were given say, as the configuration file would say it. */
export function daemonSettings(
  flags: SettingFlags,
  given: ReadonlySet<string>,
): Readonly<Record<string, unknown>> {
  return Object.fromEntries(
    Object.entries(settings).flatMap(([flag, [key, value]]) =>
      given.has(flag) ? [[key, value(flags)]] : [],
    ),
  );
}

/** "base=10.200.0.0/16,size=24". */
function parsePool(word: string): { readonly base: string; readonly size: number } {
  const { base, size = "", ...others } = keyValues(csvFields(word));
  if (base !== undefined && /^\d{1,3}$/.test(size) && Object.keys(others).length === 0)
    return { base, size: Number(size) };
  throw new Fault(
    "invalid",
    `invalid argument "${word}" for "--default-address-pool" flag: write base=10.200.0.0/16,size=24`,
  );
}
