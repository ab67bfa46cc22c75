import { Fault } from "#base";

/** Another container under a name that one container alone has for it. */
export interface Link {
  /** The name or id of the other container. */
  readonly name: string;
  readonly alias: string;
}

/**
 * "NAME", "NAME:ALIAS", or "/NAME:/OWNER/ALIAS" as inspect shows it. `invalid`, in Docker's words,
 * for anything else, and for an alias that cannot be the name of a host.
 */
export function parseLink(text: string): Link {
  if (text === "") throw new Fault("invalid", "empty string specified for links");
  const [first = "", second, ...more] = text.split(":");
  const isShown = first.startsWith("/") && second !== undefined;
  const name = isShown ? first.slice(1) : first;
  const alias = isShown ? second.slice(second.lastIndexOf("/") + 1) : (second ?? name);
  if (more.length === 0 && /^[\w.-]+$/.test(name) && isHostName(alias)) return { name, alias };
  throw new Fault("invalid", `bad format for links: ${text}`, { about: text });
}

/** A name that hosts(5) and a question can carry. */
function isHostName(name: string): boolean {
  return (
    name.length < 254 && name.split(".").every((label) => /^[^\s#/\P{ASCII}]{1,63}$/u.test(label))
  );
}
