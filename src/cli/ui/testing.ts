import { type Effect, emptyModel, type Item, type Model, press } from "./model.ts";

/** A container in a state. */
export const item = (name: string, state = "running"): Item => ({
  id: name,
  name,
  detail: state,
  state,
});
/** Some containers, an image and a volume. */
export const model: Model = {
  ...emptyModel,
  lists: {
    containers: [item("web"), item("db"), item("old", "exited")],
    images: [item("debian:12", "")],
    volumes: [item("data", "")],
  },
  lines: ["first", "second"],
};

/** The model after these keys, and what they asked for. */
export function pressed(
  keys: readonly string[],
  from = model,
): { model: Model; effects: Effect[] } {
  const effects: Effect[] = [];
  let now = from;
  for (const key of keys) {
    const { model: next, effect } = press(now, key);
    now = next;
    if (effect.kind !== "none") effects.push(effect);
  }
  return { model: now, effects };
}
