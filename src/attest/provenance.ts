import { defined } from "#base";

/** Something that went into a build: an image, a repository, a file of the web. */
export interface Material {
  /** "pkg:docker/alpine@3.20?platform=linux%2Famd64", or a URL. */
  readonly uri: string;
  /** "sha256:...". */
  readonly digest: string;
}

/** What a build was asked for, and what it used. */
export interface ProvenanceInput {
  /** `max` also tells of arguments, labels, secrets' names and the steps. */
  readonly mode: "min" | "max";
  readonly platform: string;
  readonly builderId?: string;
  /** Options of the frontend: "target", "filename", "build-arg:NAME", "label:NAME". */
  readonly args: Readonly<Record<string, string>>;
  /** Where the Dockerfile came from, when it was fetched. */
  readonly configSource?: {
    readonly uri: string;
    readonly digest?: string;
    readonly path?: string;
  };
  /** Names of directories that the client sent: "context", "dockerfile". */
  readonly locals: readonly string[];
  /** Names alone: no value of a secret is ever part of a provenance. */
  readonly secrets?: readonly { readonly id: string; readonly optional?: boolean }[];
  readonly ssh?: readonly { readonly id: string; readonly optional?: boolean }[];
  readonly materials: readonly Material[];
  readonly invocationId?: string;
  readonly startedOn?: Date;
  readonly finishedOn?: Date;
  /** Whether everything that went in is among the materials. */
  readonly isComplete: boolean;
  readonly isReproducible?: boolean;
  /** Whether no step could reach a network. */
  readonly isHermetic: boolean;
  /** The steps, as BuildKit's buildConfig; in `max` only. */
  readonly steps?: readonly object[];
  /** The Dockerfile with the places of its steps, and the layers of each; in `max` only. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** How BuildKit's builds are told of; ours are told of alike. */
const buildType =
  "https://github.com/moby/buildkit/blob/master/docs/attestations/slsa-definitions.md";

function digestSet(digest: string): Readonly<Record<string, string>> {
  const [algorithm = "sha256", hex = ""] = digest.split(":", 2);
  return { [algorithm]: hex };
}

/** The provenance of a build, as a predicate of SLSA (slsa.dev/spec/v1.0/provenance) with BuildKit's extensions. */
export function slsaProvenance(input: ProvenanceInput): object {
  const isMax = input.mode === "max";
  const materials = [...input.materials].sort((a, b) =>
    a.uri < b.uri ? -1 : a.uri > b.uri ? 1 : 0,
  );
  return {
    buildDefinition: {
      buildType,
      externalParameters: {
        configSource: configSource(input),
        request: request(input, isMax),
      },
      internalParameters: {
        ...(isMax && input.steps && { buildConfig: { llbDefinition: input.steps } }),
        builderPlatform: input.platform,
      },
      resolvedDependencies: materials.map(({ uri, digest }) => ({
        uri,
        digest: digestSet(digest),
      })),
    },
    runDetails: {
      builder: { id: input.builderId ?? "" },
      metadata: metadata(input, isMax),
    },
  };
}

function configSource({ configSource: source, args }: ProvenanceInput): object {
  const path = source?.path ?? args.filename ?? "Dockerfile";
  if (!source) return { path };
  return {
    uri: source.uri,
    ...(source.digest !== undefined && { digest: digestSet(source.digest) }),
    path,
  };
}

/** In `min`, arguments and labels, which may hold what nobody should see, are left out. */
function request(
  { args, locals, secrets = [], ssh = [] }: ProvenanceInput,
  isMax: boolean,
): object {
  const shown = Object.entries(args)
    .filter(([key]) => isMax || !/^(?:build-arg|label|vcs|context|add-hosts|ulimit):?/.test(key))
    .sort(([a], [b]) => (a < b ? -1 : 1));
  return {
    frontend: "dockerfile.v0",
    ...(shown.length > 0 && { args: Object.fromEntries(shown) }),
    ...(isMax && secrets.length > 0 && { secrets }),
    ...(isMax && ssh.length > 0 && { ssh }),
    ...(locals.length > 0 && { locals: [...locals].sort().map((name) => ({ name })) }),
  };
}

function metadata(input: ProvenanceInput, isMax: boolean): object {
  const { invocationId, isComplete, isReproducible = false, isHermetic } = input;
  return {
    ...defined({
      invocationId,
      startedOn: input.startedOn?.toISOString(),
      finishedOn: input.finishedOn?.toISOString(),
    }),
    ...(isMax && input.metadata && { buildkit_metadata: input.metadata }),
    buildkit_hermetic: isHermetic,
    buildkit_completeness: { request: isMax, resolvedDependencies: isComplete },
    buildkit_reproducible: isReproducible,
  };
}
