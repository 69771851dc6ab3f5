// A Map entry (three words and its share of the buckets, in a table that may be half empty), the string's header, the counted use.
const BYTES_PER_NAME = 96;

/** Small whole numbers, from 1, for names that occur often. A name that nobody uses any more gives its number back. */
export class Interner {
  private readonly codes = new Map<string, number>();
  private readonly names: string[] = [''];
  private readonly uses: number[] = [0];
  private readonly free: number[] = [];
  private nameBytes = 0;

  /** The number of a name, 0 when no row uses it. */
  code(name: string): number {
    return this.codes.get(name) ?? 0;
  }

  /** Estimated bytes. */
  get bytes(): number {
    return this.nameBytes;
  }

  /** The number of a name for one more user of it. */
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

  /** One user less of a number that `take` gave. */
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
