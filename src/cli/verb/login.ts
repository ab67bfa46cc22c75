import { lines } from "#base";
import { openDockerConfig } from "#client";
import type { Verb } from "../command.ts";
import type { Context } from "../context.ts";
import { Exit } from "../failure.ts";
import type { loginFlags } from "../table/transfer.ts";

const hub = "docker.io";
/** Docker Hub's name in output and requests, as docker has it. */
const hubAddress = "https://index.docker.io/v1/";
const maxPassword = 1 << 20;

export const login: Verb<typeof loginFlags> = async (context, { flags, args, given }) => {
  const registry = registryOf(args[0]);
  const { username, password } = flags;
  if (given.has("password") && flags["password-stdin"]) {
    throw new Exit(1, "conflicting options: cannot specify both --password and --password-stdin");
  }
  if (flags["password-stdin"] && !username) {
    throw new Exit(1, "the --password-stdin option requires --username to be set");
  }
  const config = await openDockerConfig(context.env);
  const serveraddress = registry === hub ? hubAddress : registry;
  if (username === undefined && password === undefined) {
    const kept = await config.credentials(registry);
    if (kept && (kept.username || kept.identitytoken)) {
      await context.out.write(keptMessage(kept.username));
      const { Status } = await context.client.system.login({ ...kept, serveraddress });
      await context.out.write(`${Status}\n`);
      return 0;
    }
  }
  if (given.has("password")) {
    await context.err.write(
      "WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n",
    );
  }
  const auth = {
    username: username ?? (await prompt(context, "Username: ")),
    password:
      password ??
      (flags["password-stdin"] ? await passwordOf(context) : await promptHidden(context)),
    serveraddress,
  };
  const { IdentityToken, Status } = await context.client.system.login(auth);
  const helper = await config.store(
    registry,
    IdentityToken ? { username: auth.username, identitytoken: IdentityToken } : auth,
  );
  if (helper === undefined) {
    await context.err.write(
      `\nWARNING! Your credentials are stored unencrypted in '${config.path}'.\nConfigure a credential helper to remove this warning.\n\n`,
    );
  }
  await context.out.write(`${Status}\n`);
  return 0;
};

export const logout: Verb<Record<never, never>> = async (context, { args }) => {
  const registry = registryOf(args[0]);
  const config = await openDockerConfig(context.env);
  await context.out.write(
    `Removing login credentials for ${registry === hub ? hubAddress : registry}\n`,
  );
  await config.erase(registry);
  return 0;
};

function keptMessage(username: string | undefined): string {
  const who = username ? ` [Username: ${username}]` : "";
  return `Authenticating with existing credentials...${who}\n\n Info -> To login with a different account, run 'thimble logout' followed by 'thimble login'\n\n\n`;
}

/** The host, without scheme and path; Docker Hub for any of its names and for no name. */
function registryOf(text: string | undefined): string {
  const host = (text ?? "").replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  if (host === "" || /^(index|registry-1)\.docker\.io$/.test(host)) return hub;
  if (!/^[\w.:[\]-]+$/.test(host))
    throw new Exit(1, `"${text}" is not a registry: give HOST[:PORT]`);
  return host;
}

/** All of standard input but the newline at its end. */
async function passwordOf({ stdin }: Context): Promise<string> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  for await (const bytes of stdin.read()) {
    size += bytes.byteLength;
    if (size > maxPassword) throw new Exit(1, "the password on standard input is too long");
    chunks.push(bytes);
  }
  return Buffer.concat(chunks)
    .toString()
    .replace(/\r?\n$/, "");
}

async function prompt({ stdin, out }: Context, question: string): Promise<string> {
  if (!stdin.isTerminal) {
    throw new Exit(1, "Error: Cannot perform an interactive login from a non TTY device");
  }
  await out.write(question);
  for await (const line of lines(stdin.read())) {
    const answer = line.trim();
    if (answer === "") break;
    return answer;
  }
  throw new Exit(1, "username is required");
}

const enter = /[\r\n]/;
const interrupt = "\x03";
const endOfInput = "\x04";
const erase = /[\b\x7f]/;

/** Keys are read one by one and not shown. */
async function promptHidden({ stdin, out }: Context): Promise<string> {
  const restore = stdin.raw();
  if (!restore) {
    throw new Exit(1, "Error: Cannot perform an interactive login from a non TTY device");
  }
  try {
    await out.write("Password: ");
    let answer = "";
    for await (const bytes of stdin.read()) {
      for (const key of Buffer.from(bytes).toString()) {
        if (key === interrupt) throw new Exit(130, "");
        if (enter.test(key) || key === endOfInput) {
          if (answer === "") throw new Exit(1, "password is required");
          return answer;
        }
        answer = erase.test(key) ? answer.slice(0, -1) : answer + key;
      }
    }
    throw new Exit(1, "password is required");
  } finally {
    restore();
    await out.write("\n");
  }
}
