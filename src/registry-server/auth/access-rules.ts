import { Fault } from "#base";

/**
 * The actions on a repository; `admin` stands alone: the whole catalogue, metrics behind rights.
 */
export type RegistryAction = "pull" | "push" | "delete" | "admin";

/** The rights of users; without a rule nothing is allowed. */
export interface AccessRules {
  /** The actions that `user` (undefined: without login) may take on `repository`. */
  allowed(user: string | undefined, repository: string): ReadonlySet<RegistryAction>;
  isAdmin(user: string | undefined): boolean;
}

type Pattern = (repository: string) => boolean;

interface Rule {
  readonly who: readonly string[];
  readonly repositories: readonly Pattern[];
  readonly actions: readonly RegistryAction[];
}

const maxRules = 10_000;
const maxBytes = 1 << 20;

const words: Readonly<Record<string, readonly RegistryAction[]>> = {
  pull: ["pull"],
  push: ["pull", "push"],
  delete: ["delete"],
  admin: ["admin"],
  "*": ["pull", "push", "delete"],
};

/**
 * Rules from text, one a line: WHO REPOSITORIES ACTIONS, with commas inside a field and
 * `#` before a comment.
 *
 *     *        public/*            pull              anybody, also without login
 *     @users   base/*              pull              whoever has logged in
 *     alice    team/*,tools        push,delete       push includes pull
 *     root     *                   *,admin           `*`: pull, push and delete
 *
 * `*` in a pattern stands for any text, slashes too. Rules only add to each other. A line
 * that is none is `invalid`, with its number and text.
 */
export function parseAccessRules(text: string, about = "access rules"): AccessRules {
  if (text.length > maxBytes) {
    throw new Fault("exhausted", `${about} is larger than ${maxBytes} bytes`, { about });
  }
  const rules: Rule[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    const plain = line.replace(/(^|\s)#.*$/, "").trim();
    if (plain === "") continue;
    rules.push(parseRule(plain, `${about}, line ${index + 1}`));
    if (rules.length > maxRules) {
      throw new Fault("exhausted", `${about} has more than ${maxRules} rules`, { about });
    }
  }
  return accessOf(rules);
}

/** For a registry with users and no rules: every user who has logged in may do everything. */
export function everythingForUsers(): AccessRules {
  return parseAccessRules("@users * *,admin");
}

function parseRule(line: string, where: string): Rule {
  const refuse: (why: string) => never = (why) => {
    throw new Fault(
      "invalid",
      `${where}: "${line.slice(0, 200)}": ${why}; write WHO REPOSITORIES ACTIONS, as "alice team/* push,delete"`,
      { about: where },
    );
  };
  const fields = line.split(/\s+/);
  const [who = "", repositories = "", actions = ""] = fields;
  if (fields.length !== 3) refuse(`it has ${fields.length} fields instead of 3`);
  return {
    who: items(who, refuse),
    repositories: items(repositories, refuse).map((pattern) => {
      if (!/^[a-z0-9._/*-]+$/.test(pattern)) refuse(`"${pattern}" cannot match a repository`);
      return patternOf(pattern);
    }),
    actions: items(actions, refuse).flatMap(
      (word) =>
        (Object.hasOwn(words, word) ? words[word] : undefined) ??
        refuse(`"${word}" is not an action; there are ${Object.keys(words).join(", ")}`),
    ),
  };
}

function items(field: string, refuse: (why: string) => never): string[] {
  const list = field.split(",");
  if (list.includes("")) refuse(`"${field}" has an empty item`);
  return list;
}

/** The texts between stars, in order, the first and the last at the ends: no backtracking. */
function patternOf(pattern: string): Pattern {
  const [first = "", ...rest] = pattern.split("*");
  const last = rest.pop();
  if (last === undefined) return (name) => name === first;
  return (name) => {
    if (!name.startsWith(first)) return false;
    let at = first.length;
    for (const part of rest) {
      const found = name.indexOf(part, at);
      if (found < 0) return false;
      at = found + part.length;
    }
    return name.length >= at + last.length && name.endsWith(last);
  };
}

function accessOf(rules: readonly Rule[]): AccessRules {
  const fits = (rule: Rule, user: string | undefined) =>
    rule.who.some(
      (who) => who === "*" || (user !== undefined && (who === "@users" || who === user)),
    );
  return {
    allowed(user, repository) {
      const actions = new Set<RegistryAction>();
      for (const rule of rules) {
        if (!fits(rule, user)) continue;
        if (!rule.repositories.some((pattern) => pattern(repository))) continue;
        for (const action of rule.actions) actions.add(action);
      }
      return actions;
    },
    isAdmin: (user) => rules.some((rule) => fits(rule, user) && rule.actions.includes("admin")),
  };
}
