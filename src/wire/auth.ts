import { z } from "zod";
import { text } from "./schema-parts.ts";

/** The body of POST /auth. */
export const authSchema = z.looseObject({
  username: text,
  password: text,
  email: text,
  auth: text,
  serveraddress: text,
  identitytoken: text,
  registrytoken: text,
});
