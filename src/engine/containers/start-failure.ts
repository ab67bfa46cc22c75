import { abbreviate, defined, Fault } from "#base";

export interface StartFailure {
  readonly fault: Fault;
  /** Docker's: 127 not found, 126 cannot be executed, 128 anything else. */
  readonly exitCode: number;
}

/** The beginning of Docker's text for a program that a container cannot start, which clients match on. */
export const startRefused =
  "failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed: unable to start container process: error during container init";

const cwdExitCodes: Readonly<Record<string, number>> = { ENOENT: 127, ENOTDIR: 127, EACCES: 126 };

/**
 * Why a program did not start, in runc's words, by which Docker's clients choose
 * their own exit status. A failure before the program's turn stays as it is.
 */
export function describeStartFailure(fault: Fault, program: string): StartFailure {
  if (fault.stage === "cwd") {
    return {
      exitCode: cwdExitCodes[fault.errno ?? ""] ?? 128,
      fault: refused(fault.message, fault),
    };
  }
  if (fault.stage !== "exec") return { exitCode: 128, fault };
  const prefix = `exec: "${abbreviate(program)}":`;
  switch (fault.errno) {
    case "ENOENT":
      return {
        exitCode: 127,
        fault: refused(
          program.includes("/")
            ? `${prefix} stat ${abbreviate(program)}: no such file or directory`
            : `${prefix} executable file not found in $PATH`,
          fault,
        ),
      };
    case "EACCES":
    case "EPERM":
      return { exitCode: 126, fault: refused(`${prefix} permission denied`, fault) };
    case "EISDIR":
      return {
        exitCode: 126,
        fault: refused(`${prefix} is a directory: permission denied`, fault),
      };
    case "ENOTDIR":
      return {
        exitCode: 127,
        fault: refused(`${prefix} stat ${abbreviate(program)}: not a directory`, fault),
      };
    case "ENOEXEC":
      return {
        exitCode: 126,
        fault: refused(`exec ${abbreviate(program)}: exec format error`, fault),
      };
    default:
      return { exitCode: 128, fault: refused(`${prefix} ${fault.message}`, fault) };
  }
}

function refused(message: string, fault: Fault): Fault {
  return new Fault("invalid", message, {
    cause: fault,
    ...defined({ errno: fault.errno, stage: fault.stage }),
  });
}
