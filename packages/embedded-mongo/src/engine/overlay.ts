import { compareBytes, keyOfText, keyText } from './key-layout.js';
import type { Entry, KeyRange, View } from './view.js';

const BLOCK = 512;

/** The value written for a key, or null when the transaction deleted it. */
type Written = Uint8Array | null;

/** Sorted text keys in blocks, so that an insert moves few of them. */
class SortedKeys {
  private blocks: string[][] = [];

  insert(key: string): void {
    const at = this.blockOf(key);
    const block = this.blocks[at];
    if (!block) {
      this.blocks.push([key]);
      return;
    }
    block.splice(lowerBound(block, key), 0, key);
    if (block.length > BLOCK) this.blocks.splice(at + 1, 0, block.splice(BLOCK / 2));
  }

  /** Keys in [low, high) in ascending or descending order. */
  *range(low: string, high: string, reverse: boolean): Generator<string> {
    if (reverse) {
      for (let b = Math.min(this.blockOf(high), this.blocks.length - 1); b >= 0; b--) {
        const block = this.blocks[b]!;
        for (let i = lowerBound(block, high) - 1; i >= 0; i--) {
          const key = block[i]!;
          if (key < low) return;
          yield key;
        }
      }
      return;
    }
    for (let b = this.blockOf(low); b < this.blocks.length; b++) {
      const block = this.blocks[b]!;
      for (let i = lowerBound(block, low); i < block.length; i++) {
        const key = block[i]!;
        if (key >= high) return;
        yield key;
      }
    }
  }

  /** The block that contains `key` or would receive it: the last one whose first key is not greater. */
  private blockOf(key: string): number {
    let low = 0;
    let high = this.blocks.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.blocks[middle]![0]! <= key) low = middle + 1;
      else high = middle;
    }
    return Math.max(0, low - 1);
  }
}

const lowerBound = (keys: string[], key: string): number => {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
    else high = middle;
  }
  return low;
};

/**
 * The uncommitted writes of a transaction on top of a snapshot. Reads and range scans return both combined.
 */
export class Overlay implements View {
  private readonly written = new Map<string, Written>();
  private readonly sorted = new SortedKeys();

  constructor(private readonly base: View) {}

  get size(): number {
    return this.written.size;
  }

  put(key: Uint8Array, value: Uint8Array): void {
    this.write(keyText(key), value);
  }

  remove(key: Uint8Array): void {
    this.write(keyText(key), null);
  }

  get(key: Uint8Array): Uint8Array | undefined {
    if (this.written.size === 0) return this.base.get(key);
    const written = this.written.get(keyText(key));
    return written === undefined ? this.base.get(key) : (written ?? undefined);
  }

  has(key: Uint8Array): boolean {
    if (this.written.size === 0) return this.base.has(key);
    const written = this.written.get(keyText(key));
    return written === undefined ? this.base.has(key) : written !== null;
  }

  keys(range: KeyRange): Iterable<Uint8Array> {
    if (!this.touches(range)) return this.base.keys(range);
    return this.mergedKeys(range);
  }

  entries(range: KeyRange): Iterable<Entry> {
    if (!this.touches(range)) return this.base.entries(range);
    return this.mergedEntries(range);
  }

  *writes(): Generator<{ key: Uint8Array; value: Written }> {
    for (const [text, value] of this.written) yield { key: keyOfText(text), value };
  }

  private write(text: string, value: Written): void {
    if (!this.written.has(text)) this.sorted.insert(text);
    this.written.set(text, value);
  }

  private touches({ low, high }: KeyRange): boolean {
    if (this.written.size === 0) return false;
    for (const _ of this.sorted.range(keyText(low), keyText(high), false)) return true;
    return false;
  }

  private *mergedKeys(range: KeyRange): Generator<Uint8Array> {
    for (const { key } of this.merge(range, this.base.keys(range), (key) => key)) yield key;
  }

  private *mergedEntries(range: KeyRange): Generator<Entry> {
    for (const { key, value, base } of this.merge(range, this.base.entries(range), (entry) => entry.key)) {
      yield base ?? { key, value: value! };
    }
  }

  /** Merges two sorted sequences. For a key in both, the transaction's write takes precedence. */
  private *merge<T>(
    range: KeyRange,
    below: Iterable<T>,
    keyOf: (item: T) => Uint8Array,
  ): Generator<{ key: Uint8Array; value?: Uint8Array; base?: T }> {
    const sign = range.reverse ? -1 : 1;
    const own = this.sorted.range(keyText(range.low), keyText(range.high), range.reverse ?? false);
    let mine = own.next();
    for (const item of below) {
      const key = keyOf(item);
      let replaced = false;
      while (!mine.done) {
        const mineKey = keyOfText(mine.value);
        const order = compareBytes(mineKey, key) * sign;
        if (order > 0) break;
        const value = this.written.get(mine.value);
        if (value) yield { key: mineKey, value };
        mine = own.next();
        if (order === 0) {
          replaced = true;
          break;
        }
      }
      if (!replaced) yield { key, base: item };
    }
    for (; !mine.done; mine = own.next()) {
      const value = this.written.get(mine.value);
      if (value) yield { key: keyOfText(mine.value), value };
    }
  }
}
