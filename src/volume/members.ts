/** Who has to do with which name. */
export class Members {
  readonly #members = new Map<string, Set<string>>();

  add(name: string, member: string): void {
    const members = this.#members.get(name);
    if (members) members.add(member);
    else this.#members.set(name, new Set([member]));
  }

  /** Whether it was one. */
  remove(name: string, member: string): boolean {
    const members = this.#members.get(name);
    if (!members?.delete(member)) return false;
    if (members.size === 0) this.#members.delete(name);
    return true;
  }

  /** Removes the member everywhere; the names. */
  leaveAll(member: string): string[] {
    return [...this.#members.keys()].filter((name) => this.remove(name, member));
  }

  isEmpty(name: string): boolean {
    return !this.#members.has(name);
  }
}
