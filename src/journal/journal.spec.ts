import {
  cpSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { JournalClock } from './clock.js';
import { diskFs, Journal, JournalOverloadedError, JournalUnavailableError } from './index.js';
import type { JournalFile, JournalFs, OpenMode } from './journal-fs.js';
import type { JournalOptions } from './journal.js';

/** The disk with switches: held or failing syncs, failing writes, and a count of the syncs. */
class FaultyFs implements JournalFs {
  syncs = 0;
  writeError: Error | undefined;
  syncError: Error | undefined;
  fillError: Error | undefined;
  fillHeld: Promise<void> | undefined;
  held: Promise<void> | undefined;
  readonly list = diskFs.list.bind(diskFs);
  renameHeld: Promise<void> | undefined;
  readonly remove = diskFs.remove.bind(diskFs);
  readonly syncDirectory = diskFs.syncDirectory.bind(diskFs);

  async rename(from: string, to: string): Promise<void> {
    await this.renameHeld;
    await diskFs.rename(from, to);
  }

  async open(path: string, mode: OpenMode): Promise<JournalFile> {
    const file = await diskFs.open(path, mode);
    return {
      write: file.write.bind(file),
      writeThrough: async (bytes, position) => {
        if (this.writeError) {
          // As a full disk does: a part of it still goes in.
          await file.write(bytes.subarray(0, bytes.length >> 1), position);
          throw this.writeError;
        }
        this.syncs += 1;
        await this.held;
        await file.writeThrough(bytes, position);
        if (this.syncError) throw this.syncError;
      },
      fill: async (from, to) => {
        await this.fillHeld;
        const error = this.fillError ?? this.writeError ?? this.syncError;
        await file.fill(from, error ? (from + to) >> 1 : to);
        if (error) throw error;
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
  let copies: string;
  let open: Journal[] = [];
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'journal-'));
    copies = mkdtempSync(join(tmpdir(), 'journal-copies-'));
  });
  afterEach(async () => {
    for (const journal of open) await journal.close();
    open = [];
    for (const path of [dir, copies]) rmSync(path, { recursive: true, force: true });
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
  const filesIn = (suffix: string, from = dir): string[] =>
    readdirSync(from, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith(suffix))
      .map((name) => join(from, name))
      .sort();
  /** Resolves when the files that are to be the next segments are at full length. */
  async function readied(journal: Journal, count = 1): Promise<void> {
    while (journal.stats().readySegments < count) await new Promise(setImmediate);
  }
  /** The directory as a process leaves it that is killed at this moment. */
  function killedCopy(): string {
    const copy = join(copies, String(readdirSync(copies).length));
    const isKept = (path: string): boolean => !/(alive|owner\.json)$/.test(path);
    cpSync(dir, copy, { recursive: true, filter: isKept });
    return copy;
  }
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
    it('ends segments whose records are all done, of which two are kept for reuse, in whatever order the batches end', async () => {
      const journal = await openJournal({ maxSegmentBytes: 300 });
      for (const text of numbered(12, 100)) {
        // A segment that is taken before it has its full length is not used again.
        await readied(journal);
        await append(journal, text);
      }
      expect(journal.stats().segments).toBe(6);
      const batches = [await journal.take(3, 1e9), await journal.take(3, 1e9), await journal.take(6, 1e9)];
      await batches[1]?.done();
      expect(journal.stats().segments).toBe(5);
      await batches[0]?.done();
      await batches[2]?.done();
      // The last one is still written to.
      expect(journal.stats().segments).toBe(1);
      await readied(journal, 2);
      expect(filesIn('.seg')).toHaveLength(3);
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

  describe('segments made ready', () => {
    /** Ends the oldest records, as many as fill a segment of two, so that its file becomes one that is ready. */
    const endTwo = async (journal: Journal): Promise<void> => (await journal.take(2, 1e9))?.done();
    const short = { maxSegmentBytes: 300 };

    it('have their full length before a record is written, and grow by none', async () => {
      const journal = await openJournal({ maxSegmentBytes: 600_000 });
      await readied(journal, 2);
      const sizes = (): number[] => filesIn('.seg').map((file) => statSync(file).size);
      expect(sizes()).toEqual([600_000, 600_000]);
      await append(journal, ...numbered(100, 1000));
      await readied(journal);
      expect(sizes()).toEqual([600_000, 600_000]);
      await journal.close();
      expect(sizes()).toEqual([100 * 1024]);
    });

    it('are taken as they are when an append cannot wait for them', async () => {
      const fs = new FaultyFs();
      let release = (): void => undefined;
      fs.fillHeld = new Promise((resolve) => (release = resolve));
      const journal = await openJournal({ fs, maxSegmentBytes: 3_000_000 });
      const appended = append(journal, 'at once');
      release();
      await appended;
      const [file = ''] = filesIn('.seg');
      expect(statSync(file).size).toBeLessThan(3_000_000);
      expect(await takeTexts(await openJournal({ dir: killedCopy() }))).toEqual(['at once']);
    });

    it('are of finished files, of whose old records none comes again', async () => {
      const journal = await openJournal(short);
      await readied(journal, 2);
      await append(journal, ...numbered(2, 100));
      await append(journal, 'x'.repeat(100));
      const { ino } = statSync(filesIn('.seg')[0] ?? '');
      await append(journal, 'y'.repeat(100));
      await append(journal, 'z'.repeat(100));
      await endTwo(journal);
      await readied(journal, 2);
      const reused = filesIn('.seg').findIndex((file) => statSync(file).ino === ino);
      expect(reused).toBe(filesIn('.seg').length - 1);
      const texts = ['a', 'b', 'c', 'd', 'e', 'f'].map((text) => text.repeat(90));
      for (const text of texts) await append(journal, text);
      const after = await openJournal({ dir: killedCopy() });
      expect(await takeTexts(after)).toEqual([...['x', 'y', 'z'].map((text) => text.repeat(100)), ...texts]);
      expect(after.stats()).toMatchObject({ damaged: 0, tornBytes: 0 });
    });

    it('are no records of ended processes while their files still have the old names', async () => {
      const before = await openJournal();
      await append(before, 'one');
      await before.close();
      const fs = new FaultyFs();
      const journal = await openJournal({ fs });
      await append(journal, 'two');
      await readied(journal);
      let release = (): void => undefined;
      fs.renameHeld = new Promise((resolve) => (release = resolve));
      await (await journal.take(1, 1e9))?.done();
      expect(await journal.adopt()).toBe(0);
      release();
      expect(await takeTexts(journal)).toEqual(['two']);
      expect(journal.stats()).toMatchObject({ replayed: 1, damaged: 0 });
    });

    it('give the records in order over many uses of few files', async () => {
      const journal = await openJournal({ ...short, maxBufferedBytes: 0 });
      const texts = numbered(200, 100);
      const taken: string[] = [];
      const take = async (): Promise<void> => {
        const batch = await journal.take(3, 1e9);
        taken.push(...(batch?.records.map(({ bytes }) => String(bytes)) ?? []));
        await batch?.done();
      };
      for (const [index, text] of texts.entries()) {
        await append(journal, text);
        if (index % 4 === 3) await take();
      }
      while (taken.length < texts.length) await take();
      expect(taken).toEqual(texts);
      expect(journal.stats()).toMatchObject({ damaged: 0, waiting: { count: 0, bytes: 0 } });
      await journal.close();
      expect(readdirSync(dir)).toEqual([]);
    });

    it('leave nothing to replay and raise no alarm when a process is killed with them', async () => {
      const journal = await openJournal({ maxSegmentBytes: 1000 });
      await append(journal, 'one');
      await append(journal, 'two');
      await readied(journal, 1);
      const copy = killedCopy();
      const [written = '', ...ready] = filesIn('.seg', copy);
      // As a kill amid the preparation leaves one, and amid a write the other.
      truncateSync(ready[0] ?? '', 500);
      const bytes = readFileSync(written);
      bytes.fill(0, bytes.indexOf('two') + 1);
      writeFileSync(written, bytes);
      const after = await openJournal({ dir: copy });
      expect(await takeTexts(after)).toEqual(['one']);
      expect(after.stats()).toMatchObject({ damaged: 0, tornBytes: 27, replayed: 1 });
      await after.close();
    });

    it('take the part of the last group that a power cut left for torn, not for damaged', async () => {
      const journal = await openJournal();
      await append(journal, 'before');
      await append(journal, 'one', 'two', 'three');
      const copy = killedCopy();
      const [file = ''] = filesIn('.seg', copy);
      const bytes = readFileSync(file);
      bytes.fill(0, bytes.indexOf('one') - 24, bytes.indexOf('two') - 24);
      writeFileSync(file, bytes);
      const after = await openJournal({ dir: copy });
      expect(after.stats()).toMatchObject({ damaged: 0, tornBytes: 27 });
      expect(await takeTexts(after)).toEqual(['before', 'two', 'three']);
    });

    it('are given up on a full disk, which still takes records as far as it goes', async () => {
      const fs = new FaultyFs();
      fs.fillError = diskFull;
      const warnings: unknown[] = [];
      const logger = {
        info: () => undefined,
        warn: (...args: unknown[]) => void warnings.push(args.at(-1)),
        error: () => undefined,
      };
      const journal = await openJournal({ fs, logger, ...short });
      while (warnings.length < 2) await new Promise(setImmediate);
      expect(warnings[0]).toBe('no journal file could be made ready: appends take longer');
      expect(filesIn('.seg')).toEqual([]);
      for (const text of numbered(6, 100)) await append(journal, text);
      expect(journal.stats()).toMatchObject({ failures: 0, readySegments: 0 });
      fs.writeError = diskFull;
      await expect(append(journal, 'beyond')).rejects.toThrow(JournalUnavailableError);
      fs.fillError = fs.writeError = undefined;
      expect(await journal.probe()).toBe(true);
      await append(journal, 'after');
      const after = await openJournal({ dir: killedCopy() });
      expect(await takeTexts(after)).toEqual([...numbered(6, 100), 'after']);
    });

    it('keep a record that was acknowledged when the disk is full while they are made', async () => {
      const fs = new FaultyFs();
      const journal = await openJournal({ fs, maxSegmentBytes: 1000 });
      await readied(journal);
      fs.fillError = diskFull;
      for (const text of numbered(40, 100)) await append(journal, text);
      expect(journal.stats().failures).toBe(0);
      expect(await takeTexts(await openJournal({ dir: killedCopy() }))).toEqual(numbered(40, 100));
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
      for (const text of texts) await append(journal, text);
      await journal.close();
      return onlyFile('.seg');
    }

    it('gives what was whole of a torn tail, without alarm', async () => {
      const file = await leave('one', 'two', 'three');
      writeFileSync(file, readFileSync(file).subarray(0, -2));
      const journal = await openJournal({ logger });
      expect(await takeTexts(journal)).toEqual(['one', 'two']);
      expect(journal.stats()).toMatchObject({ damaged: 0, tornBytes: 27, replayed: 2 });
      expect(errors).toEqual([]);
    });

    it('says loudly that the middle is damaged, gives the other records, and keeps the file aside when they are done', async () => {
      const file = await leave('one', 'two', 'three');
      const bytes = readFileSync(file);
      bytes.write('TWO', bytes.indexOf('two'));
      writeFileSync(file, bytes);
      const journal = await openJournal({ logger });
      expect(errors).toEqual([expect.stringContaining('27 bytes of it cannot be read')]);
      expect(journal.stats()).toMatchObject({ damaged: 1, replayed: 2 });
      const batch = await journal.take(9, 99);
      expect(batch?.records.map((record) => String(record.bytes))).toEqual(['one', 'three']);
      expect(filesIn('.damaged')).toEqual([]);
      await batch?.done();
      expect(filesIn('.seg')).not.toContain(file);
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
      const [file = ''] = filesIn('.seg');
      const bytes = readFileSync(file);
      bytes.write('THREE', bytes.indexOf('three'));
      writeFileSync(file, bytes);
      expect(await takeTexts(journal)).toEqual(['one', 'two', 'four']);
      expect(errors).toEqual([expect.stringContaining('is damaged')]);
      expect(journal.waiting).toEqual({ count: 0, bytes: 0 });
    });
  });
});
