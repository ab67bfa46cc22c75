import { objectStoreContract } from "./contract.ts";
import { MemoryStore } from "./testing.ts";

objectStoreContract("memory, as the tests use it", async () => {
  const store = new MemoryStore();
  return {
    store,
    reopen: async () => new MemoryStore({ objects: store.objects }),
    [Symbol.asyncDispose]: async () => store.objects.clear(),
  };
});
