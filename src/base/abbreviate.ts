/** A text that a user wrote, for a message: whole, or its first `limit` characters and "...". */
export function abbreviate(text: string, limit = 256): string {
  return text.length <= limit ? text : `${text.slice(0, limit)}...`;
}
