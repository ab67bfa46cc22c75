import { Fault } from "#base";

/**
 * A number of HCL: mantissa × 2^exponent, rounded to `precision` bits after each operation, as
 * Go's big.Float does. The mantissa carries the sign; without trailing zeros, and 0n for zero.
 */
export interface BigNumber {
  readonly mantissa: bigint;
  readonly exponent: number;
  readonly precision: number;
}

/** The precision of what is written in a file. */
const literalBits = 512;
/** Beyond it a decimal exponent is refused: 10^100000 has 330,000 bits. */
const maxExponent = 5000;

/** The number of a decimal text ("-1.5e3"); undefined for any other text. */
export function parseNumber(text: string, precision = literalBits): BigNumber | undefined {
  const found = /^([+-]?)(\d+)(?:\.(\d*))?(?:[eE]([+-]?\d+))?$/.exec(text);
  if (!found) return undefined;
  const [, sign = "", whole = "", fraction = "", power = "0"] = found;
  const exponent = Number(power) - fraction.length;
  if (Math.abs(exponent) > maxExponent || whole.length + fraction.length > maxExponent) {
    throw new Fault("exhausted", `the number ${text.slice(0, 40)} is too large`);
  }
  const digits = BigInt(sign + whole + fraction);
  if (exponent >= 0) return rounded(digits * 10n ** BigInt(exponent), 0, precision);
  return quotient(digits, 10n ** BigInt(-exponent), precision);
}

/** A number that is whole and small. */
export function integer(value: number | bigint): BigNumber {
  return rounded(BigInt(value), 0, 64);
}

/** The sum, at the larger of both precisions. */
export function add(a: BigNumber, b: BigNumber): BigNumber {
  const exponent = Math.min(a.exponent, b.exponent);
  const sum = shifted(a, exponent) + shifted(b, exponent);
  return rounded(sum, exponent, Math.max(a.precision, b.precision));
}

/** The difference, at the larger of both precisions. */
export function subtract(a: BigNumber, b: BigNumber): BigNumber {
  return add(a, negate(b));
}

/** The number with the other sign. */
export function negate(a: BigNumber): BigNumber {
  return { ...a, mantissa: -a.mantissa };
}

/** The product; its precision grows where it needs more than its factors have. */
export function multiply(a: BigNumber, b: BigNumber): BigNumber {
  const exact = rounded(a.mantissa * b.mantissa, a.exponent + b.exponent, literalBits);
  const needed = bitLength(exact.mantissa);
  return rounded(
    exact.mantissa,
    exact.exponent,
    Math.max(a.precision, b.precision, Math.min(needed, literalBits)),
  );
}

/** The quotient: infinite when the divisor is zero, and the dividend is not. */
export function divide(a: BigNumber, b: BigNumber): BigNumber {
  if (b.mantissa === 0n) {
    if (a.mantissa === 0n) {
      throw new Fault("invalid", "can't divide zero by zero or infinity by infinity");
    }
    return { ...a, exponent: Number.POSITIVE_INFINITY };
  }
  const part = quotient(a.mantissa, b.mantissa, Math.max(a.precision, b.precision));
  return { ...part, exponent: part.exponent + a.exponent - b.exponent };
}

/** What is left of a division whose quotient is cut to a whole number; all of it, when the divisor is zero. */
export function remainder(a: BigNumber, b: BigNumber): BigNumber {
  if (b.mantissa === 0n) return a;
  const whole = rounded(truncate(divide(a, b)), 0, literalBits);
  return subtract(a, multiply(b, whole));
}

/** -1, 0 or 1. */
export function compare(a: BigNumber, b: BigNumber): number {
  const exponent = Math.min(a.exponent, b.exponent);
  const [left, right] = [shifted(a, exponent), shifted(b, exponent)];
  return left < right ? -1 : left > right ? 1 : 0;
}

/** Whether there is no part after the point. */
export function isWhole(a: BigNumber): boolean {
  return a.exponent >= 0 || a.mantissa === 0n;
}

/** The part before the point. */
export function truncate(a: BigNumber): bigint {
  if (a.exponent >= 0) return shifted(a, 0);
  const divisor = 1n << BigInt(-a.exponent);
  return a.mantissa / divisor;
}

/** The nearest number of the runtime. */
export function toDouble(a: BigNumber): number {
  return Number(formatNumber(a).replace("Inf", "Infinity"));
}

/** The shortest decimal text that gives the number back at its precision, never with an exponent. */
export function formatNumber(a: BigNumber): string {
  if (a.exponent === Number.POSITIVE_INFINITY) return a.mantissa < 0n ? "-Inf" : "+Inf";
  const { digits, point } = shortestDigits(a);
  return (a.mantissa < 0n ? "-" : "") + placed(digits, point);
}

/** As Go's %g writes it, with the fewest digits. */
export function formatShort(a: BigNumber): string {
  const { digits, point } = shortestDigits(a);
  const power = point - 1;
  if (digits === "" || (power >= -4 && power < 6)) return formatNumber(a);
  const head = digits.slice(0, 1) + (digits.length > 1 ? `.${digits.slice(1)}` : "");
  return `${a.mantissa < 0n ? "-" : ""}${head}e${exponentText(power)}`;
}

