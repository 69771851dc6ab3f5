import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JournalClock } from './clock.js';
import { diskFs, Journal, JournalOverloadedError, JournalUnavailableError, type JournalFs } from './index.js';
import type { JournalOptions } from './journal.js';

/** The disk with switches: held or failing syncs, failing writes, and a count of the syncs. */
class FaultyFs implements JournalFs {
  syncs = 0;
  writeError: Error | undefined;
  syncError: Error | undefined;
  held: Promise<void> | undefined;
  readonly list = diskFs.list.bind(diskFs);
  readonly rename = diskFs.rename.bind(diskFs);
  readonly remove = diskFs.remove.bind(diskFs);
  readonly syncDirectory = diskFs.syncDirectory.bind(diskFs);

  async open(path: string, mode: 'new' | 'update' | 'read') {
    const file = await diskFs.open(path, mode);
    const isMark = path.endsWith('.done');
    return {
      write: async (bytes: Uint8Array, position: number) => {
        if (this.writeError && !isMark) {
          // As a full disk does: a part of it still goes in.
          await file.write(bytes.subarray(0, bytes.length >> 1), position);
          throw this.writeError;
        }
        await file.write(bytes, position);
      },
      sync: async () => {
        this.syncs += 1;
        await this.held;
        if (this.syncError) throw this.syncError;
        await file.sync();
      },
      read: file.read.bind(file),
      size: file.size.bind(file),
      truncate: file.truncate.bind(file),
      close: file.close.bind(file),
    };
  }

  /** Holds every sync until the answer is called. */
  hold(): () => void {
    let release = (): void => undefined;
    this.held = new Promise<void>((resolve) => (release = resolve));
    return () => {
      this.held = undefined;
      release();
    };
  }
}

class ManualClock implements JournalClock {
  time = 1_000_000;
  now(): number {
    return this.time;
  }
  every(): () => void {
    return () => undefined;
  }
}

const diskFull = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });

