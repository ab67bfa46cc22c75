import { exposedPorts, type Healthcheck, type Instruction } from "#dockerfile";
import type { HealthConfig } from "#image";
import type { ImageDraft } from "./planned-image.ts";
import { healthText, quotedList } from "./step-text.ts";

/** The instructions that change an image's configuration alone, without ARG. */
export type Setting = Exclude<
  Instruction,
  { readonly kind: "run" | "add" | "copy" | "workdir" | "arg" }
>;

/** The shell of RUN, CMD and ENTRYPOINT where SHELL names no other. */
export const defaultShell = ["/bin/sh", "-c"] as const;

interface SettingScope {
  readonly shell: readonly string[];
  /** Whether CMD came before in the same stage. */
  readonly hasCommand: boolean;
}

/** Changes the configuration, and tells of it in the history in BuildKit's words. */
export function configure(draft: ImageDraft, setting: Setting, scope: SettingScope): void {
  const text = textOf(setting, change(draft, setting, scope));
  if (text !== undefined) draft.record(text);
}

/** Gives the words of the history that the change alone knows. */
function change(draft: ImageDraft, setting: Setting, scope: SettingScope): readonly string[] {
  const { config } = draft;
  switch (setting.kind) {
    case "env":
      for (const { name, value } of setting.pairs) draft.setVariable(name, value);
      return [];
    case "label":
      config.Labels = { ...config.Labels };
      for (const { name, value } of setting.pairs) {
        config.Labels = { ...config.Labels, [name]: value };
      }
      return [];
    // A configuration has no empty ones, as BuildKit's.
    case "cmd": {
      const words = commandLine(setting, scope);
      if (words.length > 0) config.Cmd = words;
      else delete config.Cmd;
      config.ArgsEscaped = true;
      return words;
    }
    case "entrypoint": {
      const words = commandLine(setting, scope);
      if (words.length > 0) config.Entrypoint = words;
      else delete config.Entrypoint;
      if (!scope.hasCommand) delete config.Cmd;
      return words;
    }
    case "healthcheck":
      config.Healthcheck = healthConfig(setting);
      return [];
    case "maintainer":
      draft.author = setting.maintainer;
      return [];
    case "expose": {
      const ports = setting.ports.flatMap((port) => exposedPorts(port));
      config.ExposedPorts = { ...config.ExposedPorts, ...emptyObjects(ports) };
      return ports;
    }
    case "user":
      config.User = setting.user;
      return [];
    case "volume":
      config.Volumes = { ...config.Volumes, ...emptyObjects(setting.volumes) };
      return [];
    case "stopsignal":
      config.StopSignal = setting.signal;
      return [];
    case "shell":
      config.Shell = setting.shell;
      return [];
    case "onbuild":
      config.OnBuild = [...(config.OnBuild ?? []), setting.trigger];
      return [];
  }
}

function textOf(setting: Setting, words: readonly string[]): string | undefined {
  const keyword = setting.kind.toUpperCase();
  switch (setting.kind) {
    case "env":
    case "label":
      return [keyword, ...setting.pairs.map(({ name, value }) => `${name}=${value}`)].join(" ");
    case "cmd":
    case "entrypoint":
      return `${keyword} ${quotedList(words)}`;
    case "healthcheck":
      return `${keyword} ${healthText(setting)}`;
    case "maintainer":
      return `${keyword} ${setting.maintainer}`;
    case "expose":
      return `${keyword} [${words.join(" ")}]`;
    case "user":
      return `${keyword} ${setting.user}`;
    case "volume":
      return `${keyword} [${setting.volumes.join(" ")}]`;
    case "stopsignal":
      return `${keyword} ${setting.signal}`;
    case "shell":
      return `${keyword} [${setting.shell.join(" ")}]`;
    case "onbuild":
      return undefined;
  }
}

function commandLine(
  { words, isJson }: Pick<Instruction<"cmd">, "words" | "isJson">,
  { shell }: SettingScope,
): readonly string[] {
  return isJson ? words : [...shell, words.join(" ")];
}

function emptyObjects(names: readonly string[]): Record<string, object> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** What was not given is left out, as Docker does. */
function healthConfig(health: Healthcheck): HealthConfig {
  const { test, interval, timeout, startPeriod, startInterval, retries } = health;
  return {
    Test: test,
    ...(interval ? { Interval: interval } : {}),
    ...(timeout ? { Timeout: timeout } : {}),
    ...(startPeriod ? { StartPeriod: startPeriod } : {}),
    ...(startInterval ? { StartInterval: startInterval } : {}),
    ...(retries ? { Retries: retries } : {}),
  };
}
