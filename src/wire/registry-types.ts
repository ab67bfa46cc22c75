/** The engine's answers about registries, named and spelled as in Docker's API. */

/** The body of POST /auth, and what X-Registry-Auth carries as base64url of its JSON. */
export interface AuthConfig {
  readonly username?: string;
  readonly password?: string;
  readonly serveraddress?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** 200 of POST /auth; `IdentityToken` is "" when the registry gave none. */
export interface AuthResponse {
  readonly IdentityToken: string;
  readonly Status: string;
}

/** A platform in the words of Go (image-spec image-index.md): linux, arm, v7. */
export interface WirePlatform {
  readonly architecture: string;
  readonly os: string;
  readonly variant?: string;
}

/** 200 of GET /distribution/NAME/json: what a registry has under a name, without a pull. */
export interface DistributionInspect {
  readonly Descriptor: {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
  };
  readonly Platforms: readonly WirePlatform[];
}

/** One member of GET /images/search. */
export interface SearchResult {
  readonly star_count: number;
  readonly is_official: boolean;
  readonly name: string;
  /** Always false: registries no longer say it. */
  readonly is_automated: boolean;
  readonly description: string;
}
