/** Control characters but newline and tab, and what turns or breaks lines on the sly. */
const obeyed = /(?![\n\t])\p{Cc}|[\p{Bidi_Control}\u2028\u2029]/gu;

/** Text of a stranger for a terminal: what it would obey, or what would hide the rest, is escaped as JSON escapes it. */
export function visibleText(text: string): string {
  return text.replace(obeyed, (character) => {
    const code = character.charCodeAt(0).toString(16).padStart(4, "0");
    return `\\u${code}`;
  });
}
