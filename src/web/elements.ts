// Parts of the page, by their ids and names; what is not there is a mistake of the page.

/** The element with an id. */
export function element<T extends Element = HTMLElement>(id: string): T {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`The page has no element #${id}.`);
  return found as unknown as T;
}

/** A control of a form, by its name. */
export function control<T extends Element>(form: HTMLFormElement, name: string): T {
  return form.elements.namedItem(name) as unknown as T;
}

/** Fills a list of choices; those with a reason cannot be chosen, and say why. */
export function fill(
  select: HTMLSelectElement,
  choices: readonly { readonly value: string; readonly label?: string; readonly reason?: string | null }[],
): void {
  const options = choices.map(({ value, label = value, reason = null }) => {
    const option = document.createElement("option");
    option.value = value;
    option.textContent = reason === null ? label : `${label} (${reason})`;
    option.disabled = reason !== null;
    return option;
  });
  select.replaceChildren(...options);
}

/** A term and what it is, in a list of them. */
export function term(name: string, value: string): HTMLElement {
  const pair = document.createElement("div");
  const [dt, dd] = [document.createElement("dt"), document.createElement("dd")];
  dt.textContent = name;
  dd.textContent = value;
  pair.append(dt, dd);
  return pair;
}

/** What a section has to say, aloud too. */
export function say(id: string, message: string, failed = false): void {
  const status = element(id);
  status.textContent = message;
  status.classList.toggle("failed", failed);
}

/** A link to a file made in the page. The caller frees its address when the link is gone. */
export function fileLink(name: string, bytes: Uint8Array<ArrayBuffer>): HTMLAnchorElement {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes], { type: "application/octet-stream" }));
  link.download = name;
  link.textContent = name;
  return link;
}
