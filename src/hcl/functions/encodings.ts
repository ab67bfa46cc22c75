import { constants, createHash, createPrivateKey, privateDecrypt } from "node:crypto";
import { posix } from "node:path";
import { unify } from "../convert.ts";
import { parseCsv } from "../csv.ts";
import { parseNumber } from "../number.ts";
import { dynamicType, listOf, stringType } from "../type.ts";
import {
  boolValue,
  jsonOf,
  listValue,
  nullValue,
  numberValue,
  objectValue,
  textOf,
  textValue,
  tupleValue,
  type Value,
} from "../value.ts";
import { argument, define, type Functions, failure, wholeNumber } from "./define.ts";

function ofText(name: string, action: (text: string) => string) {
  return define(`${name}:string`, stringType, (args) =>
    textValue(action(textOf(argument(args, 0)))),
  );
}

function digest(algorithm: string) {
  return ofText("str", (text) => createHash(algorithm).update(text).digest("hex"));
}

function decodeBase64(text: string): string {
  const refused = `failed to decode base64 data '${text}'`;
  const plain = text.replace(/[\r\n]/g, "");
  if (!/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/.test(plain))
    throw failure(refused);
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      Buffer.from(plain, "base64"),
    );
  } catch {
    throw failure("the result of decoding the provided string is not valid UTF-8");
  }
}

/** A number of JSON, as it is written. */
class NumberText {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** A value of JSON; of lists, each element has its own type. */
export function valueOfJson(text: string): Value {
  if (text.trim() === "" || /[[{:,]\s*$/.test(text)) throw failure("EOF");
  const reviver = (_: string, value: unknown, context?: { readonly source?: string }) =>
    typeof value === "number" ? new NumberText(context?.source ?? String(value)) : value;
  try {
    return convertJson(JSON.parse(text, reviver));
  } catch (error) {
    if (error instanceof SyntaxError) throw failure(`invalid JSON: ${error.message}`);
    throw error;
  }
}

function convertJson(value: unknown): Value {
  if (value === null || value === undefined) return nullValue;
  if (typeof value === "string") return textValue(value);
  if (typeof value === "boolean") return boolValue(value);
  if (Array.isArray(value)) return tupleValue(value.map(convertJson));
  if (value instanceof NumberText) return numberValue(parseNumber(value.text) ?? 0);
  return objectValue(
    new Map(Object.entries(value).map(([name, each]) => [name, convertJson(each)])),
  );
}

function decodeCsv(text: string): Value {
  const [head, ...rows] = parseCsv(text);
  if (!head) throw failure("missing header line");
  const seen = new Set<string>();
  for (const name of head) {
    if (seen.has(name)) throw failure(`duplicate column name ${JSON.stringify(name)}`);
    seen.add(name);
  }
  const objects = rows.map((row, at) => {
    if (row.length !== head.length)
      throw failure(`record on line ${at + 2}: wrong number of fields`);
    return objectValue(new Map(head.map((name, column) => [name, textValue(row[column] ?? "")])));
  });
  return listValue(objects, unify(objects.map(({ type }) => type)) ?? dynamicType);
}

function encodeUrl(text: string): string {
  const encoded = encodeURIComponent(text).replace(
    /[!'()*]/g,
    (each) => `%${each.charCodeAt(0).toString(16).toUpperCase()}`,
  );
  return encoded.replaceAll("%20", "+").replaceAll("%7E", "~");
}

function bcrypt(args: readonly Value[]): Value {
  const cost = args.length > 1 ? wholeNumber(args, 1) : 10;
  if (args.length > 2) throw failure("bcrypt() takes no more than two arguments");
  if (cost < 4 || cost > 31) {
    throw failure(
      `error occured generating password crypto/bcrypt: cost ${cost} is outside allowed inclusive range 4..31`,
    );
  }
  // Each step doubles the time: 14 takes over a second.
  if (cost > 14) throw failure(`a cost of ${cost} takes too long; use at most 14`);
  return textValue(
    Bun.password
      .hashSync(textOf(argument(args, 0)), { algorithm: "bcrypt", cost })
      .replace(/^\$2[by]\$/, "$2a$"),
  );
}

function decrypt(args: readonly Value[]): Value {
  const text = textOf(argument(args, 0));
  if (text === "" || !/^[A-Za-z0-9+/]+={0,2}$/.test(text) || text.length % 4 !== 0) {
    throw failure(
      `failed to decode input ${JSON.stringify(text)}: cipher text must be base64-encoded`,
    );
  }
  try {
    const key = createPrivateKey(textOf(argument(args, 1)));
    const padding = constants.RSA_PKCS1_PADDING;
    return textValue(privateDecrypt({ key, padding }, Buffer.from(text, "base64")).toString());
  } catch (error) {
    throw failure(`failed to decrypt: ${(error as Error).message}`);
  }
}

const namespaces: Readonly<Record<string, string>> = {
  dns: "6ba7b810-9dad-11d1-80b4-00c04fd430c8",
  url: "6ba7b811-9dad-11d1-80b4-00c04fd430c8",
  oid: "6ba7b812-9dad-11d1-80b4-00c04fd430c8",
  x500: "6ba7b814-9dad-11d1-80b4-00c04fd430c8",
};

/** A name's UUID of version 5 (RFC 9562, 5.5). */
function namedUuid(args: readonly Value[]): Value {
  const space = textOf(argument(args, 0));
  const id = namespaces[space] ?? space;
  if (!/^[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$/i.test(id)) {
    throw failure(
      `uuidv5() doesn't support namespace ${space} (invalid UUID length: ${space.length})`,
    );
  }
  const bytes = createHash("sha1")
    .update(Buffer.from(id.replaceAll("-", ""), "hex"))
    .update(textOf(argument(args, 1)))
    .digest()
    .subarray(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x50;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return textValue(bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"));
}

/** Encodings, digests, names of files. */
export const encodingFunctions: Functions = {
  base64decode: ofText("str", decodeBase64),
  base64encode: ofText("str", (text) => Buffer.from(text).toString("base64")),
  basename: ofText("path", (path) => (path === "" ? "." : posix.basename(path) || "/")),
  bcrypt: define("str:string cost:number...", stringType, bcrypt),
  csvdecode: define("str:string", listOf(dynamicType), (args) =>
    decodeCsv(textOf(argument(args, 0))),
  ),
  dirname: ofText("path", (path) => posix.normalize(posix.dirname(path))),
  jsondecode: define("str:string", dynamicType, (args) => valueOfJson(textOf(argument(args, 0)))),
  jsonencode: define("val:any?", stringType, (args) => textValue(jsonOf(argument(args, 0)))),
  md5: digest("md5"),
  rsadecrypt: define("ciphertext:string privatekey:string", stringType, decrypt),
  sha1: digest("sha1"),
  sha256: digest("sha256"),
  sha512: digest("sha512"),
  urlencode: ofText("str", encodeUrl),
  uuidv4: define("", stringType, () => textValue(crypto.randomUUID())),
  uuidv5: define("namespace:string name:string", stringType, namedUuid),
};
