import type { Verb } from "../command.ts";
import { Exit } from "../failure.ts";
import type { Values } from "../flag.ts";
import type { buildFlags, buildShellFlags } from "../table/build.ts";

export const build: Verb<typeof buildFlags> = async (context, { flags, args }) => {
  const [path = "."] = args;
  const call = parseCall(flags);
  if (call.method === "build") {
    return await (await import("../build/run-build.ts")).runBuild(context, path, flags);
  }
  const { callBuild } = await import("../build/call-build.ts");
  return await callBuild(context, { path, flags, call: { ...call, method: call.method } });
};

export const buildShell: Verb<typeof buildShellFlags> = async (context, { flags, args }) => {
  const [path = ".", ...command] = args;
  const { step = "", ...others } = flags;
  const { shellBuild } = await import("../build/run-build.ts");
  return await shellBuild(context, { path, flags: others, step, command });
};

/** "check,format=json,ignorestatus=true", and --check, which says less. */
function parseCall({ call, check, format }: Values<typeof buildFlags>) {
  const [name = "", ...options] = (call ?? (check ? "check" : "build")).split(",");
  const method = name === "lint" ? "check" : name;
  if (!isMethod(method)) {
    throw new Exit(1, `thimble: unsupported call: ${name}; use build, check, outline or targets`);
  }
  let isJson = format === "json";
  let ignoresStatus = false;
  for (const option of options) {
    const [key = "", value = ""] = option.split("=", 2);
    if (key === "format" && /^(json|text)$/.test(value)) isJson = value === "json";
    else if (key === "ignorestatus" && /^(true|false|1|0)$/.test(value)) {
      ignoresStatus = value === "true" || value === "1";
    } else {
      throw new Exit(
        1,
        `thimble: invalid option of --call: ${option}; use format=json, format=text or ignorestatus=true`,
      );
    }
  }
  return { method, isJson, ignoresStatus };
}

function isMethod(word: string): word is "build" | "check" | "outline" | "targets" {
  return /^(?:build|check|outline|targets)$/.test(word);
}
