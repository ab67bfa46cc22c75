import { spawn } from "node:child_process";
import { abbreviate, Fault } from "#base";
import type { AuthConfig } from "#wire";

type Env = Readonly<Record<string, string | undefined>>;

/** A helper may ask its user for a passphrase. */
const patience = 60_000;
const maxOutput = 1 << 20;

/** Helpers give a token in the password's place under this name. */
const tokenUser = "<token>";

/**
 * Credential helpers: programs docker-credential-NAME in the PATH that take a verb as
 * their argument and JSON or a registry on standard input (docker-credential-helpers,
 * "Development"). Undefined when the helper has nothing.
 */
export async function readFromHelper(
  helper: string,
  registry: string,
  env: Env,
): Promise<AuthConfig | undefined> {
  const { status, output } = await call(helper, "get", registry, env);
  if (status !== 0) {
    if (/credentials not found/i.test(output)) return undefined;
    throw failed(helper, "get", output);
  }
  const { Username, Secret } = parse(helper, output) as { Username?: unknown; Secret?: unknown };
  if (typeof Secret !== "string" || Secret === "") return undefined;
  if (Username === tokenUser) return { serveraddress: registry, identitytoken: Secret };
  const username = typeof Username === "string" ? Username : "";
  return { serveraddress: registry, username, password: Secret };
}

/**
 * Hands credentials to docker-credential-HELPER (its "store" command); a Fault with its words when
 * it fails.
 */
export async function storeInHelper(helper: string, auth: AuthConfig, env: Env): Promise<void> {
  const { serveraddress = "", username = "", password = "", identitytoken } = auth;
  const input = JSON.stringify({
    ServerURL: serveraddress,
    Username: identitytoken ? tokenUser : username,
    Secret: identitytoken ?? password,
  });
  const { status, output } = await call(helper, "store", input, env);
  if (status !== 0) throw failed(helper, "store", output);
}

/** Makes docker-credential-HELPER forget a registry; does nothing when it has nothing. */
export async function eraseFromHelper(helper: string, registry: string, env: Env): Promise<void> {
  const { status, output } = await call(helper, "erase", registry, env);
  if (status !== 0 && !/credentials not found/i.test(output)) throw failed(helper, "erase", output);
}

/** The registries that the helper has credentials for. */
export async function listHelper(helper: string, env: Env): Promise<readonly string[]> {
  const { status, output } = await call(helper, "list", "", env);
  return status === 0 ? Object.keys(parse(helper, output)) : [];
}

function parse(helper: string, output: string): object {
  try {
    const value: unknown = JSON.parse(output);
    if (typeof value === "object" && value !== null) return value;
  } catch (cause) {
    throw new Fault("invalid", `docker-credential-${helper} did not answer with JSON`, { cause });
  }
  return {};
}

function failed(helper: string, verb: string, output: string): Fault {
  const why = abbreviate(output.trim().split("\n").at(-1) ?? "") || "it did not say why";
  return new Fault(
    "unavailable",
    `the credential helper docker-credential-${helper} failed to ${verb}: ${why}`,
    { about: helper },
  );
}

interface Answer {
  readonly status: number;
  readonly output: string;
}

function call(helper: string, verb: string, input: string, env: Env): Promise<Answer> {
  if (!/^[\w.-]+$/.test(helper)) {
    throw new Fault("invalid", `"${helper}" in config.json is not the name of a credential helper`);
  }
  const program = `docker-credential-${helper}`;
  return new Promise((resolve, reject) => {
    const child = spawn(program, [verb], {
      env: env as NodeJS.ProcessEnv,
      stdio: ["pipe", "pipe", "inherit"],
    });
    const timer = setTimeout(() => {
      child.kill("SIGKILL");
      child.stdout.destroy();
      reject(new Fault("timeout", `${program} ${verb} did not end within ${patience / 1000} s`));
    }, patience);
    let output = "";
    child.stdout.on("data", (bytes: Buffer) => {
      output += bytes.toString();
      if (output.length <= maxOutput) return;
      clearTimeout(timer);
      child.kill("SIGKILL");
      child.stdout.destroy();
      reject(
        new Fault("exhausted", `${program} ${verb} answers with more than ${maxOutput} bytes`),
      );
    });
    child.stdin.on("error", () => undefined);
    child.stdin.end(input);
    child.once("error", (cause: NodeJS.ErrnoException) => {
      clearTimeout(timer);
      const why = cause.code === "ENOENT" ? "it is not in the PATH" : cause.message;
      reject(
        new Fault("unavailable", `cannot run the credential helper ${program}: ${why}`, {
          about: program,
          cause,
        }),
      );
    });
    child.once("close", (code) => {
      clearTimeout(timer);
      resolve({ status: code ?? 1, output });
    });
  });
}
