import { command, group } from "../command.ts";
import { bool, duration, list, size, text } from "../flag.ts";
import { json } from "./containers.ts";

const bucket = {
  s3: text("Keep the objects in a bucket of S3 (keys: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)", {
    placeholder: "BUCKET[/PREFIX]",
  }),
  "s3-endpoint": text("Address of the server that speaks S3", { placeholder: "URL" }),
  "s3-region": text("Region of the bucket"),
};

const root = text(
  "Where the registry is kept; docker-registry's directories are taken as they are",
  {
    shownDefault: "/var/lib/thimble/registry",
    complete: "file",
  },
);

const file = { complete: "file", placeholder: "FILE" } as const;
const deleteUntagged = bool("Collect manifests that no tag leads to, too");

export const registryServeFlags = {
  addr: text("Where to listen", { placeholder: "HOST:PORT", shownDefault: "127.0.0.1:5000" }),
  root,
  "host-name": list("Further name by which clients reach a registry on loopback (behind a proxy)"),
  htpasswd: text("Users and passwords (see `registry htpasswd`); without it nobody logs in", file),
  access: text(
    "Who may do what: lines of WHO REPOSITORIES ACTIONS (default: users everything)",
    file,
  ),
  token: bool("Give tokens to users at /token, as Docker Hub does"),
  "token-service": text("Name of this registry in tokens", { shownDefault: "thimble-registry" }),
  "token-realm": text("Accept tokens of another issuer: where clients get them", {
    placeholder: "URL",
  }),
  "token-issuer": text("Name of that issuer"),
  "token-certs": text("Its certificates or public keys (PEM)", file),
  "tls-cert": text("Certificate (PEM, with what leads to its authority)", file),
  "tls-key": text("Private key of the certificate (PEM)", file),
  "tls-own": bool("Make a certificate, by an authority made once below the root"),
  "tls-name": list("Further name or address for the certificate made"),
  proxy: list("Be a cache of this registry (docker.io), or of several (PREFIX=HOST)", {
    placeholder: "HOST",
  }),
  "proxy-login": bool("Fetch with the credentials of `thimble login`"),
  "proxy-ttl": duration("How long a tag of the cache is not asked about again", {
    shownDefault: "1m",
  }),
  "proxy-size": size("Bytes the cache may keep; what was used least recently goes first"),
  ...bucket,
  metrics: text(
    'Serve metrics for Prometheus: on an address of their own, or "shared" for /metrics',
    {
      placeholder: "HOST:PORT",
    },
  ),
  web: bool("Pages for people at /", { initial: true }),
  "gc-interval": duration("Collect garbage this often (default: never)"),
  "gc-grace": duration("Age below which nothing is collected; more than a push takes", {
    shownDefault: "1h",
  }),
  "delete-untagged": deleteUntagged,
  "log-level": text("What to log: debug, info, warn or error", {
    short: "l",
    shownDefault: "info",
    complete: ["debug", "info", "warn", "error"],
  }),
};

export const registryCollectFlags = {
  root,
  ...bucket,
  "dry-run": bool("Only say what would go"),
  "delete-untagged": deleteUntagged,
  "gc-grace": duration("Age below which nothing is collected; more than a push takes", {
    shownDefault: "1h",
  }),
  json,
};

export const registryPasswordFlags = {
  "password-stdin": bool("Take the password from stdin"),
  delete: bool("Take the user out", { short: "D" }),
};

const serveCommand = command({
  summary: "Serve a registry, without an engine",
  usage: "[OPTIONS]",
  flags: registryServeFlags,
  examples: [
    ["registry serve --root ./images", "a registry for this machine"],
    [
      "registry serve --addr :5000 --tls-own --htpasswd users --access rights",
      "for others: TLS, users, and who of them may do what",
    ],
    ["registry serve --proxy docker.io --proxy-size 50g", "a cache of Docker Hub"],
    ["registry serve --s3 bucket/registry --s3-region eu-west-1", "objects in a bucket"],
  ],
  load: async () => (await import("../verb/registry-serve.ts")).registryServe,
});

const collectCommand = command({
  summary: "Remove what nothing refers to from a registry that is not being served",
  usage: "[OPTIONS]",
  flags: registryCollectFlags,
  examples: [["registry gc --root ./images --dry-run", "what would go"]],
  load: async () => (await import("../verb/registry-serve.ts")).registryCollect,
});

const passwordCommand = command({
  summary: "Set a user's password in a file for --htpasswd, or take the user out",
  usage: "[OPTIONS] FILE USER",
  flags: registryPasswordFlags,
  args: [2, 2],
  complete: "file",
  examples: [["registry htpasswd users alice", "asks for the password of alice"]],
  load: async () => (await import("../verb/registry-serve.ts")).registryPassword,
});

export const registryGroup = group("Serve and keep a registry", {
  gc: collectCommand,
  htpasswd: passwordCommand,
  serve: serveCommand,
});
