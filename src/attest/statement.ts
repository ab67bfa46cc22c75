/** What a statement is about: an image, by its names and its digest. */
interface StatementSubject {
  readonly name: string;
  readonly digest: Readonly<Record<string, string>>;
}

/** An in-toto statement (github.com/in-toto/attestation), of the version that BuildKit writes. */
export interface Statement {
  readonly _type: "https://in-toto.io/Statement/v0.1";
  readonly predicateType: string;
  readonly subject: readonly StatementSubject[];
  readonly predicate: object;
}

export const predicateTypes = {
  spdx: "https://spdx.dev/Document",
  provenance: "https://slsa.dev/provenance/v1",
} as const;

/** A statement about an image: one subject for each of its URLs, or one without a name. */
export function statement(
  predicateType: string,
  predicate: object,
  image: { readonly urls: readonly string[]; readonly digest: string },
): Statement {
  const [algorithm = "sha256", hex = ""] = image.digest.split(":", 2);
  const digest = { [algorithm]: hex };
  const names = image.urls.length === 0 ? ["_"] : image.urls;
  return statementOf(
    predicateType,
    predicate,
    names.map((name) => ({ name, digest })),
  );
}

/** A statement about anything that has a digest, such as files. */
export function statementOf(
  predicateType: string,
  predicate: object,
  subject: Statement["subject"],
): Statement {
  return { _type: "https://in-toto.io/Statement/v0.1", predicateType, subject, predicate };
}
