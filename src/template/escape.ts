const entities: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "'": "&#39;",
  '"': "&#34;",
  "<": "&lt;",
  ">": "&gt;",
  "\0": "\ufffd",
};

/** Text for HTML, as Go's template.HTMLEscaper writes it. */
export function escapeHtml(text: string): string {
  return text.replace(/[&'"<>\0]/g, (character) => entities[character] ?? character);
}

/** Text for a string of JavaScript, as Go's template.JSEscaper writes it. */
export function escapeJs(text: string): string {
  return text.replace(/[\\'"<>&=\u0000-\u001f]/g, (character) =>
    /[\\'"]/.test(character)
      ? `\\${character}`
      : `\\u${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`,
  );
}

/** Text for the query of a URL, as Go's url.QueryEscape writes it. */
export function escapeQuery(text: string): string {
  return encodeURIComponent(text)
    .replaceAll("%20", "+")
    .replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`);
}
