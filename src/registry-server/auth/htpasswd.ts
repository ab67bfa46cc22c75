import { createHmac, randomBytes } from "node:crypto";
import { Fault, type Log, Slots } from "#base";
import { openWatchedFile } from "./watched-file.ts";

/** Users and their passwords, of a file in the format of Apache's htpasswd with bcrypt. */
export interface PasswordFile {
  /** Whether the password is right. Unknown users take as long as wrong passwords. `exhausted` when too many are waiting. */
  verify(user: string, password: string): Promise<boolean>;
  /** A text that changes when the user's password does; undefined for a user that is not there. */
  version(user: string): Promise<string | undefined>;
}

interface Entries {
  readonly hashes: ReadonlyMap<string, string>;
  /**
   * The hash for unknown users: of the costliest cost in the file, so that the time tells nothing.
   */
  readonly decoy: string;
}

const bcryptHash = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/;
/** bcrypt reads no more; other implementations cut here, too. */
const maxPasswordBytes = 72;
const maxFileBytes = 4 << 20;
const maxRemembered = 1000;
/** Comparisons take a core each for tens of milliseconds. */
const maxAtOnce = 2;
const maxWaiting = 64;

/**
 * Opens a password file of bcrypt hashes and reads it again when it changes. `invalid` when it
 * cannot be read at the start; a later mistake is logged, and the lines before it stay in force.
 */
export async function openPasswordFile(options: {
  readonly path: string;
  readonly log: Log;
}): Promise<PasswordFile> {
  const { path, log } = options;
  const file = await openWatchedFile({
    path,
    what: "password file",
    parse: (text) => parseEntries(text, path, log),
    maxBytes: maxFileBytes,
    log,
  });
  const compare = createComparison();
  return {
    async verify(user, password) {
      const { hashes, decoy } = await file.current();
      const hash = hashes.get(user);
      const same = await compare(password, hash ?? decoy);
      return hash !== undefined && same;
    },
    async version(user) {
      const hash = (await file.current()).hashes.get(user);
      return hash === undefined
        ? undefined
        : createHmac("sha256", "version").update(hash).digest("base64url").slice(0, 22);
    },
  };
}

function parseEntries(text: string, path: string, log: Log): Entries {
  const hashes = new Map<string, string>();
  let cost = 0;
  for (const [index, line] of text.split("\n").entries()) {
    const plain = line.trim();
    if (plain === "" || plain.startsWith("#")) continue;
    const colon = plain.indexOf(":");
    const user = plain.slice(0, Math.max(colon, 0));
    const hash = plain.slice(colon + 1);
    const match = bcryptHash.exec(hash);
    if (user === "") {
      throw new Fault("invalid", `${path}, line ${index + 1}: there is no "USER:HASH"`, {
        about: path,
      });
    }
    if (!match || Number(match[1]) > 16) {
      log.warn("this user cannot log in: only bcrypt with a cost of at most 16 is understood", {
        user,
        path,
        line: index + 1,
        fix: `thimble registry htpasswd ${path} ${user}`,
      });
      continue;
    }
    cost = Math.max(cost, Number(match[1]));
    hashes.set(user, hash);
  }
  return { hashes, decoy: `$2b$${String(cost || 10).padStart(2, "0")}$${".".repeat(53)}` };
}

type Comparison = (password: string, hash: string) => Promise<boolean>;

/**
 * bcrypt's comparison, which remembers right passwords: a client sends its password with each
 * request.
 */
function createComparison(): Comparison {
  const secret = randomBytes(32);
  const right = new Set<string>();
  const underWay = new Map<string, Promise<boolean>>();
  // Guessing must not take the machine: some wait, the rest is refused.
  const slots = new Slots(maxAtOnce, {
    length: maxWaiting,
    refusal: () => new Fault("exhausted", "too many passwords are being checked; try again later"),
  });
  const check = async (bytes: Uint8Array, hash: string) => {
    using _slot = await slots.take();
    return await Bun.password.verify(bytes, hash, "bcrypt");
  };
  return async (password, hash) => {
    const bytes = Buffer.from(password).subarray(0, maxPasswordBytes);
    // An HMAC by a key that never leaves this process, so that no password is kept.
    const key = createHmac("sha256", secret).update(hash).update(bytes).digest("base64");
    if (right.delete(key)) {
      right.add(key);
      return true;
    }
    let running = underWay.get(key);
    if (!running) {
      running = check(bytes, hash).finally(() => underWay.delete(key));
      underWay.set(key, running);
    }
    const same = await running;
    if (same) right.add(key);
    for (const oldest of right) {
      if (right.size <= maxRemembered) break;
      right.delete(oldest);
    }
    return same;
  };
}

/** The line of a password file for a user, with a new hash. `invalid` when bcrypt or the format cannot hold it. */
export async function passwordEntry(user: string, password: string): Promise<string> {
  if (!/^[^\s:,@*#][^\s:,]{0,254}$/.test(user)) {
    throw new Fault(
      "invalid",
      `"${user.slice(0, 100)}" is not a name for a user: a name has no blanks, colons or commas, and does not begin with @, * or #`,
      { about: user },
    );
  }
  if (password === "") throw new Fault("invalid", "the password is empty");
  if (Buffer.byteLength(password) > maxPasswordBytes) {
    throw new Fault(
      "invalid",
      `the password is longer than the ${maxPasswordBytes} bytes that bcrypt reads`,
    );
  }
  const hash = await Bun.password.hash(password, { algorithm: "bcrypt", cost: 10 });
  // As htpasswd(1) writes it; the algorithm is the same.
  return `${user}:${hash.replace("$2b$", "$2y$")}`;
}
