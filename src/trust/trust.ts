import { statSync } from "node:fs";
import { Fault, isFault, type Log } from "#base";
import {
  type Digest,
  familiarString,
  parseReference,
  type Reference,
  withDefaultTag,
} from "#image";
import type { Repository } from "#registry-client";
import type { State } from "#state";
import { type KeptSignature, KeptSignatures } from "./kept-signatures.ts";
import { type Policy, type Requirement, readPolicy } from "./policy.ts";
import { type Claims, verifySignature } from "./signature.ts";
import { readSignatures } from "./signed-image.ts";

export interface TrustOptions {
  /** The first that exists counts; when all are missing, everything is accepted. */
  readonly policyFiles: readonly string[];
  readonly state: State;
  readonly log: Log;
}

/** Says which images may come in and be run. Everything it refuses is `denied`. */
export interface Trust {
  /**
   * Before anything of a pulled image is stored. `digests`: the manifest, then the
   * index that it was chosen from; a signature of either is good. What let the image
   * in is kept for `checkRun`.
   */
  checkPull(pull: {
    readonly reference: Reference;
    readonly digests: readonly [manifest: Digest, ...indexes: Digest[]];
    /** The manifest's digest as `checkRun` will have it, when that is by another algorithm. */
    readonly storedAs?: Digest;
    readonly repository: Repository;
    readonly signal?: AbortSignal | undefined;
  }): Promise<void>;
  /** Before a container is made of an image, under the names it was asked for or has. Never asks a registry. */
  checkRun(image: { readonly names: readonly string[]; readonly manifest: Digest }): void;
}

/** Opens the policy; a broken one is a Fault now, and after a change at each check until it is mended. */
export function openTrust({ policyFiles, state, log }: TrustOptions): Trust {
  return new PolicyTrust(new PolicyFile(policyFiles), new KeptSignatures(state), log);
}

type Signed = Requirement & { readonly type: "signed" };

class PolicyTrust implements Trust {
  readonly #file: PolicyFile;
  readonly #kept: KeptSignatures;
  readonly #log: Log;

  constructor(file: PolicyFile, kept: KeptSignatures, log: Log) {
    this.#file = file;
    this.#kept = kept;
    this.#log = log;
  }

  async checkPull({
    reference,
    digests,
    storedAs = digests[0],
    repository,
    signal,
  }: Parameters<Trust["checkPull"]>[0]): Promise<void> {
    const name = withDefaultTag(reference);
    const wanted = this.#requirements("pull", name);
    if (wanted.length === 0) return;
    const found: KeptSignature[] = [];
    const open = new Set(wanted);
    for (const signed of digests) {
      for await (const signature of readSignatures(repository, signed, { signal })) {
        for (const requirement of open) {
          if (!this.#satisfies({ signed, signature }, requirement, name)) continue;
          open.delete(requirement);
          found.push({ signed, signature });
        }
        if (open.size === 0) break;
      }
      if (open.size === 0) break;
    }
    if (open.size > 0)
      throw unsigned("pull", name, this.#file.policy().requirementsFor(name).scope);
    for (const each of found) this.#kept.keep(storedAs, each);
  }

  checkRun({ names, manifest }: Parameters<Trust["checkRun"]>[0]): void {
    const references = names.map((each) => withDefaultTag(parseReference(each)));
    const kept = this.#kept.of(manifest);
    // An image without a name is of no scope: the default decides.
    for (const name of references.length > 0 ? references : [undefined]) {
      for (const requirement of this.#requirements("run", name)) {
        if (kept.some((each) => this.#satisfies(each, requirement, name))) continue;
        throw unsigned("run", name, this.#file.policy().requirementsFor(name).scope);
      }
    }
  }

  /** The signatures that a name needs; `denied` when it is rejected. */
  #requirements(verb: "pull" | "run", name: Reference | undefined): readonly Signed[] {
    const { scope, requirements } = this.#file.policy().requirementsFor(name);
    if (requirements.some(({ type }) => type === "reject")) {
      throw new Fault(
        "denied",
        `cannot ${verb} ${shown(name)}: the policy rejects images of ${scope} (${this.#file.path})`,
        { about: shown(name) },
      );
    }
    return requirements.filter((each): each is Signed => each.type === "signed");
  }

  #satisfies(
    { signed, signature }: KeptSignature,
    { keys, identity }: Signed,
    name: Reference | undefined,
  ): boolean {
    let claims: Claims | undefined;
    try {
      claims = verifySignature(signature, keys);
    } catch (error) {
      if (!isFault(error)) throw error;
      this.#log.debug("a signature says nothing", { image: shown(name), error: error.message });
      return false;
    }
    if (!claims || claims.digest !== signed) return false;
    // A bundle vouches for the digest alone, which is enough unless the policy asks for a name.
    if (claims.reference === undefined) return !identity.explicit;
    return (
      name !== undefined && identity.matches(name, withDefaultTag(parseReference(claims.reference)))
    );
  }
}

/** The policy as the file has it now. */
class PolicyFile {
  readonly #files: readonly string[];
  #policy: Policy;
  #seen: string;

  constructor(files: readonly string[]) {
    this.#files = files;
    this.#seen = this.#stamp();
    this.#policy = readPolicy(files);
  }

  get path(): string {
    return this.#files.find((file) => stampOf(file) !== "") ?? this.#files[0] ?? "no policy";
  }

  policy(): Policy {
    const now = this.#stamp();
    if (now !== this.#seen) {
      this.#policy = readPolicy(this.#files);
      this.#seen = now;
    }
    return this.#policy;
  }

  #stamp(): string {
    return this.#files.map(stampOf).join(" ");
  }
}

function stampOf(file: string): string {
  const found = statSync(file, { bigint: true, throwIfNoEntry: false });
  return found ? `${found.ino}:${found.mtimeNs}:${found.size}` : "";
}

function unsigned(verb: string, name: Reference | undefined, scope: string): Fault {
  return new Fault(
    "denied",
    `cannot ${verb} ${shown(name)}: the policy for ${scope} requires a signature by its key, and the image does not have one; sign it ("thimble sign --key KEY ${name ? familiarString(name) : "IMAGE"}") or change the policy`,
    { about: shown(name) },
  );
}

function shown(name: Reference | undefined): string {
  return name ? familiarString(name) : "an image without a name";
}