describe('Journal', () => {
  let dir: string;
  let open: Journal[] = [];
  beforeEach(() => (dir = mkdtempSync(join(tmpdir(), 'journal-'))));
  afterEach(async () => {
    for (const journal of open) await journal.close();
    open = [];
    rmSync(dir, { recursive: true, force: true });
  });

  async function openJournal(options: Partial<JournalOptions> = {}): Promise<Journal> {
    const journal = await Journal.open({ dir, clock: new ManualClock(), ...options });
    open.push(journal);
    return journal;
  }
  const append = (journal: Journal, ...texts: string[]) =>
    Promise.all(texts.map((text) => journal.append(Buffer.from(text))));
  async function takeTexts(journal: Journal, records = 1000, bytes = 1e9): Promise<string[]> {
    const batch = await journal.take(records, bytes);
    return batch?.records.map((record) => String(record.bytes)) ?? [];
  }
  const numbered = (count: number, length = 0): string[] =>
    Array.from({ length: count }, (_, index) => `record-${index}`.padEnd(length, '.'));
  const filesIn = (suffix: string): string[] =>
    readdirSync(dir, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(suffix))
      .map((name) => join(dir, name))
      .sort();
  const onlyFile = (suffix: string): string => {
    const [file, ...others] = filesIn(suffix);
    if (file === undefined || others.length > 0) throw new Error(`There is not one file ${suffix}.`);
    return file;
  };

  describe('group commit', () => {
    it('syncs once for a lone append and once for all that came while that sync was under way', async () => {
      const fs = new FaultyFs();
      const journal = await openJournal({ fs });
      await append(journal, 'first');
      expect(fs.syncs).toBe(1);
      const release = fs.hold();
      const lone = journal.append(Buffer.from('lone'));
      while (fs.syncs < 2) await new Promise(setImmediate);
      const crowd = append(journal, ...numbered(100));
      release();
      await Promise.all([lone, crowd]);
      expect(fs.syncs).toBe(3);
      expect(journal.stats()).toMatchObject({ appends: 102, syncs: 3, groupMax: 100 });
    });

    it('resolves no append before its sync has ended', async () => {
      const fs = new FaultyFs();
      const journal = await openJournal({ fs });
      const release = fs.hold();
      let isAcknowledged = false;
      const appended = append(journal, 'one').then(() => (isAcknowledged = true));
      while (fs.syncs < 1) await new Promise(setImmediate);
      await new Promise(setImmediate);
      expect([isAcknowledged, journal.waiting.count]).toEqual([false, 0]);
      release();
      await appended;
      expect(journal.waiting).toEqual({ count: 1, bytes: 3 });
    });

    it('refuses appends beyond the bytes that may wait for the disk', async () => {
      const fs = new FaultyFs();
      const journal = await openJournal({ fs, maxPendingBytes: 10 });
      const release = fs.hold();
      const first = journal.append(Buffer.from('12345678'));
      await expect(journal.append(Buffer.from('12345678'))).rejects.toThrow(JournalOverloadedError);
      release();
      await first;
      await append(journal, 'again');
      expect(await takeTexts(journal)).toEqual(['12345678', 'again']);
    });

    it('copies the bytes: the caller may use them again', async () => {
      const journal = await openJournal();
      const bytes = Buffer.from('original');
      const appended = journal.append(bytes);
      bytes.fill('x');
      await appended;
      expect(await takeTexts(journal)).toEqual(['original']);
    });
  });

  describe('take', () => {
    it('gives records in order, within the count and the bytes, and at least one', async () => {
      const journal = await openJournal();
      await append(journal, 'aaaa', 'bbbb', 'cccc', 'dddddddd', 'e');
      expect(await takeTexts(journal, 2)).toEqual(['aaaa', 'bbbb']);
      expect(await takeTexts(journal, 9, 5)).toEqual(['cccc']);
      expect(await takeTexts(journal, 9, 5)).toEqual(['dddddddd']);
      expect(await takeTexts(journal)).toEqual(['e']);
      expect(await journal.take(1, 1)).toBeUndefined();
    });

    it('gives a failed batch again, before what is younger', async () => {
      const journal = await openJournal();
      await append(journal, 'a', 'b', 'c');
      const first = await journal.take(1, 9);
      const second = await journal.take(1, 9);
      second?.failed();
      first?.failed();
      first?.failed();
      expect(journal.waiting).toEqual({ count: 3, bytes: 3 });
      expect(await takeTexts(journal, 1)).toEqual(['a']);
      expect(await takeTexts(journal)).toEqual(['b', 'c']);
    });

    it('keeps to its memory and reads the other records back from the segments, in order', async () => {
      const journal = await openJournal({ maxBufferedBytes: 1000, maxSegmentBytes: 5000 });
      const texts = numbered(200, 100);
      for (const text of texts) await append(journal, text);
      expect(journal.stats()).toMatchObject({ bufferedBytes: 1000, waiting: { count: 200, bytes: 20_000 } });
      expect(journal.stats().segments).toBeGreaterThan(4);
      const taken: string[] = [];
      for (let some = await takeTexts(journal, 7); some.length > 0; some = await takeTexts(journal, 7)) {
        taken.push(...some);
        expect(journal.stats().bufferedBytes).toBeLessThanOrEqual(1100);
        if (taken.length === 70) await append(journal, 'late');
      }
      expect(taken).toEqual([...texts, 'late']);
      expect(journal.stats()).toMatchObject({ bufferedBytes: 0, waiting: { count: 0, bytes: 0 } });
    });

    it('tells the age of the oldest record that is not done', async () => {
      const clock = new ManualClock();
      const journal = await openJournal({ clock });
      expect(journal.oldestMs).toBe(0);
      await append(journal, 'old');
      clock.time += 500;
      await append(journal, 'young');
      const batch = await journal.take(1, 9);
      expect(journal.oldestMs).toBe(500);
      await batch?.done();
      clock.time += 10;
      expect(journal.oldestMs).toBe(10);
    });

    it('tells listeners of new records until they end it', async () => {
      const journal = await openJournal();
      let told = 0;
      const stop = journal.onWaiting(() => (told += 1));
      await append(journal, 'a');
      stop();
      await append(journal, 'b');
      expect(told).toBe(1);
    });
  });

  describe('done', () => {
    it('deletes segments whose records are all done, in whatever order the batches end', async () => {
      const journal = await openJournal({ maxSegmentBytes: 300 });
      for (const text of numbered(12, 100)) await append(journal, text);
      expect(filesIn('.seg')).toHaveLength(6);
      const batches = [await journal.take(3, 1e9), await journal.take(3, 1e9), await journal.take(6, 1e9)];
      await batches[1]?.done();
      expect(filesIn('.seg')).toHaveLength(5);
      await batches[0]?.done();
      await batches[2]?.done();
      // The last one is still written to.
      expect(filesIn('.seg')).toHaveLength(1);
      await journal.close();
      expect(readdirSync(dir)).toEqual([]);
    });

    it('keeps what is not done over a close, without what is', async () => {
      const before = await openJournal();
      await append(before, ...numbered(6));
      await (await before.take(2, 1e9))?.done();
      await before.take(1, 1e9);
      await before.close();
      const after = await openJournal();
      expect(after.stats()).toMatchObject({ adopted: 1, replayed: 4, damaged: 0, tornBytes: 0 });
      expect(await takeTexts(after)).toEqual(numbered(6).slice(2));
    });

    it('brings done records again, rather than none, when the mark of what is done is no good', async () => {
      const before = await openJournal();
      await append(before, ...numbered(3));
      await (await before.take(2, 1e9))?.done();
      await before.close();
      writeFileSync(onlyFile('.done'), 'garbage of twelve bytes or more');
      expect(await takeTexts(await openJournal())).toEqual(numbered(3));
    });

    it('removes the mark of a segment that is gone', async () => {
      const before = await openJournal();
      await append(before, ...numbered(2));
      await (await before.take(1, 1e9))?.done();
      await before.close();
      rmSync(onlyFile('.seg'));
      const after = await openJournal();
      await after.close();
      expect(readdirSync(dir)).toEqual([]);
    });

    it('refuses appends after the close', async () => {
      const journal = await openJournal();
      await journal.close();
      await expect(journal.append(Buffer.from('late'))).rejects.toThrow('The journal is closed.');
    });

    it('waits in close for appends under way', async () => {
      const fs = new FaultyFs();
      const journal = await openJournal({ fs });
      const release = fs.hold();
      const appended = append(journal, 'under way');
      const closed = journal.close();
      release();
      await Promise.all([appended, closed]);
      expect(await takeTexts(await openJournal())).toEqual(['under way']);
    });
  });

  describe('a disk that fails', () => {
    it('refuses the group and what waits behind it, then at once, and never gives what it refused', async () => {
      const fs = new FaultyFs();
      const journal = await openJournal({ fs });
      await append(journal, 'kept');
      const release = fs.hold();
      fs.syncError = Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' });
      const group = journal.append(Buffer.from('in the group'));
      while (fs.syncs < 2) await new Promise(setImmediate);
      const behind = journal.append(Buffer.from('behind it'));
      release();
      await expect(group).rejects.toThrow('The journal could not be written: EIO');
      await expect(behind).rejects.toThrow(JournalUnavailableError);
      const { syncs } = fs;
      await expect(journal.append(Buffer.from('later'))).rejects.toThrow('takes no records until');
      expect([fs.syncs, journal.isFailing]).toEqual([syncs, true]);
      expect(await takeTexts(journal)).toEqual(['kept']);
      await journal.close();
      expect(await takeTexts(await openJournal())).toEqual(['kept']);
    });

    it('takes appends again, into a new segment, when a probe could be written and not before', async () => {
      const fs = new FaultyFs();
      const journal = await openJournal({ fs });
      const [before] = await append(journal, 'before');
      fs.writeError = diskFull;
      await expect(journal.append(Buffer.from('too much'))).rejects.toMatchObject({ cause: diskFull });
      expect(await journal.probe()).toBe(false);
      expect(await journal.probe()).toBe(false);
      await expect(journal.append(Buffer.from('refused'))).rejects.toThrow('ENOSPC');
      fs.writeError = undefined;
      expect(await journal.probe()).toBe(true);
      const [after] = await append(journal, 'after');
      expect(after?.segment).not.toBe(before?.segment);
      expect(await takeTexts(journal)).toEqual(['before', 'after']);
      expect(journal.stats()).toMatchObject({ failures: 1, failing: false });
      await journal.close();
      const next = await openJournal();
      expect(next.stats()).toMatchObject({ damaged: 0, tornBytes: 0 });
      expect(await takeTexts(next)).toEqual(['before', 'after']);
    });
  });

  describe('a file that was damaged', () => {
    const errors: unknown[] = [];
    const logger: JournalOptions['logger'] = {
      info: () => undefined,
      warn: () => undefined,
      error: (...args: unknown[]) => void errors.push(args.at(-1)),
    };
    beforeEach(() => errors.splice(0));

    async function leave(...texts: string[]): Promise<string> {
      const journal = await openJournal();
      await append(journal, ...texts);
      await journal.close();
      return onlyFile('.seg');
    }

    it('gives what was whole of a torn tail, without alarm', async () => {
      const file = await leave('one', 'two', 'three');
      writeFileSync(file, readFileSync(file).subarray(0, -2));
      const journal = await openJournal({ logger });
      expect(await takeTexts(journal)).toEqual(['one', 'two']);
      expect(journal.stats()).toMatchObject({ damaged: 0, tornBytes: 23, replayed: 2 });
      expect(errors).toEqual([]);
    });

    it('says loudly that the middle is damaged, gives the other records, and keeps the file aside when they are done', async () => {
      const file = await leave('one', 'two', 'three');
      const bytes = readFileSync(file);
      bytes.write('TWO', bytes.indexOf('two'));
      writeFileSync(file, bytes);
      const journal = await openJournal({ logger });
      expect(errors).toEqual([expect.stringContaining('23 bytes of it cannot be read')]);
      expect(journal.stats()).toMatchObject({ damaged: 1, replayed: 2 });
      const batch = await journal.take(9, 99);
      expect(batch?.records.map((record) => String(record.bytes))).toEqual(['one', 'three']);
      expect(filesIn('.damaged')).toEqual([]);
      await batch?.done();
      expect(filesIn('.seg')).toEqual([]);
      expect(readFileSync(onlyFile('.damaged'))).toEqual(bytes);
    });

    it('takes a torn end for damage where it is not the last file of its process', async () => {
      const before = await openJournal({ maxSegmentBytes: 60 });
      for (const text of ['one', 'two', 'three']) await append(before, text);
      await before.close();
      const [file = ''] = filesIn('.seg');
      writeFileSync(file, readFileSync(file).subarray(0, -2));
      const journal = await openJournal({ logger });
      expect(errors).toHaveLength(1);
      expect(await takeTexts(journal)).toEqual(['one', 'three']);
    });

    it('goes on with the next record when one cannot be read back any more', async () => {
      const journal = await openJournal({ maxBufferedBytes: 3, logger });
      await append(journal, 'one', 'two', 'three', 'four');
      const file = onlyFile('.seg');
      const bytes = readFileSync(file);
      bytes.write('THREE', bytes.indexOf('three'));
      writeFileSync(file, bytes);
      expect(await takeTexts(journal)).toEqual(['one', 'two', 'four']);
      expect(errors).toEqual([expect.stringContaining('is damaged')]);
      expect(journal.waiting).toEqual({ count: 0, bytes: 0 });
    });
  });
});
