// Makes elements. Text is always text: nothing here can turn a name into markup.

export type Content = Node | string;

export function byId<T extends HTMLElement>(id: string): T {
  const element = document.getElementById(id);
  if (element === null) throw new Error(`the page has no element ${id}`);
  return element as T;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  attributes: Record<string, string> = {},
  ...content: Content[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
}

export interface Column {
  title: string;
  isNumber?: boolean;
}

/** Makes a table that scrolls by itself when it is wider than the page. */
export function table(caption: string, columns: Column[], rows: Content[][]): HTMLElement {
  const kind = (index: number): Record<string, string> =>
    columns[index]?.isNumber ? { class: "number" } : {};
  const head = columns.map((column, index) =>
    make("th", { scope: "col", ...kind(index) }, column.title),
  );
  const body = rows.map((cells) =>
    make("tr", {}, ...cells.map((cell, index) => make("td", kind(index), cell))),
  );
  const whole = make(
    "table",
    { "aria-label": caption },
    make("thead", {}, make("tr", {}, ...head)),
    make("tbody", {}, ...body),
  );
  return make("div", { class: "scroll" }, whole);
}

export function note(text: string, kind: "quiet" | "bad" = "quiet"): HTMLElement {
  return make("p", { class: kind }, text);
}
