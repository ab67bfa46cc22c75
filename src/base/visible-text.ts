/** Control characters except newline and tab, and characters that reverse or break lines. */
const obeyed = /(?![\n\t])\p{Cc}|[\p{Bidi_Control}\u2028\u2029]/gu;

/**
 * A stranger's text, safe for a terminal: characters that a terminal would obey, or that would hide
 * the rest of the text, are escaped as in JSON (`\u001b`).
 */
export function visibleText(text: string): string {
  return text.replace(obeyed, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, "0");
    return `\\u${code}`;
  });
}
