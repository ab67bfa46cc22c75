type Metadata = {
  defineMetadata(key: unknown, value: unknown, target: object): void;
  getMetadata(key: unknown, target: object): unknown;
  getOwnMetadata(key: unknown, target: object): unknown;
};

/**
 * The three functions of the Reflect metadata proposal that @peculiar/x509 wants to find
 * when it is loaded (its container of algorithms asks for them); nothing of ours uses them.
 */
export function provideReflectMetadata(): void {
  const reflect = Reflect as unknown as Partial<Metadata>;
  if (reflect.getMetadata) return;
  const all = new WeakMap<object, Map<unknown, unknown>>();
  const getOwnMetadata = (key: unknown, target: object) => all.get(target)?.get(key);
  Object.assign(reflect, {
    defineMetadata(key, value, target) {
      const own = all.get(target) ?? new Map();
      all.set(target, own.set(key, value));
    },
    getOwnMetadata,
    getMetadata(key, target) {
      for (let at: object | null = target; at !== null; at = Object.getPrototypeOf(at)) {
        const found = getOwnMetadata(key, at);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  } satisfies Metadata);
}
