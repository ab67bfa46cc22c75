/** 64 lower-case hexadecimal digits, as Docker names containers. */
export type ContainerId = string & { readonly __brand: "ContainerId" };
export type SandboxId = string & { readonly __brand: "SandboxId" };
export type ExecId = string & { readonly __brand: "ExecId" };

/** A new random id of 64 hexadecimal digits; never all decimal in its first 12, so that a short id is not a number. */
export function newId<T extends ContainerId | ExecId | SandboxId>(): T {
  for (;;) {
    const id = Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex");
    if (!/^[0-9]{12}/.test(id)) return id as T;
  }
}

/** Whether the text is a whole id: 64 lower-case hexadecimal digits. */
export function isContainerId(text: string): text is ContainerId {
  return /^[0-9a-f]{64}$/.test(text);
}

/** The first 12 digits, as Docker prints ids. */
export function shortId(id: string): string {
  return id.replace(/^sha256:/, "").slice(0, 12);
}
