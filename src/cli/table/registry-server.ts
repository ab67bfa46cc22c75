import { command, group } from "../command.ts";
import { bool, duration, list, size, text } from "../flag.ts";
import { json } from "./containers.ts";
import { logLevel } from "./log-level.ts";

const bucket = {
  s3: text("Keep the objects in a bucket of S3 (keys: AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY)", {
    placeholder: "BUCKET[/PREFIX]",
  }),
  "s3-endpoint": text("Address of the server that speaks S3", { placeholder: "URL" }),
  "s3-region": text("Region of the bucket"),
};

const root = text(
  "Directory of the registry's data; a directory of docker-registry works unchanged",
  {
    shownDefault: "/var/lib/thimble/registry",
    complete: "file",
  },
);

const file = { complete: "file", placeholder: "FILE" } as const;
const deleteUntagged = bool("Also remove manifests that no tag refers to");

/** The options of a served registry: declared here alone, and handed on under these names. */
export const registryServeFlags = {
  addr: text("Address to listen on", { placeholder: "HOST:PORT", shownDefault: "127.0.0.1:5000" }),
  root,
  "host-name": list(
    "Additional name by which clients reach a registry on loopback (behind a proxy)",
  ),
  htpasswd: text(
    "File with users and passwords (see `registry htpasswd`); without it, no user can log in",
    file,
  ),
  access: text(
    "File with access rules: lines of USERS REPOSITORIES ACTIONS (default: users may do everything)",
    file,
  ),
  token: bool("Give tokens to users at /token, as Docker Hub does"),
  "token-service": text("Name of this registry in tokens", { shownDefault: "thimble-registry" }),
  "token-realm": text("Accept tokens of another issuer: the URL where clients get them", {
    placeholder: "URL",
  }),
  "token-issuer": text("Name of that issuer"),
  "token-certs": text("Certificates or public keys of that issuer (PEM)", file),
  "tls-cert": text("Certificate (PEM, with the chain to its authority)", file),
  "tls-key": text("Private key of the certificate (PEM)", file),
  "tls-own": bool("Make a certificate, signed by an authority that is made once below the root"),
  "tls-name": list("Additional name or address in the certificate"),
  proxy: list("Cache this registry (docker.io), or several (PREFIX=HOST)", {
    placeholder: "HOST",
  }),
  "proxy-login": bool("Fetch with the credentials of `thimble login`"),
  "proxy-ttl": duration("How long a cached tag is used before the upstream is asked again", {
    shownDefault: "1m",
  }),
  "proxy-size": size("Size limit of the cache; the least recently used blobs are removed first"),
  ...bucket,
  metrics: text(
    'Serve metrics for Prometheus: on an address of their own, or "shared" for /metrics',
    {
      placeholder: "HOST:PORT",
    },
  ),
  web: bool("Pages for people at /", { initial: true }),
  "gc-interval": duration("Collect garbage this often (default: never)"),
  "gc-grace": duration("Minimum age of data to remove; must be longer than a push takes", {
    shownDefault: "1h",
  }),
  "delete-untagged": deleteUntagged,
  "log-level": logLevel,
};

export const registryCollectFlags = {
  root,
  ...bucket,
  "dry-run": bool("Only list what would be removed"),
  "delete-untagged": deleteUntagged,
  "gc-grace": duration("Minimum age of data to remove; must be longer than a push takes", {
    shownDefault: "1h",
  }),
  json,
};

export const registryPasswordFlags = {
  "password-stdin": bool("Take the password from stdin"),
  delete: bool("Remove the user", { short: "D" }),
};

const serveCommand = command({
  summary: "Serve a registry, without an engine",
  usage: "[OPTIONS]",
  flags: registryServeFlags,
  examples: [
    ["registry serve --root ./images", "a registry for this machine"],
    [
      "registry serve --addr :5000 --tls-own --htpasswd users --access rights",
      "for other machines: TLS, users and access rules",
    ],
    ["registry serve --proxy docker.io --proxy-size 50g", "a cache of Docker Hub"],
    ["registry serve --s3 bucket/registry --s3-region eu-west-1", "objects in a bucket"],
  ],
  load: async () => (await import("../verb/registry-serve.ts")).registryServe,
});

const collectCommand = command({
  summary: "Remove unreferenced data from a registry that is not being served",
  usage: "[OPTIONS]",
  flags: registryCollectFlags,
  examples: [["registry gc --root ./images --dry-run", "list what would be removed"]],
  load: async () => (await import("../verb/registry-serve.ts")).registryCollect,
});

const passwordCommand = command({
  summary: "Set a user's password in a file for --htpasswd, or remove the user",
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
