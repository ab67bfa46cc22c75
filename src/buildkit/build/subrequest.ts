import { Fault } from "#base";
import {
  checkDockerfile,
  checkJson,
  IgnoreMatcher,
  listTargets,
  outline,
  outlineJson,
  parseIgnoreFile,
  targetsJson,
} from "#dockerfile";
import { hostPlatform } from "#image";
import type { FrontendRequest } from "./frontend-request.ts";
import type { BuildDefinition } from "./load-definition.ts";

/** What a client asks of a Dockerfile instead of its build. */
export interface Subrequest {
  readonly options: FrontendRequest;
  readonly definition: BuildDefinition;
}

/** The versions of the answers (frontend/subrequests of moby/buildkit). */
const calls = {
  "frontend.lint": { version: "1.0.0", description: "Lint a Dockerfile" },
  "frontend.outline": {
    version: "1.0.0",
    description: "List all parameters current build target supports",
  },
  "frontend.targets": { version: "1.0.0", description: "List all targets current build supports" },
  "frontend.subrequests.describe": {
    version: "1.0.0",
    description: "List available subrequest types",
  },
} as const;

/** Answers as the Dockerfile frontend does, in metadata. `unsupported` for a call that is not known. */
export function answerSubrequest(asked: Subrequest): readonly (readonly [string, Uint8Array])[] {
  const { call, dockerfileName: name } = asked.options;
  const { dockerfile: text } = asked.definition;
  if (!(call in calls))
    throw new Fault("unsupported", `unsupported request ${call}`, { about: call });
  if (text === undefined)
    throw new Fault("unsupported", `the call ${call} needs a Dockerfile that the client sends`);
  const { version } = calls[call as keyof typeof calls];
  const answer = (json: string, more: Readonly<Record<string, string>> = {}) =>
    Object.entries({ "result.json": json, "result.txt": json, version, ...more }).map(
      ([key, value]) => [key, Buffer.from(value)] as const,
    );
  const file = { name, text };
  if (call === "frontend.subrequests.describe") return answer(JSON.stringify(describeCalls()));
  if (call === "frontend.targets") return answer(targetsJson(listTargets(text), file));
  const request = checkRequest(asked);
  if (call === "frontend.outline") return answer(outlineJson(outline(text, request), file));
  const report = checkDockerfile(text, request);
  const isClean = report.warnings.length === 0 && !report.failure;
  return answer(checkJson(report, file), { "result.statuscode": isClean ? "0" : "1" });
}

/** As the frontend does: of lint it does not tell. */
function describeCalls() {
  return Object.entries(calls)
    .filter(([name]) => name !== "frontend.lint")
    .map(([name, about]) => ({ name, ...about, opts: null, metadata: null }));
}

/** Nothing is fetched: in a base image any variable may be set. */
function checkRequest({ options, definition }: Subrequest) {
  const { buildArgs, target, platforms } = options;
  const [platform = hostPlatform()] = platforms;
  return {
    ...{ buildArgs, buildPlatform: hostPlatform(), targetPlatform: platform },
    ...(target !== "" && { target }),
    ignored: new IgnoreMatcher(parseIgnoreFile(definition.ignore ?? "")),
  };
}
