import type { KeyObject } from "node:crypto";
import { readFileSync, statSync } from "node:fs";
import { Fault, isFault } from "#base";
import {
  canonicalName,
  canonicalString,
  type JsonCursor,
  parseJson,
  parseReference,
  type Reference,
} from "#image";
import { type Identity, parseIdentity } from "./identity.ts";
import { parsePublicKey } from "./key.ts";

/** One thing that an image must satisfy: nothing, never, or a signature of one of the keys. */
export type Requirement =
  | { readonly type: "accept" }
  | { readonly type: "reject" }
  | { readonly type: "signed"; readonly keys: readonly KeyObject[]; readonly identity: Identity };

/** Which images may be pulled and run, as containers-policy.json(5) describes it. */
export interface Policy {
  /** All of these must hold; of an image without a name, the default ones. */
  requirementsFor(reference: Reference | undefined): {
    /** The scope in the policy that decided; "default" when no scope fitted. */
    readonly scope: string;
    readonly requirements: readonly Requirement[];
  };
}

const maxPolicy = 1 << 20;

/**
 * The policy in the first of the files that exists; without a file everything is accepted. A file
 * that cannot be read or understood is a Fault: a policy is never skipped.
 */
export function readPolicy(files: readonly string[]): Policy {
  for (const file of files) {
    let bytes: Buffer;
    try {
      bytes = readPlain(file);
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") continue;
      throw new Fault("invalid", `cannot read the policy ${file}: ${(cause as Error).message}`, {
        about: file,
        cause,
      });
    }
    return parsePolicy(bytes, file);
  }
  return { requirementsFor: () => ({ scope: "default", requirements: [{ type: "accept" }] }) };
}

/** A device or a pipe may never end. */
function readPlain(path: string): Buffer {
  const found = statSync(path);
  if (!found.isFile()) throw new Error("it is not a file");
  if (found.size > maxPolicy) throw new Error(`it has ${found.size} bytes`);
  return readFileSync(path);
}

/**
 * Reads a policy, and refuses rules that it does not understand, since to ignore them would be to
 * allow.
 */
export function parsePolicy(bytes: Uint8Array, file: string): Policy {
  if (bytes.length > maxPolicy) {
    throw new Fault("invalid", `${file} has ${bytes.length} bytes and is not a policy`, {
      about: file,
    });
  }
  const root = parseJson(`the policy ${file}`, bytes);
  onlyKnown(root, ["default", "transports"]);
  const fallback = requirements(root.at("default"));
  const scopes = new Map<string, readonly Requirement[]>();
  const docker = root.at("transports").optional((transports) => transports.at("docker"));
  for (const [scope, list] of Object.entries(
    docker?.optional((present) => present.map(10_000, requirements)) ?? {},
  )) {
    const known = requireScope(scope, file);
    if (scopes.has(known)) throw badScope(scope, file, `stands there twice, also as "${known}"`);
    scopes.set(known, list);
  }
  return {
    requirementsFor: (reference) => {
      const scope = reference && candidates(reference).find((each) => scopes.has(each));
      const found = scope === undefined ? undefined : scopes.get(scope);
      return { scope: (found && scope) || "default", requirements: found ?? fallback };
    },
  };
}

/** A scope as `candidates` spells it. One that fits no image would be a rule that is never applied. */
function requireScope(text: string, file: string): string {
  if (text === "" || /^\*(\.[\w-]+)+$/.test(text)) return text.toLowerCase();
  const slash = `${text}/`.indexOf("/");
  const host = hostOf(text.slice(0, slash));
  const rest = text.slice(slash);
  try {
    if (parseReference(`${host}${rest || "/x"}`).domain === host) return host + rest;
  } catch (cause) {
    throw badScope(text, file, (cause as Error).message);
  }
  throw badScope(text, file, "does not begin with a registry's host");
}

function badScope(scope: string, file: string, why: string): Fault {
  return new Fault(
    "invalid",
    `the policy ${file}: the scope "${scope}" ${why}; a scope is as registry.example, registry.example/team, docker.io/library/debian:12, *.example or empty`,
    { about: file },
  );
}

/** The several names that lead to one registry as one: else another spelling of a name would pass by its rule. */
function hostOf(domain: string): string {
  const host = domain.toLowerCase().replace(/:443$/, "");
  return /^(index|registry-1)\.docker\.io$/.test(host) ? "docker.io" : host;
}

/** The scopes that fit a reference, most particular first: the image, its repository, each namespace, the host, "*.domain", all. */
function candidates(written: Reference): readonly string[] {
  const reference = { ...written, domain: hostOf(written.domain) };
  const name = canonicalName(reference);
  const parts = name.split("/");
  const above = parts.map((_part, index) => parts.slice(0, parts.length - index).join("/"));
  const labels = reference.domain.replace(/:\d+$/, "").split(".");
  const wildcards = labels
    .slice(1)
    .map((_label, index) => `*.${labels.slice(index + 1).join(".")}`);
  return [canonicalString(reference), ...above, ...wildcards, ""];
}

function requirements(cursor: JsonCursor): readonly Requirement[] {
  const list = cursor.list(100, requirement);
  return list.length > 0 ? list : cursor.fail("is empty: say insecureAcceptAnything or reject");
}

function requirement(cursor: JsonCursor): Requirement {
  const type = cursor.at("type").string(100);
  if (type === "insecureAcceptAnything" || type === "reject") {
    onlyKnown(cursor, ["type"]);
    return { type: type === "reject" ? "reject" : "accept" };
  }
  if (type !== "sigstoreSigned") {
    return cursor
      .at("type")
      .fail(
        `is "${type}", which is not supported; there is insecureAcceptAnything, reject and sigstoreSigned with keys`,
      );
  }
  onlyKnown(cursor, ["type", "keyPath", "keyPaths", "keyData", "keyDatas", "signedIdentity"]);
  const keys = [...keysFromFiles(cursor), ...keysFromData(cursor)];
  if (keys.length === 0) cursor.fail("has no keyPath, keyPaths, keyData or keyDatas");
  return { type: "signed", keys, identity: parseIdentity(cursor.at("signedIdentity")) };
}

function keysFromFiles(cursor: JsonCursor): readonly KeyObject[] {
  return several(cursor, "keyPath", "keyPaths").map((path) => {
    try {
      return parsePublicKey(readPlain(path), path);
    } catch (error) {
      if (isFault(error)) throw error;
      throw new Fault(
        "invalid",
        `the policy names the key ${path}, which cannot be read: ${(error as Error).message}`,
        {
          about: path,
          cause: error,
        },
      );
    }
  });
}

function keysFromData(cursor: JsonCursor): readonly KeyObject[] {
  return several(cursor, "keyData", "keyDatas").map((data) =>
    parsePublicKey(Buffer.from(data, "base64"), "a key in the policy"),
  );
}

function several(cursor: JsonCursor, one: string, many: string): readonly string[] {
  const single = cursor.at(one).optional((each) => each.string(maxPolicy));
  const list = cursor.at(many).optional((each) => each.list(100, (key) => key.string(maxPolicy)));
  return [...(single === undefined ? [] : [single]), ...(list ?? [])];
}

function onlyKnown(cursor: JsonCursor, known: readonly string[]): void {
  const unknown = Object.keys(cursor.object()).find((key) => !known.includes(key));
  if (unknown !== undefined) cursor.at(unknown).fail("is not supported in a policy");
}
