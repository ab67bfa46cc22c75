/** A user's proof of identity to a registry. A registry token is sent as it is, an identity token is exchanged for tokens (OAuth 2). */
export interface Credentials {
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  /** A refresh token that the registry gave in a password's place. */
  readonly identityToken?: string | undefined;
  /** A bearer token. */
  readonly registryToken?: string | undefined;
}

/** Asked once per host ("docker.io", "registry.example:5000") and client; undefined is anonymous. */
export type CredentialSource = (host: string) => Promise<Credentials | undefined>;
