import { formatBytes } from "#base";
import { type Digest, parseJson } from "#image";
import type { ReferrerDescriptor } from "../registry-server.ts";
import { type Html, html } from "./html.ts";

/** The parts of a manifest that a page shows. */
export interface ShownManifest {
  readonly repository: string;
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly digest: Digest;
  readonly referrers: readonly ReferrerDescriptor[];
}

interface Row {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly platform: string;
  readonly title: string;
}

const maxRows = 1000;
const maxText = 2000;

/**
 * A manifest or index as tables: its kind, its layers or manifests, annotations, and the manifests
 * that refer to it.
 */
export function manifestView(shown: ShownManifest): Html {
  const { repository, mediaType, digest, bytes } = shown;
  const document = read(bytes);
  const { layers, manifests, config } = document;
  const total = [...layers, ...config].reduce((sum, { size }) => sum + size, 0);
  return html`<table>
<tr><th>Digest</th><td><code>${digest}</code></td></tr>
<tr><th>Type</th><td>${mediaType}</td></tr>
${document.artifactType === "" ? undefined : html`<tr><th>Artifact</th><td>${document.artifactType}</td></tr>`}
${manifests.length > 0 ? undefined : html`<tr><th>Size</th><td>${formatBytes(total)} in ${layers.length} ${layers.length === 1 ? "layer" : "layers"}</td></tr>`}
${document.subject === "" ? undefined : html`<tr><th>Refers to</th><td>${link(repository, document.subject)}</td></tr>`}
</table>
${rows("Manifests", repository, manifests)}
${rows("Configuration", undefined, config)}
${rows("Layers", undefined, layers)}
${annotations(document.annotations)}
${referrers(repository, shown.referrers)}`;
}

/** The address of a manifest's page. */
export function manifestPath(repository: string, reference: string): string {
  const query = new URLSearchParams({ repository, reference });
  return `/?${query}`;
}

function link(repository: string, digest: string): Html {
  return html`<a href="${manifestPath(repository, digest)}"><code>${digest}</code></a>`;
}

function rows(
  title: string,
  repository: string | undefined,
  list: readonly Row[],
): Html | undefined {
  if (list.length === 0) return undefined;
  return html`<h2>${title}</h2><table><tr><th>Digest</th><th>Type</th><th class="number">Size</th></tr>
${list.map(
  (row) =>
    html`<tr><td>${repository === undefined ? html`<code>${row.digest}</code>` : link(repository, row.digest)}${row.title === "" ? undefined : html`<br>${row.title}`}</td><td>${row.platform === "" ? row.mediaType : row.platform}</td><td class="number">${formatBytes(row.size)}</td></tr>\n`,
)}</table>`;
}

function annotations(all: readonly (readonly [string, string])[]): Html | undefined {
  if (all.length === 0) return undefined;
  return html`<h2>Annotations</h2><table>
${all.map(([name, value]) => html`<tr><th>${name}</th><td>${value}</td></tr>\n`)}</table>`;
}

function referrers(repository: string, list: readonly ReferrerDescriptor[]): Html | undefined {
  if (list.length === 0) return undefined;
  return html`<h2>Referrers</h2><table><tr><th>Digest</th><th>Artifact</th><th class="number">Size</th></tr>
${list.map(
  (each) =>
    html`<tr><td>${link(repository, each.digest)}</td><td>${each.artifactType ?? each.mediaType}</td><td class="number">${formatBytes(each.size)}</td></tr>\n`,
)}</table>`;
}

interface ReadDocument {
  readonly artifactType: string;
  readonly subject: string;
  readonly layers: readonly Row[];
  readonly manifests: readonly Row[];
  readonly config: readonly Row[];
  readonly annotations: readonly (readonly [string, string])[];
}

/**
 * The members of whatever type: the registry has checked those that it needs, the page shows the
 * rest as it finds it.
 */
function read(bytes: Buffer): ReadDocument {
  const root = asObject(parseJson("manifest", bytes).value);
  return {
    artifactType: asText(root.artifactType),
    subject: asText(asObject(root.subject).digest),
    layers: asRows(root.layers),
    manifests: asRows(root.manifests),
    config: root.config === undefined ? [] : asRows([root.config]),
    annotations: Object.entries(asObject(root.annotations))
      .slice(0, maxRows)
      .map(([name, value]) => [asText(name), asText(value)] as const),
  };
}

function asRows(value: unknown): Row[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, maxRows).map((each) => {
    const row = asObject(each);
    const platform = asObject(row.platform);
    const parts = [platform.os, platform.architecture, platform.variant].map(asText);
    return {
      mediaType: asText(row.mediaType),
      digest: asText(row.digest),
      size: typeof row.size === "number" && Number.isFinite(row.size) ? row.size : 0,
      platform: parts.filter((part) => part !== "").join("/"),
      title: asText(asObject(row.annotations)["org.opencontainers.image.title"]),
    };
  });
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Record<string, unknown>)
    : {};
}

function asText(value: unknown): string {
  if (typeof value !== "string") return "";
  return value.length > maxText ? `${value.slice(0, maxText)}...` : value;
}
