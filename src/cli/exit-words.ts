import { constants } from "node:os";

/** What an exit status says, and what usually helps; "" where nothing does. */
export interface ExitWords {
  readonly says: string;
  readonly advice: string;
}

/** Signals by what brings them about. */
const signals: Readonly<Record<string, readonly [says: string, advice: string]>> = {
  SIGHUP: ["its terminal was closed", "run it without a terminal, or ignore SIGHUP"],
  SIGINT: ["someone pressed ctrl-c or sent an interrupt", ""],
  SIGQUIT: ["someone asked it to quit with a core dump", ""],
  SIGILL: [
    "it used an instruction that this CPU does not have",
    "use an image that is built for an older CPU (x86-64-v2 in place of v3)",
  ],
  SIGABRT: ["it gave up on itself: an assertion or a failed allocation", "read the end of its log"],
  SIGBUS: [
    "it touched memory without a file behind it, often because /dev/shm was full",
    "give it more: --shm-size 256m",
  ],
  SIGFPE: ["it divided by zero or the like", "read the end of its log"],
  SIGKILL: ["someone or the kernel killed it without giving it a chance", ""],
  SIGSEGV: [
    "it touched memory that it does not have: a bug, or libraries that do not fit together",
    "read the end of its log; look whether image and libraries are for the same distribution",
  ],
  SIGPIPE: ["it wrote to a connection or pipe that nobody reads", ""],
  SIGTERM: ["someone asked it to end", ""],
  SIGSYS: [
    "it made a system call that the seccomp profile forbids",
    "allow the call: --security-opt seccomp=PROFILE",
  ],
};

/** The name of a signal by its number, as "SIGKILL". */
export function signalName(number: number): string | undefined {
  return Object.entries(constants.signals).find(([, each]) => each === number)?.[0];
}

/** An exit status in words: success, one of a shell's, one that stands for a signal, or the program's own. */
export function exitWords(status: number): ExitWords {
  if (status === 0)
    return { says: "its program ended by itself, without an error (exit status 0)", advice: "" };
  const signal = status > 128 ? signalName(status - 128) : undefined;
  if (signal) {
    const [says, advice] = signals[signal] ?? ["someone sent that signal", ""];
    return { says: `its program ended with ${signal} (exit status ${status}): ${says}`, advice };
  }
  if (status === 126)
    return {
      says: "a command could not be executed (exit status 126)",
      advice: "look at its mode and its format",
    };
  if (status === 127)
    return {
      says: "a command or a library was not found (exit status 127)",
      advice: "look at the names in the command and in the log",
    };
  return {
    says: `its program ended with an error of its own (exit status ${status})`,
    advice: "read the end of its log",
  };
}
