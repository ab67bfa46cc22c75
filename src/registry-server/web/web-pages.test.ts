import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { Fault } from "#base";
import { sha256 } from "#image";
import type { Catalogue, HandlerContext } from "../registry-server.ts";
import { createWebPages } from "./web-pages.ts";

const hostile = `"><script>alert(1)</script><img src=x onerror='alert(2)'>\u202e`;
const manifest = Buffer.from(
  JSON.stringify({
    schemaVersion: 2,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    artifactType: hostile,
    config: { mediaType: hostile, digest: "sha256:<b>", size: 10 },
    layers: [
      {
        mediaType: "application/x",
        digest: "sha256:ab",
        size: 2_000_000,
        annotations: { "org.opencontainers.image.title": hostile },
      },
      { mediaType: 5, digest: null, size: "many" },
    ],
    subject: { digest: hostile },
    annotations: { [hostile]: hostile, fine: "yes", number: 3 },
  }),
);

const repositories = Array.from(
  { length: 250 },
  (_, index) => `team/app${String(index).padStart(3, "0")}`,
);
const pageOf = (all: readonly string[], { after = "", limit = 100 } = {}) =>
  all.filter((each) => each > after).slice(0, limit);
const catalogue: Catalogue = {
  repositories: async (options) => pageOf(repositories, options),
  async tags(repository, options) {
    if (!repositories.includes(repository)) throw new Fault("not_found", "no such repository");
    return pageOf(["1.0", "latest"], options);
  },
  manifest: async () => ({
    bytes: manifest,
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    digest: sha256(manifest),
  }),
  referrers: async () => [{ mediaType: "m", digest: sha256("r"), size: 3, artifactType: hostile }],
};

interface Asked {
  readonly method?: string;
  readonly authorization?: string;
  /** Told of each question to the authorizer. */
  readonly asked?: () => void;
  /** What this reader may see. */
  readonly sees?: (repository: string) => boolean;
  readonly isKnown?: boolean;
}

async function get(
  path: string,
  {
    method = "GET",
    authorization,
    asked = () => undefined,
    sees = () => true,
    isKnown = true,
  }: Asked = {},
) {
  const url = new URL(path, "https://registry.example:5000");
  const context: HandlerContext = {
    url,
    remote: "192.0.2.1",
    origin: url.origin,
    catalogue,
    authorize: async (repository) => {
      asked();
      return (repository === undefined ? isKnown : sees(repository))
        ? { ok: true }
        : { ok: false, status: 401, challenge: "Bearer x" };
    },
  };
  const headers = authorization === undefined ? {} : { authorization };
  const response = await createWebPages().handle(
    new Request(url.href, { method, headers }),
    context,
  );
  return { response, text: (await response?.text()) ?? "" };
}

describe("pages", () => {
  test("list the repositories that the reader may see, page by page", async () => {
    const first = await get("/");
    expect(first.text).toContain('<a href="/?repository=team%2Fapp000">team/app000</a>');
    expect(first.text).toContain("team/app099");
    expect(first.text).not.toContain("team/app100");
    expect(first.text).toContain('<a href="/?after=team%2Fapp099">More</a>');
    const last = await get("/?after=team%2Fapp199");
    expect(last.text).toContain("team/app249");
    expect(last.text).not.toContain("More");
    const few = await get("/ui", { sees: (name) => name.endsWith("7") });
    expect(few.text.match(/team\/app\d+</g)).toHaveLength(25);
    expect((await get("/", { sees: () => false })).text).toContain(
      "Nothing is here that you may see",
    );
  });

  test("show the tags of a repository and the parts of a manifest", async () => {
    const tags = await get("/?repository=team/app001");
    expect(tags.text).toContain(
      '<a href="/?repository=team%2Fapp001&amp;reference=latest">latest</a>',
    );
    expect(tags.text).toContain("docker pull registry.example:5000/team/app001:TAG");
    const page = await get("/?repository=team/app001&reference=latest");
    expect(page.text).toContain(sha256(manifest));
    expect(page.text).toContain("2MB in 2 layers");
    expect(page.text).toContain("<th>fine</th><td>yes</td>");
  });

  test("nothing of a stranger's is anything but text", async () => {
    const name = encodeURIComponent(hostile);
    for (const path of [
      "/?repository=team/app001&reference=latest",
      `/?repository=team/app001&reference=${name}`,
      `/?repository=${name}`,
      `/?after=${name}`,
    ]) {
      const { text } = await get(path);
      expect(text).not.toContain("<script");
      expect(text).not.toContain("<img");
      expect(text).not.toContain("<b>");
      expect(text).not.toContain("\u202e");
      // Inside a tag no quote of a stranger's ends an attribute.
      for (const tag of text.match(/<[a-z][^>]*>/g) ?? []) {
        expect(tag).toMatch(/^<[a-z0-9]+( [a-z-]+="[^"<>]*")*>$|^<!doctype html>$/);
      }
    }
  });

  test("may load and run nothing but their own style", async () => {
    const { response, text } = await get("/");
    const policy = response?.headers.get("content-security-policy") ?? "";
    const style = /<style>([\s\S]*?)<\/style>/.exec(text)?.[1] ?? "";
    const hash = createHash("sha256").update(style).digest("base64");
    expect(policy).toBe(
      `default-src 'none'; style-src 'sha256-${hash}'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'`,
    );
    expect(response?.headers.get("x-content-type-options")).toBe("nosniff");
    expect(response?.headers.get("cache-control")).toBe("no-store");
  });

  test("forbidden and missing pages look the same", async () => {
    const hidden = await get("/?repository=team/app001", { sees: () => false });
    const missing = await get("/?repository=team/none");
    expect([hidden.response?.status, missing.response?.status]).toEqual([404, 404]);
    expect(hidden.text).toBe(missing.text);
  });

  test("logging in asks the browser for a password, and a wrong one is told", async () => {
    const asked = await get("/login", { isKnown: false });
    expect(asked.response?.status).toBe(401);
    expect(asked.response?.headers.get("www-authenticate")).toStartWith("Basic ");
    const known = await get("/login", { authorization: "Basic YTpi" });
    expect([known.response?.status, known.response?.headers.get("location")]).toEqual([303, "/"]);
    let times = 0;
    const wrong = await get("/", {
      authorization: "Basic YTpi",
      isKnown: false,
      asked: () => times++,
    });
    expect(wrong.response?.status).toBe(401);
    // Each costs a password's check, of which few may run at once.
    expect(times).toBe(1);
    expect(wrong.text).not.toContain("team/app000");
  });

  test("are read only, and leave other paths to others", async () => {
    expect((await get("/", { method: "POST" })).response?.status).toBe(405);
    expect((await get("/token")).response).toBeUndefined();
  });
});
