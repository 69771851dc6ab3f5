// Per name: a Map entry (three words plus its share of the buckets, in a table that may be half empty), the
// string header, the use count.
const BYTES_PER_NAME = 96;

/**
 * Assigns small integers, starting at 1, to frequently used names. The number of a name that is no longer
 * used is reused.
 */
export class Interner {
  private readonly codes = new Map<string, number>();
  private readonly names: string[] = [''];
  private readonly uses: number[] = [0];
  private readonly free: number[] = [];
  private nameBytes = 0;

  /** Returns the number of a name, or 0 if the name is not in use. */
  code(name: string): number {
    return this.codes.get(name) ?? 0;
  }

  /** Estimated memory, bytes. */
  get bytes(): number {
    return this.nameBytes;
  }

  /** Returns the number of a name and counts one more use. */
  take(name: string): number {
    const known = this.codes.get(name);
    if (known !== undefined) {
      this.uses[known] = (this.uses[known] ?? 0) + 1;
      return known;
    }
    const code = this.free.pop() ?? this.names.length;
    this.codes.set(name, code);
    this.names[code] = name;
    this.uses[code] = 1;
    this.nameBytes += BYTES_PER_NAME + name.length;
    return code;
  }

  /** Counts one use less of a number returned by `take`. */
  release(code: number): void {
    const left = (this.uses[code] ?? 0) - 1;
    this.uses[code] = left;
    if (left > 0) return;
    const name = this.names[code] ?? '';
    this.codes.delete(name);
    this.names[code] = '';
    this.free.push(code);
    this.nameBytes -= BYTES_PER_NAME + name.length;
  }
}
