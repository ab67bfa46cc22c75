import { BlockList, isIP } from "node:net";
import { Fault } from "#base";
import { isLoopbackHost, unbracket } from "./address.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * The proxy for a URL as HTTP_PROXY, HTTPS_PROXY and NO_PROXY (also in lower case, which
 * counts first) say; undefined goes directly. This machine is never reached through one.
 * NO_PROXY lists names (with their subdomains), addresses, CIDR blocks, each perhaps with
 * a port, or "*", as golang.org/x/net/http/httpproxy reads it.
 */
export function proxyFor(url: URL, environment: Environment): URL | undefined {
  const read = (name: string) => environment[name.toLowerCase()] || environment[name];
  const setting = read(url.protocol === "https:" ? "HTTPS_PROXY" : "HTTP_PROXY");
  if (!setting || isLoopbackHost(url.hostname)) return undefined;
  if (isExcepted(url, read("NO_PROXY") ?? "")) return undefined;
  return parseProxy(setting);
}

/** "http://[user:password@]host[:port]", "https://..." or "host:port"; others are `unsupported`. */
export function parseProxy(setting: string): URL {
  const text = setting.includes("://") ? setting : `http://${setting}`;
  const proxy = URL.canParse(text) ? new URL(text) : undefined;
  if (proxy && /^https?:$/.test(proxy.protocol)) return proxy;
  const shown = setting.replace(/\/\/[^@]*@/, "//");
  throw new Fault(
    proxy ? "unsupported" : "invalid",
    `"${shown}" cannot be used as a proxy: it must be http://HOST:PORT or https://HOST:PORT`,
    { about: shown },
  );
}

function isExcepted(url: URL, list: string): boolean {
  const host = unbracket(url.hostname).toLowerCase();
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return list
    .split(",")
    .map((each) => each.trim().toLowerCase())
    .filter((each) => each !== "")
    .some((entry) => entry === "*" || matches(entry, host, port));
}

function matches(entry: string, host: string, port: string): boolean {
  if (entry.includes("/")) return isInBlock(entry, host);
  const withPort = /^(.*?)(?::(\d+))?$/.exec(entry);
  const isBareIpv6 = isIP(entry) === 6;
  const name = unbracket(isBareIpv6 ? entry : (withPort?.[1] ?? entry)).replace(/^\*(?=\.)/, "");
  if (!isBareIpv6 && withPort?.[2] !== undefined && withPort[2] !== port) return false;
  if (isIP(name) !== 0) return name === host;
  return name.startsWith(".") ? host.endsWith(name) : host === name || host.endsWith(`.${name}`);
}

function isInBlock(entry: string, host: string): boolean {
  const [network = "", bits] = entry.split("/");
  const family = isIP(network);
  if (family === 0 || isIP(host) !== family || !/^\d{1,3}$/.test(bits ?? "")) return false;
  if (Number(bits) > (family === 6 ? 128 : 32)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(bits), family === 6 ? "ipv6" : "ipv4");
  return list.check(host, family === 6 ? "ipv6" : "ipv4");
}
