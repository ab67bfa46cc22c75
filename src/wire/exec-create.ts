import { z } from "zod";
import { argv, flag, longTexts, text } from "./schema-parts.ts";

/** Height, then width, in characters. */
const consoleSize = z.array(z.int().min(0).max(65_535)).max(2).nullish();

/** The body of POST /containers/ID/exec. */
export const execCreateSchema = z.looseObject({
  User: text,
  Privileged: flag,
  Tty: flag,
  ConsoleSize: consoleSize,
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  DetachKeys: text,
  Env: longTexts,
  WorkingDir: text,
  Cmd: argv,
});

/** The body of POST /exec/ID/start. */
export const execStartSchema = z.looseObject({
  Detach: flag,
  Tty: flag,
  ConsoleSize: consoleSize,
});

export type ExecCreateBody = z.infer<typeof execCreateSchema>;
export type ExecStartBody = z.infer<typeof execStartSchema>;
