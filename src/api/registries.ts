import { defined, Fault, faultOf, isFault } from "#base";
import type { Engine, TransferEvent } from "#engine";
import { parseReference } from "#image";
import {
  type AuthResponse,
  credentialsOf,
  type DistributionInspect,
  type SearchResult,
} from "#wire";
import type { ApiContext } from "./context.ts";
import type { Exchange } from "./exchange.ts";
import { jsonPlatformOf, platformOf, requirePlatform } from "./platform-query.ts";
import { withProgress } from "./progress-stream.ts";
import { registryHost, requestCredentials } from "./registry-auth.ts";
import { registryFault } from "./registry-wording.ts";
import { checkTag } from "./repo-tag.ts";
import type { Route } from "./router.ts";
import { transferMessages } from "./transfer-message.ts";

/** The traffic with registries. Pull shares its path with import: see image-archives. */
export function registryRoutes(context: ApiContext): readonly Route[] {
  const on =
    (handle: (context: ApiContext, exchange: Exchange) => Promise<void>) => (exchange: Exchange) =>
      handle(context, exchange);
  return [
    { method: "GET", pattern: "/images/search", handle: on(search) },
    { method: "POST", pattern: "/images/*name/push", handle: on(push) },
    { method: "POST", pattern: "/auth", handle: on(login) },
    { method: "GET", pattern: "/distribution/*name/json", handle: on(distribution) },
  ];
}

/** POST /images/create?fromImage=: the tag may be a digest, and may stand in the name as well. */
export async function pull({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const name = query.text("fromImage") ?? "";
  const tag = query.text("tag");
  const platform = exchange.has("pullPlatform") ? platformOf(exchange) : undefined;
  const separator = tag?.includes(":") ? "@" : ":";
  const written = tag === undefined ? name : `${name}${separator}${checkTag(tag)}`;
  const reference = parsedReference(written);
  const all = reference.tag === undefined && reference.digest === undefined;
  const credentials = requestCredentials(exchange, reference.domain);
  await withProgress(exchange, async () => {
    try {
      await engine.images.pull(
        { reference: written, all, credentials, ...defined({ platform }) },
        reporter(exchange, "pull"),
        exchange.signal,
      );
    } catch (error) {
      throw registryFault(faultOf(error), {
        pulled: reference,
        hasCredentials: credentials(reference.domain) !== undefined,
      });
    }
  });
}

async function push({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const name = exchange.param("name");
  const tag = query.text("tag");
  const platform = exchange.has("pushPlatform") ? jsonPlatformOf(exchange) : undefined;
  const reference = parsedReference(tag === undefined ? name : `${name}:${tag}`);
  const written = tag === undefined ? name : `${name}:${tag}`;
  const compression = query.text("compression");
  const credentials = requestCredentials(exchange, reference.domain);
  if (platform !== undefined) await requirePushed(engine, written, platform);
  // Docker's engine answers 200 before it looks, so that every other failure is the last line.
  exchange.begin("application/json");
  await withProgress(exchange, async () => {
    try {
      await engine.images.push(
        {
          reference: written,
          all: reference.tag === undefined,
          credentials,
          ...defined({ platform, compression }),
        },
        reporter(exchange, "push"),
        exchange.signal,
      );
    } catch (error) {
      throw registryFault(faultOf(error), {
        pushed: reference,
        hasCredentials: credentials(reference.domain) !== undefined,
      });
    }
  });
}

/** An image that is not here is told of in the stream. */
async function requirePushed(engine: Engine, ref: string, platform: string): Promise<void> {
  const image = await engine.images.get(ref).catch(() => undefined);
  if (image) requirePlatform(platform, ref, image);
}

function reporter(exchange: Exchange, verb: "pull" | "push"): (event: TransferEvent) => void {
  return (event) => {
    for (const message of transferMessages(event, verb)) exchange.progress(message);
  };
}

function parsedReference(text: string): ReturnType<typeof parseReference> {
  try {
    return parseReference(text);
  } catch (cause) {
    if (!isFault(cause, "invalid")) throw cause;
    throw new Fault("invalid", cause.message, { about: text, cause });
  }
}

async function login({ engine, schemas }: ApiContext, exchange: Exchange): Promise<void> {
  const body = await exchange.json(schemas.authSchema);
  const host = registryHost(body.serveraddress ?? "");
  const credentials = credentialsOf(definedOf(body)) ?? {};
  try {
    const { identityToken } = await engine.registries.login(host, credentials);
    const answer: AuthResponse = { IdentityToken: identityToken ?? "", Status: "Login Succeeded" };
    exchange.sendJson(200, answer);
  } catch (error) {
    throw registryFault(faultOf(error), { host, hasCredentials: true });
  }
}

/** Go's zero values: null and absent are the same. */
function definedOf(body: Readonly<Record<string, unknown>>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    Object.entries(body).filter((entry): entry is [string, string] => typeof entry[1] === "string"),
  );
}

async function distribution({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const name = exchange.param("name");
  const reference = parsedReference(name);
  const credentials = requestCredentials(exchange, reference.domain);
  try {
    const found = await engine.registries.distribution(name, credentials, exchange.signal);
    const { mediaType, digest, size, platforms } = found;
    const answer: DistributionInspect = {
      Descriptor: { mediaType, digest, size },
      Platforms: platforms.map(({ architecture, os, variant }) => ({
        architecture,
        os,
        ...defined({ variant }),
      })),
    };
    exchange.sendJson(200, answer);
  } catch (error) {
    throw registryFault(faultOf(error), {
      hasCredentials: credentials(reference.domain) !== undefined,
    });
  }
}

const maxFound = 100;

async function search({ engine }: ApiContext, exchange: Exchange): Promise<void> {
  const { query } = exchange;
  const limit = query.whole("limit");
  if (limit !== undefined && limit !== 0 && (limit < 1 || limit > maxFound))
    throw new Fault("invalid", `limit ${limit} is outside the range of [1, ${maxFound}]`);
  const filters = query.filters(["is-automated", "is-official", "stars"]);
  const stars = Math.max(0, ...(filters.stars ?? []).map(starsOf));
  const term = query.text("term") ?? "";
  const slash = term.indexOf("/");
  const domain =
    slash > 0 && /[.:]|^localhost$/.test(term.slice(0, slash)) ? term.slice(0, slash) : "docker.io";
  const credentials = requestCredentials(exchange, domain);
  try {
    const found = await engine.registries.search(term, {
      ...defined({ limit: limit || undefined }),
      credentials,
    });
    const wanted = (key: string, is: boolean) =>
      filters[key]?.every((value) => /^(1|true)$/.test(value) === is) ?? true;
    const answer: SearchResult[] = found
      .filter(
        (each) =>
          each.stars >= stars &&
          wanted("is-official", each.official) &&
          wanted("is-automated", false),
      )
      .map(({ name, description, stars: star_count, official }) => ({
        star_count,
        is_official: official,
        name,
        is_automated: false,
        description,
      }));
    exchange.sendJson(200, answer);
  } catch (error) {
    throw registryFault(faultOf(error), { hasCredentials: credentials(domain) !== undefined });
  }
}

function starsOf(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new Fault("invalid", `invalid filter 'stars=${text}'`);
  return Number(text);
}
