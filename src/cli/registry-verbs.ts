import type { CredentialSource } from "#base";
import type { Sink } from "./context.ts";

/** The settings of commands that speak to registries themselves. */
export interface RegistryCommandContext {
  readonly out: Sink;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly credentials: CredentialSource;
  /** Docker's: "~/.docker". */
  readonly configDirectory: string;
  askPassword(prompt: string): Promise<string>;
}

type Texts = readonly string[];
type Annotations = Readonly<Record<string, string>>;

/** Commands that need a registry and no engine; each gives the exit status. */
export interface RegistryVerbs {
  sign(options: {
    readonly images: Texts;
    readonly key: string;
    readonly annotations: Annotations;
  }): Promise<number>;
  verify(options: {
    readonly images: Texts;
    readonly keys: Texts;
    readonly annotations: Annotations;
    readonly json: boolean;
  }): Promise<number>;
  createKey(options: { readonly prefix: string }): Promise<number>;
  createManifestList(options: {
    readonly list: string;
    readonly manifests: Texts;
    readonly amend: boolean;
    readonly insecure: boolean;
  }): Promise<number>;
  annotateManifest(options: {
    readonly list: string;
    readonly manifest: string;
    readonly platform: {
      readonly os?: string;
      readonly architecture?: string;
      readonly variant?: string;
      readonly "os.version"?: string;
      readonly "os.features"?: Texts;
    };
  }): Promise<number>;
  inspectManifest(options: {
    readonly list?: string | undefined;
    readonly manifest: string;
    readonly verbose: boolean;
    readonly insecure: boolean;
  }): Promise<number>;
  pushManifestList(options: {
    readonly list: string;
    readonly purge: boolean;
    readonly insecure: boolean;
  }): Promise<number>;
  removeManifestLists(options: { readonly names: Texts }): Promise<number>;
  attachArtifact(options: {
    readonly image: string;
    readonly files: Texts;
    readonly artifactType: string;
    readonly annotations: Annotations;
  }): Promise<number>;
  listArtifacts(options: {
    readonly image: string;
    readonly artifactType?: string | undefined;
    readonly json: boolean;
  }): Promise<number>;
  fetchArtifact(options: {
    readonly artifact: string;
    readonly artifactType?: string | undefined;
    readonly directory: string;
  }): Promise<number>;
}
