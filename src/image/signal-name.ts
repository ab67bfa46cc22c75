/** The names of signal(7), without "SIG". */
const names: ReadonlySet<string> = new Set(
  "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ".split(
    " ",
  ),
);

/** Whether a text names a signal of Linux, with or without "SIG", in any case: "SIGTERM", "rtmin+3". */
export function isSignalName(text: string): boolean {
  const name = text.toUpperCase().replace(/^SIG/, "");
  return names.has(name) || /^RT(MIN(\+\d{1,2})?|MAX(-\d{1,2})?)$/.test(name);
}