/** As Go's %.Nf writes it: half goes to the even digit. */
export function formatFixed(a: BigNumber, places: number): string {
  const scaled = a.mantissa * 10n ** BigInt(places);
  const value = a.exponent >= 0 ? scaled << BigInt(a.exponent) : halfEven(scaled, -a.exponent);
  const sign = a.mantissa < 0n ? "-" : "";
  const text = absolute(value)
    .toString()
    .padStart(places + 1, "0");
  return sign + (places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`);
}

/** As Go's %.Ne writes it. */
export function formatExponent(a: BigNumber, places: number): string {
  if (a.mantissa === 0n) return `${(0).toFixed(places)}e+00`;
  const { digits, point } = exactDigits(absolute(a.mantissa), a.exponent);
  let kept = roundDigits(digits, places + 1);
  let power = point - 1;
  if (kept.length > places + 1) {
    kept = kept.slice(0, places + 1);
    power++;
  }
  kept = kept.padEnd(places + 1, "0");
  const head = places === 0 ? kept : `${kept.slice(0, 1)}.${kept.slice(1)}`;
  return `${a.mantissa < 0n ? "-" : ""}${head}e${exponentText(power)}`;
}

function exponentText(power: number): string {
  return `${power < 0 ? "-" : "+"}${String(Math.abs(power)).padStart(2, "0")}`;
}

function absolute(value: bigint): bigint {
  return value < 0n ? -value : value;
}

function bitLength(value: bigint): number {
  const hex = absolute(value).toString(16);
  return value === 0n
    ? 0
    : (hex.length - 1) * 4 + (32 - Math.clz32(Number.parseInt(hex[0] ?? "0", 16)));
}

function shifted({ mantissa, exponent }: BigNumber, to: number): bigint {
  if (exponent - to > 1 << 20) throw new Fault("exhausted", "a number is too large");
  return mantissa << BigInt(exponent - to);
}

/** value / 2^bits, half to even. */
function halfEven(value: bigint, bits: number): bigint {
  const divisor = 1n << BigInt(bits);
  const positive = absolute(value);
  let whole = positive >> BigInt(bits);
  const rest = (positive - (whole << BigInt(bits))) * 2n;
  if (rest > divisor || (rest === divisor && whole % 2n === 1n)) whole++;
  return value < 0n ? -whole : whole;
}

function rounded(mantissa: bigint, exponent: number, precision: number): BigNumber {
  if (mantissa === 0n) return { mantissa, exponent: 0, precision };
  const over = bitLength(mantissa) - precision;
  let kept = over > 0 ? halfEven(mantissa, over) : mantissa;
  let power = over > 0 ? exponent + over : exponent;
  while (kept % 2n === 0n) {
    const zeros = kept % (1n << 32n) === 0n ? 32 : 1;
    kept >>= BigInt(zeros);
    power += zeros;
  }
  return { mantissa: kept, exponent: power, precision };
}

function quotient(a: bigint, b: bigint, precision: number): BigNumber {
  const shift = Math.max(0, precision + 2 - (bitLength(a) - bitLength(b)));
  const scaled = a << BigInt(shift);
  let whole = scaled / b;
  let exponent = -shift;
  // One more bit says that something follows, so that half is told from more than half.
  if (whole * b !== scaled) {
    whole = whole * 2n + (whole < 0n || (whole === 0n && a < 0n !== b < 0n) ? -1n : 1n);
    exponent--;
  }
  return rounded(whole, exponent, precision);
}

interface Digits {
  /** Without zeros at either end. */
  readonly digits: string;
  /** Where the decimal point is, counted from the first digit. */
  readonly point: number;
}

function exactDigits(mantissa: bigint, exponent: number): Digits {
  if (mantissa === 0n) return { digits: "", point: 0 };
  const places = Math.max(0, -exponent);
  const text = (
    exponent >= 0 ? mantissa << BigInt(exponent) : mantissa * 5n ** BigInt(places)
  ).toString();
  return { digits: text.replace(/0+$/, ""), point: text.length - places };
}

/** The rounding of Go's big.Float to the fewest digits that lie nearer to it than half of its last bit. */
function shortestDigits(a: BigNumber): Digits {
  const mantissa = absolute(a.mantissa);
  const exact = exactDigits(mantissa, a.exponent);
  if (mantissa === 0n) return exact;
  const shift = a.precision + 1 - bitLength(mantissa);
  const wide = mantissa << BigInt(shift);
  const exponent = a.exponent - shift;
  const [lower, upper] = [exactDigits(wide - 1n, exponent), exactDigits(wide + 1n, exponent)];
  const isInclusive = (wide & 2n) === 0n;
  const { digits, point } = exact;
  for (let at = 0; at < digits.length; at++) {
    const [low, digit, up] = [lower.digits[at] ?? "0", digits[at] ?? "0", upper.digits[at] ?? "0"];
    const isDown = low !== digit || (isInclusive && at + 1 === lower.digits.length);
    const isUp =
      digit !== up &&
      (isInclusive || Number(digit) + 1 < Number(up) || at + 1 < upper.digits.length);
    if (!isDown && !isUp) continue;
    const cut = digits.slice(0, at + 1);
    const next = isDown && isUp ? roundDigits(digits, at + 1) : isDown ? cut : increased(cut);
    return { digits: next.replace(/0+$/, ""), point: point + next.length - (at + 1) };
  }
  return exact;
}

/** The first digits, half to even; one more digit than asked for when it carries over. */
function roundDigits(digits: string, count: number): string {
  const cut = digits.slice(0, count);
  const next = digits[count] ?? "0";
  const isHalf = next === "5" && count + 1 >= digits.length;
  const isUp = isHalf ? Number(cut.at(-1) ?? "0") % 2 === 1 : next >= "5";
  return isUp ? increased(cut) : cut;
}

function increased(digits: string): string {
  return (BigInt(digits) + 1n).toString().padStart(digits.length, "0");
}

function placed(digits: string, point: number): string {
  if (digits === "") return "0";
  if (point <= 0) return `0.${"0".repeat(-point)}${digits}`;
  const whole = digits.slice(0, point).padEnd(point, "0");
  const fraction = digits.slice(point);
  return fraction === "" ? whole : `${whole}.${fraction}`;
}
