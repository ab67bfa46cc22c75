/** A text of the user's inside a message: whole, or its beginning when it is longer than `limit` characters. */
export function abbreviate(text: string, limit = 256): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}...`;
}
