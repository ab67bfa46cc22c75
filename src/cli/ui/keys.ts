const names: Readonly<Record<string, string>> = {
  "\u001b[A": "up",
  "\u001b[B": "down",
  "\u001b[C": "right",
  "\u001b[D": "left",
  "\u001bOA": "up",
  "\u001bOB": "down",
  "\u001bOC": "right",
  "\u001bOD": "left",
  "\u001b[5~": "page-up",
  "\u001b[6~": "page-down",
  "\u001b[Z": "back-tab",
  "\r": "enter",
  "\n": "enter",
  "\t": "tab",
  "\u001b": "escape",
  "\u0003": "ctrl-c",
};

const key = /\u001b(?:\[[0-9;]*[A-Za-z~]|O[A-Z])|[\s\S]/gu;

/** The keys behind what a terminal sends: names as "up" and "enter", else the character itself; unknown sequences are left out. */
export function keysOf(bytes: Uint8Array): readonly string[] {
  const found = Buffer.from(bytes).toString().match(key) ?? [];
  return found.flatMap((each) => names[each] ?? (each.startsWith("\u001b") ? [] : each));
}
