import { Fault } from "#base";
import type { Context } from "./context.ts";

/** Asks for a secret on the terminal, which does not show the keys. Ctrl-C and Ctrl-D give up. */
export async function askPassword(
  { stdin, err }: Pick<Context, "stdin" | "err">,
  prompt: string,
): Promise<string> {
  const restore = stdin.raw();
  if (!restore) {
    throw new Fault("invalid", `cannot ask for a password: the input device is not a TTY`);
  }
  const typed: number[] = [];
  try {
    await err.write(prompt);
    for await (const chunk of stdin.read()) {
      for (const byte of chunk) {
        if (byte === 0x0d || byte === 0x0a) return Buffer.from(typed).toString();
        if (byte === 0x03 || byte === 0x04) throw new Fault("canceled", "no password was given");
        if (byte === 0x7f || byte === 0x08) eraseCharacter(typed);
        else typed.push(byte);
      }
    }
    throw new Fault("canceled", "no password was given");
  } finally {
    restore();
    await err.write("\n");
  }
}

/** The last character, with all of its bytes in UTF-8. */
function eraseCharacter(typed: number[]): void {
  while (((typed.pop() ?? 0) & 0xc0) === 0x80);
}
