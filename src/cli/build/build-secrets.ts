import { existsSync, readFileSync, statSync } from "node:fs";
import { csvFields } from "../csv-fields.ts";
import { Exit } from "../failure.ts";
import { reasonOf } from "../local-file.ts";

type Env = Readonly<Record<string, string | undefined>>;

/** BuildKit's limit. */
const maxSecret = 500 << 10;

/**
 * The secrets of --secret in base64, by their ids: "id=ID[,src=FILE]" or "id=ID,env=NAME"; an id
 * alone is the variable of that name, else the file.
 */
export function readSecrets(words: readonly string[], env: Env): Readonly<Record<string, string>> {
  const secrets: Record<string, string> = {};
  for (const word of words) {
    const { id, bytes } = readSecret(word, env);
    if (bytes.byteLength > maxSecret) throw fail(`secret ${id} has more than ${maxSecret} bytes`);
    secrets[id] = bytes.toString("base64");
  }
  return secrets;
}

function readSecret(word: string, env: Env): { readonly id: string; readonly bytes: Buffer } {
  const fields = new Map<string, string>();
  for (const field of csvFields(word)) {
    const equals = field.indexOf("=");
    if (equals < 0) throw fail(`invalid field '${field}' must be a key=value pair`);
    const key = field.slice(0, equals).toLowerCase();
    if (!/^(id|type|src|source|env)$/.test(key)) {
      throw fail(`unexpected key '${key}' in '${field}'; a secret has id, type, src and env`);
    }
    fields.set(key === "source" ? "src" : key, field.slice(equals + 1));
  }
  const id = fields.get("id") ?? "";
  if (id === "") throw fail(`the secret '${word}' has no id: write id=ID,src=FILE`);
  const type = fields.get("type") ?? "";
  if (!/^(file|env|)$/.test(type)) throw fail(`unsupported secret type '${type}'; use file or env`);
  const source = fields.get("src");
  const variable = fields.get("env") ?? variableOf(id, { type, source, env });
  if (variable !== undefined) return { id, bytes: Buffer.from(env[variable] ?? "") };
  return { id, bytes: readSecretFile(id, source ?? id) };
}

/** `type=env` makes the source the name of a variable. */
function variableOf(
  id: string,
  {
    type,
    source,
    env,
  }: { readonly type: string; readonly source: string | undefined; readonly env: Env },
): string | undefined {
  if (type === "env") return source ?? id;
  const isVariable = type === "" && source === undefined && env[id] !== undefined;
  return isVariable && !existsSync(id) ? id : undefined;
}

function readSecretFile(id: string, path: string): Buffer {
  try {
    const stat = statSync(path);
    if (stat.size > maxSecret) throw new Error(`it has more than ${maxSecret} bytes`);
    return readFileSync(path);
  } catch (error) {
    throw fail(`cannot read secret ${id}: open ${path}: ${reasonOf(error)}`);
  }
}

function fail(why: string): Exit {
  return new Exit(1, `ERROR: failed to build: ${why}`);
}
