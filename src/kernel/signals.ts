import { constants } from "node:os";

const byName = new Map<string, number>();
for (const [name, value] of Object.entries(constants.signals))
  if (!name.startsWith("SIGRT")) byName.set(name.slice(3), value);

/** signal(7): the C libraries keep 32 and 33 for themselves, so programs count from 34. */
const RTMIN = 34;
const RTMAX = 64;

/** "TERM", "SIGTERM", "15", "RTMIN+3" or "SIGRTMAX-1", in any case, as a number of 1 to 64; undefined for anything else. */
export function signalNumber(nameOrNumber: string | number): number | undefined {
  const text = String(nameOrNumber).trim().toUpperCase();
  if (/^[0-9]{1,3}$/.test(text)) {
    const number = Number(text);
    return number >= 1 && number <= RTMAX ? number : undefined;
  }
  const name = text.replace(/^SIG/, "");
  const realTime = /^RT(MIN|MAX)(?:([+-])([0-9]{1,2}))?$/.exec(name);
  if (realTime === null) return byName.get(name);
  const offset = Number(realTime[3] ?? 0) * (realTime[2] === "-" ? -1 : 1);
  const number = (realTime[1] === "MIN" ? RTMIN : RTMAX) + offset;
  return number >= RTMIN && number <= RTMAX ? number : undefined;
}

/** Of two names for one number (SIGIOT, SIGPOLL), the one that people know. */
const preferred: Readonly<Record<number, string>> = {
  6: "SIGABRT",
  17: "SIGCHLD",
  29: "SIGIO",
  31: "SIGSYS",
};

/** "SIGTERM", "SIGRTMIN+3"; a number without a name gives itself in digits. */
export function signalName(number: number): string {
  if (number >= RTMIN && number <= RTMAX) {
    if (number === RTMIN) return "SIGRTMIN";
    if (number === RTMAX) return "SIGRTMAX";
    return number <= RTMIN + 15 ? `SIGRTMIN+${number - RTMIN}` : `SIGRTMAX-${RTMAX - number}`;
  }
  const known = preferred[number];
  if (known !== undefined) return known;
  for (const [name, value] of byName) if (value === number) return `SIG${name}`;
  return String(number);
}
