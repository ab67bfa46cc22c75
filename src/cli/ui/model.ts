/** The lists on the left, in their order. */
export const panels = ["containers", "images", "volumes"] as const;

export type Panel = (typeof panels)[number];

/** A line of a list. */
export interface Item {
  readonly id: string;
  readonly name: string;
  /** Shown behind the name. */
  readonly detail: string;
  /** A container's: "running", "exited" ...; "" for the others. */
  readonly state: string;
}

/** What is shown on the right, of a container; the others have "info" alone. */
export const tabs = ["logs", "stats", "why"] as const;

type Tab = (typeof tabs)[number];

export type Action =
  | "start"
  | "stop"
  | "restart"
  | "pause"
  | "unpause"
  | "kill"
  | "remove"
  | "shell";

/** All that is on the screen. A value: keys and news give another one. */
export interface Model {
  readonly lists: Readonly<Record<Panel, readonly Item[]>>;
  readonly panel: Panel;
  /** The id of the chosen item of each list; it may be gone. */
  readonly chosen: Readonly<Record<Panel, string>>;
  readonly tab: Tab;
  /** The lines on the right, and how many of the last are scrolled past. */
  readonly lines: readonly string[];
  readonly scrolled: number;
  readonly focus: "list" | "lines";
  /** The chosen line of the menu; undefined while it is closed. */
  readonly menu: number | undefined;
  /** Waits for a yes. */
  readonly asked: Action | undefined;
  /** The last failure or success, at the bottom. */
  readonly message: string;
}

/** What is to be done beside another picture. */
export type Effect =
  | { readonly kind: "none" | "quit" }
  | { readonly kind: "act"; readonly action: Action; readonly panel: Panel; readonly item: Item };

export const emptyModel: Model = {
  lists: { containers: [], images: [], volumes: [] },
  panel: "containers",
  chosen: { containers: "", images: "", volumes: "" },
  tab: "logs",
  lines: [],
  scrolled: 0,
  focus: "list",
  menu: undefined,
  asked: undefined,
  message: "",
};

/** The chosen item; the first one where the chosen is gone. */
export function chosenItem(model: Model, panel: Panel = model.panel): Item | undefined {
  const list = model.lists[panel];
  return list.find(({ id }) => id === model.chosen[panel]) ?? list[0];
}

/** The letter of an action in the menu and outside of it, and what it says. */
export interface Choice {
  readonly key: string;
  readonly action: Action;
}

/** The actions that an item has in its state. */
export function choicesOf(panel: Panel, item: Item | undefined): readonly Choice[] {
  if (!item) return [];
  const remove: Choice = { key: "d", action: "remove" };
  if (panel !== "containers") return [remove];
  if (item.state === "paused")
    return [{ key: "p", action: "unpause" }, { key: "s", action: "stop" }, remove];
  if (item.state !== "running" && item.state !== "restarting")
    return [{ key: "r", action: "start" }, remove];
  return [
    { key: "e", action: "shell" },
    { key: "s", action: "stop" },
    { key: "r", action: "restart" },
    { key: "p", action: "pause" },
    { key: "K", action: "kill" },
    remove,
  ];
}

const nothing: Effect = { kind: "none" };

/** What a key does. */
export function press(
  model: Model,
  key: string,
): { readonly model: Model; readonly effect: Effect } {
  if (key === "ctrl-c") return { model, effect: { kind: "quit" } };
  if (model.asked) return answer(model, model.asked, key);
  if (model.menu !== undefined) return inMenu(model, model.menu, key);
  if (key === "q") return { model, effect: { kind: "quit" } };
  const choices = choicesOf(model.panel, chosenItem(model));
  const choice = choices.find((each) => each.key === key);
  if (choice) return choose(model, choice.action);
  if (key === "x" && choices.length > 0) return { model: { ...model, menu: 0 }, effect: nothing };
  return { model: moved(model, key), effect: nothing };
}

function answer(model: Model, action: Action, key: string) {
  const closed = { ...model, asked: undefined };
  return key === "y" || key === "enter"
    ? { model: closed, effect: act(model, action) }
    : { model: closed, effect: nothing };
}

function inMenu(model: Model, at: number, key: string) {
  const choices = choicesOf(model.panel, chosenItem(model));
  const closed = { ...model, menu: undefined };
  const picked = key === "enter" ? choices[at] : choices.find((each) => each.key === key);
  if (picked) return choose(closed, picked.action);
  if (key === "up" || key === "down") {
    const next = (at + (key === "up" ? -1 : 1) + choices.length) % Math.max(1, choices.length);
    return { model: { ...model, menu: next }, effect: nothing };
  }
  return {
    model: key === "escape" || key === "x" || key === "q" ? closed : model,
    effect: nothing,
  };
}

/** What cannot be undone is asked first. */
function choose(model: Model, action: Action) {
  if (action === "remove" || action === "kill")
    return { model: { ...model, asked: action }, effect: nothing };
  return { model, effect: act(model, action) };
}

function act(model: Model, action: Action): Effect {
  const item = chosenItem(model);
  return item ? { kind: "act", action, panel: model.panel, item } : nothing;
}

function moved(model: Model, key: string): Model {
  const { panel, tab, focus } = model;
  const number = Number(key);
  if (number >= 1 && number <= panels.length)
    return shows({ ...model, panel: panels[number - 1] ?? panel, focus: "list" });
  if (key === "tab" || key === "back-tab")
    return shows({ ...model, panel: turned(panels, panel, key === "tab" ? 1 : -1), focus: "list" });
  if (key === "[" || key === "left") return shows({ ...model, tab: turned(tabs, tab, -1) });
  if (key === "]" || key === "right") return shows({ ...model, tab: turned(tabs, tab, 1) });
  if (key === "enter") return { ...model, focus: focus === "list" ? "lines" : "list" };
  if (key === "escape") return { ...model, focus: "list", scrolled: 0, message: "" };
  const step = steps[key];
  if (step === undefined) return model;
  if (focus === "lines" || Math.abs(step) > 1) {
    const scrolled = Math.min(
      Math.max(0, model.scrolled - step),
      Math.max(0, model.lines.length - 1),
    );
    return { ...model, scrolled };
  }
  const list = model.lists[panel];
  const at = list.findIndex(({ id }) => id === chosenItem(model)?.id);
  const next = list[Math.min(Math.max(0, at + step), list.length - 1)];
  if (!next || next.id === list[at]?.id) return model;
  return shows({ ...model, chosen: { ...model.chosen, [panel]: next.id } });
}

const steps: Readonly<Record<string, number>> = {
  ...{ up: -1, down: 1, k: -1, j: 1 },
  ...{ "page-up": -10, "page-down": 10 },
};

/** Another thing is on the right: its lines are to come. */
function shows(model: Model): Model {
  return { ...model, lines: [], scrolled: 0 };
}

function turned<T>(all: readonly T[], one: T, step: number): T {
  return all[(all.indexOf(one) + step + all.length) % all.length] ?? one;
}
