/** Members by name, and names by member. */
export class Members {
  readonly #members = new Map<string, Set<string>>();

  add(name: string, member: string): void {
    const members = this.#members.get(name);
    if (members) members.add(member);
    else this.#members.set(name, new Set([member]));
  }

  /** Gives whether it was a member. */
  remove(name: string, member: string): boolean {
    const members = this.#members.get(name);
    if (!members?.delete(member)) return false;
    if (members.size === 0) this.#members.delete(name);
    return true;
  }

  /** Removes the member from all names; gives those names. */
  leaveAll(member: string): string[] {
    return [...this.#members.keys()].filter((name) => this.remove(name, member));
  }

  has(name: string, member: string): boolean {
    return this.#members.get(name)?.has(member) ?? false;
  }

  isEmpty(name: string): boolean {
    return !this.#members.has(name);
  }
}
