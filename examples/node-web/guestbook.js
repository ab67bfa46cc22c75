const entities = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Names of guests, the latest first, as a page. */
export class Guestbook {
  #names = [];

  sign(name) {
    if (name.trim() !== "") this.#names.unshift(name.trim().slice(0, 80));
  }

  page() {
    const escaped = (text) => text.replace(/[&<>"]/g, (character) => entities[character]);
    const items = this.#names.map((name) => `<li>${escaped(name)}</li>`).join("");
    return `<!doctype html><title>Guestbook</title><h1>Guestbook</h1><ul>${items}</ul>`;
  }
}
