import { Fault } from "#base";

/** An address to listen on: "HOST:PORT", ":PORT" (everywhere) or "[::1]:PORT". `invalid` for any other text. */
export function parseAddress(text: string): { readonly host: string; readonly port: number } {
  const [, bracketed, plain, port] =
    /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text) ?? [];
  if (port !== undefined && Number(port) <= 65535) {
    return { host: bracketed ?? (plain || "0.0.0.0"), port: Number(port) };
  }
  throw new Fault(
    "invalid",
    `"${text}" is not an address: write HOST:PORT, as 127.0.0.1:5000 or [::1]:5000`,
    { about: text },
  );
}
