import { formatIp, parseIp } from "#base";
import { listOf, stringType } from "../type.ts";
import { listValue, textOf, textValue, type Value } from "../value.ts";
import { argument, define, type Functions, failure, wholeNumber } from "./define.ts";

interface Prefix {
  readonly base: bigint;
  readonly bits: number;
  readonly length: number;
}

function prefixOf(value: Value): Prefix {
  const text = textOf(value);
  const refused = () => failure(`invalid CIDR expression: invalid CIDR address: ${text}`);
  const [, address = "", size = ""] = /^([^/]+)\/(\d{1,3})$/.exec(text) ?? [];
  const parsed = address === "" ? undefined : parseIp(address);
  if (!parsed) throw refused();
  const length = parsed.byteLength * 8;
  const bits = Number(size);
  if (bits > length) throw refused();
  const host = BigInt(length - bits);
  const number = BigInt(`0x${Buffer.from(parsed).toString("hex")}`);
  return { base: (number >> host) << host, bits, length };
}

function shown({ length }: Prefix, address: bigint): string {
  return formatIp(Buffer.from(address.toString(16).padStart(length / 4, "0"), "hex"));
}

function subnet(prefix: Prefix, newBits: number, number: bigint): string {
  const bits = prefix.bits + newBits;
  if (bits > prefix.length || newBits < 0) {
    throw failure(`insufficient address space to extend prefix of ${prefix.bits} by ${newBits}`);
  }
  if (number < 0n || number >= 1n << BigInt(newBits)) {
    throw failure(
      `prefix extension of ${newBits} does not accommodate a subnet numbered ${number}`,
    );
  }
  return `${shown(prefix, prefix.base + (number << BigInt(prefix.length - bits)))}/${bits}`;
}

function host(args: readonly Value[]): Value {
  const prefix = prefixOf(argument(args, 0));
  const number = BigInt(wholeNumber(args, 1));
  const size = 1n << BigInt(prefix.length - prefix.bits);
  if (number >= size || -number > size) {
    throw failure(`prefix of ${prefix.bits} does not accommodate a host numbered ${number}`);
  }
  return textValue(shown(prefix, prefix.base + (number < 0n ? size + number : number)));
}

function subnets(args: readonly Value[]): Value {
  const prefix = prefixOf(argument(args, 0));
  const end = prefix.base + (1n << BigInt(prefix.length - prefix.bits));
  let next = prefix.base;
  const made = args.slice(1).map((_, at) => {
    const newBits = wholeNumber(args, at + 1);
    const bits = prefix.bits + newBits;
    if (newBits < 1 || bits > prefix.length)
      throw failure("must extend prefix by at least one bit");
    const size = 1n << BigInt(prefix.length - bits);
    const start = ((next + size - 1n) / size) * size;
    if (start + size > end)
      throw failure(
        `not enough remaining address space for a subnet with a prefix of ${bits} bits`,
      );
    next = start + size;
    return textValue(`${shown(prefix, start)}/${bits}`);
  });
  return listValue(made, stringType);
}

/** Prefixes of addresses. */
export const networkFunctions: Functions = {
  cidrhost: define("prefix:string hostnum:number", stringType, host),
  cidrnetmask: define("prefix:string", stringType, (args) => {
    const prefix = prefixOf(argument(args, 0));
    const zeros = BigInt(prefix.length - prefix.bits);
    return textValue(shown(prefix, (((1n << BigInt(prefix.length)) - 1n) >> zeros) << zeros));
  }),
  cidrsubnet: define("prefix:string newbits:number netnum:number", stringType, (args) =>
    textValue(
      subnet(prefixOf(argument(args, 0)), wholeNumber(args, 1), BigInt(wholeNumber(args, 2))),
    ),
  ),
  cidrsubnets: define("prefix:string newbits:number...", listOf(stringType), subnets),
};
