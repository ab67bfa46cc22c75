import { imageUrl, type Material, type ProvenanceInput } from "#attest";
import { defined } from "#base";
import type { StoredImage } from "#content";
import { familiarName, formatPlatform, parseReference } from "#image";
import type { BuildRequest } from "./contract.ts";
import { imageKey, type WantedImage } from "./named-context.ts";
import type { Operation } from "./operation.ts";
import type { Plan } from "./plan.ts";
import type { BuildRemotes } from "./remote-sources.ts";

/** What a build was asked for and what it used, as a provenance tells it. No value of a secret is in it. */
export type Origin = Pick<
  ProvenanceInput,
  | "args"
  | "locals"
  | "secrets"
  | "ssh"
  | "materials"
  | "isComplete"
  | "isHermetic"
  | "steps"
  | "metadata"
>;

/** An image that a build began with. */
export interface UsedImage {
  readonly wanted: WantedImage;
  readonly image: Pick<StoredImage, "config" | "layers"> &
    Partial<Pick<StoredImage, "digest" | "digests">>;
}

/** The origin of one image of a build. */
export async function originOf(
  { operations }: Plan,
  request: BuildRequest,
  used: { readonly images: readonly UsedImage[]; readonly remotes: BuildRemotes },
): Promise<Origin> {
  const wanted = new Set(
    operations.flatMap((each) => (each.kind === "image" ? [imageKey(each)] : [])),
  );
  const images = used.images.filter((each) => wanted.has(imageKey(each.wanted)));
  const locals = localsOf(request);
  const isOnline = operations.some((each) => each.kind === "run" && each.network !== "none");
  const isComplete = locals.length === 0 && images.every((each) => materialOf(each).length > 0);
  return {
    ...{ args: argumentsOf(request), locals, ...namesOf(operations) },
    materials: [...images.flatMap(materialOf), ...(await remoteMaterials(operations, used))],
    ...{ isComplete, isHermetic: isComplete && !isOnline },
    ...{ steps: stepsOf(operations), metadata: sourceOf(operations, request) },
  };
}

/** In BuildKit's names. */
function argumentsOf(request: BuildRequest): Readonly<Record<string, string>> {
  const { buildArgs = new Map(), labels = new Map(), target, dockerfile } = request;
  return {
    filename: dockerfile.name,
    ...defined({ target }),
    ...Object.fromEntries([...buildArgs].map(([name, value]) => [`build-arg:${name}`, value])),
    ...Object.fromEntries([...labels].map(([name, value]) => [`label:${name}`, value])),
  };
}

function localsOf({ context, contexts }: BuildRequest): string[] {
  const named = [...(contexts ?? [])].flatMap(([name, { kind }]) =>
    kind === "directory" ? [name] : [],
  );
  return [...(context ? ["context"] : []), ...named];
}

/** The names of secrets and agents that steps are given. */
function namesOf(operations: readonly Operation[]): Pick<Origin, "secrets" | "ssh"> {
  const found = (type: "secret" | "ssh") => {
    const mounts = operations.flatMap((each) => (each.kind === "run" ? each.mounts : []));
    const optional = new Map<string, boolean>();
    for (const mount of mounts) {
      if (mount.type !== type) continue;
      optional.set(mount.id, !mount.isRequired && (optional.get(mount.id) ?? true));
    }
    return [...optional].map(([id, isOptional]) => ({ id, optional: isOptional }));
  };
  return { secrets: found("secret"), ssh: found("ssh") };
}

function materialOf({ wanted, image }: UsedImage): Material[] {
  const { reference, platform, layout } = wanted;
  const { digest, digests = [] } = image;
  // An image of another build or of a layout has no registry to be had from.
  if (digest === undefined || layout !== undefined || /^sha256:/.test(reference)) return [];
  const parsed = parseReference(reference);
  const name = familiarName(parsed);
  const pulled = digests.find((each) => each.startsWith(`${name}@`))?.slice(name.length + 1);
  const uri = imageUrl(name, {
    ...defined({ tag: parsed.tag, digest: parsed.digest }),
    platform: formatPlatform(platform),
  });
  return [{ uri, digest: pulled ?? digest }];
}

async function remoteMaterials(
  operations: readonly Operation[],
  { remotes }: { readonly remotes: BuildRemotes },
): Promise<Material[]> {
  const parts = operations.flatMap((each) => (each.kind === "copy" ? each.parts : []));
  const found: Material[] = [];
  for (const part of parts) {
    if (part.kind !== "remote" && part.kind !== "git") continue;
    const content = await remotes.contentOf(part);
    const { from } = part;
    const isGit = from.kind === "git";
    const uri = isGit && from.ref !== undefined ? `${from.url}#${from.ref}` : from.url;
    found.push({ uri, digest: isGit ? `sha1:${content}` : content });
  }
  return found;
}

/** The steps in the form of BuildKit's LLB in JSON, without what the machine's owner alone should see. */
function stepsOf(operations: readonly Operation[]): object[] {
  const numbers = new Map(operations.map((each, index) => [each, index]));
  return operations.map((operation, index) => ({
    id: `step${index}`,
    op: { Op: describe(operation) },
    ...("base" in operation && operation.base !== "scratch"
      ? { inputs: [`step${numbers.get(operation.base)}:0`] }
      : {}),
  }));
}

function describe(operation: Operation): object {
  switch (operation.kind) {
    case "image": {
      const { reference, layout } = operation;
      const place = layout === undefined ? `docker-image://${reference}` : `oci-layout://${layout}`;
      return { source: { identifier: place } };
    }
    case "run":
      return { exec: { meta: { args: operation.argv, cwd: operation.cwd } } };
    case "copy":
      return { file: { actions: [{ copy: { dest: operation.destination } }] } };
    case "directory":
      return { file: { actions: [{ mkdir: { path: operation.path, mode: operation.mode } }] } };
  }
}

/** The Dockerfile, and where in it the steps are. */
function sourceOf(operations: readonly Operation[], { dockerfile }: BuildRequest) {
  const located = operations.flatMap(({ range }, index) => {
    if (!range) return [];
    const ranges = [{ start: { line: range.start }, end: { line: range.end } }];
    return [[`step${index}`, { locations: [{ ranges }] }] as const];
  });
  const data = Buffer.from(dockerfile.text).toString("base64");
  return {
    source: {
      locations: Object.fromEntries(located),
      infos: [{ filename: dockerfile.name, language: "Dockerfile", data }],
    },
  };
}
