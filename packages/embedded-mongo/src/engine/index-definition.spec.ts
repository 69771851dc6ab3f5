import { int } from '../values/bson.js';
import { Index } from './index-definition.js';

describe('Index', () => {
  it('marks only the flags in the written row as saved, not those set during the write', () => {
    const index = new Index(1, 1, { v: 2, key: { a: int(1) }, name: 'a_1' });
    index.multikey = true;
    const saved = index.savingFlags();
    index.cut = true;
    saved();
    expect(index.flagsUnsaved).toBe(true);
    index.savingFlags()();
    expect(index.flagsUnsaved).toBe(false);
  });
});
