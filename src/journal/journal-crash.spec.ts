import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { transformFileSync } from '@swc/core';
import { Journal } from './index.js';

/** Appends from 20 loops at once and says each id after its ack; with `move`, takes batches and says what it stored, then ends them. */
const program = `
import { writeSync } from 'node:fs';
import { Journal } from './journal.js';
const [dir, run, move] = process.argv.slice(2);
const say = (line) => writeSync(1, line + '\\n');
const journal = await Journal.open({ dir, maxSegmentBytes: 20_000, maxBufferedBytes: 5_000 });
let next = 0;
const appending = async () => {
  for (;;) {
    const id = run + ':' + next++;
    await journal.append(Buffer.from(id.padEnd(20 + (next * 37) % 400, ' ')));
    say('ack ' + id);
  }
};
const moving = async () => {
  for (;;) {
    const batch = await journal.take(10, 1e6);
    if (!batch) { await new Promise(setImmediate); continue; }
    for (const { bytes } of batch.records) say('stored ' + String(bytes).trim());
    await batch.done();
  }
};
for (let i = 0; i < 20; i++) void appending();
if (move) void moving();
`;

describe('a journal whose process is killed', () => {
  let work: string;
  let dir: string;
  const children: ChildProcess[] = [];

  beforeAll(() => {
    work = mkdtempSync(join(tmpdir(), 'journal-crash-'));
    const built = join(work, 'built');
    mkdirSync(built);
    writeFileSync(join(built, 'package.json'), '{"type":"module"}');
    for (const name of readdirSync(__dirname).filter((file) => /^[^.]+(\.errors)?\.ts$/.test(file))) {
      const { code } = transformFileSync(join(__dirname, name), {
        jsc: { parser: { syntax: 'typescript' }, target: 'es2022' },
        module: { type: 'es6' },
      });
      writeFileSync(join(built, name.replace(/\.ts$/, '.js')), code);
    }
    writeFileSync(join(built, 'child.js'), program);
  });
  beforeEach(() => (dir = mkdtempSync(join(work, 'data-'))));
  afterEach(() => children.splice(0).forEach((child) => child.kill('SIGKILL')));
  afterAll(() => rmSync(work, { recursive: true, force: true }));

  /** Starts a child; its lines go to `lines`. Resolves when it has said `count`, with a way to kill it and read it out. */
  async function start(run: number, count: number, move: boolean, lines: string[]) {
    const args = [join(work, 'built', 'child.js'), dir, String(run), ...(move ? ['move'] : [])];
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    children.push(child);
    const reader = createInterface({ input: child.stdout });
    const ended = new Promise((resolve) => reader.once('close', resolve));
    await new Promise<void>((resolve, reject) => {
      child.once('exit', () => reject(new Error('The child ended by itself.')));
      reader.on('line', (line) => {
        lines.push(line);
        if (lines.length >= count) resolve();
      });
    });
    return {
      child,
      kill: async () => {
        child.kill('SIGKILL');
        await ended;
      },
    };
  }

  const idsOf = (lines: readonly string[], word: string): string[] =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));

  async function takeIds(journal: Journal): Promise<string[]> {
    const ids: string[] = [];
    for (let batch = await journal.take(500, 1e7); batch; batch = await journal.take(500, 1e7)) {
      ids.push(...batch.records.map(({ bytes }) => String(bytes).trim()));
      await batch.done();
    }
    return ids;
  }

  it('loses no acknowledged record in 20 kills at random moments, each process taking over from the one before', async () => {
    const acked: string[] = [];
    const stored: string[] = [];
    for (let run = 0; run < 20; run++) {
      const lines: string[] = [];
      const { kill } = await start(run, 1 + Math.floor(Math.random() * 400), run % 3 !== 0, lines);
      await kill();
      acked.push(...idsOf(lines, 'ack'));
      stored.push(...idsOf(lines, 'stored'));
    }
    const journal = await Journal.open({ dir });
    const replayed = await takeIds(journal);
    expect(journal.stats()).toMatchObject({ damaged: 0, waiting: { count: 0, bytes: 0 } });
    // Once in each replay: what came twice was stored by a process that was killed before it could say done.
    expect(new Set(replayed).size).toBe(replayed.length);
    const known = new Set([...stored, ...replayed]);
    expect(acked.filter((id) => !known.has(id))).toEqual([]);
    expect(acked.length).toBeGreaterThan(100);
    await journal.close();
    expect(readdirSync(dir)).toEqual([]);
  }, 120_000);

  it('is adopted when its process is dead, by one of two that try at once, and not while it lives or is stopped', async () => {
    const lines: string[] = [];
    const { child, kill } = await start(1, 100, false, lines);
    const one = await Journal.open({ dir });
    const two = await Journal.open({ dir });
    expect(await Promise.all([one.adopt(), two.adopt()])).toEqual([0, 0]);
    child.kill('SIGSTOP');
    expect(await Promise.all([one.adopt(), two.adopt()])).toEqual([0, 0]);
    await kill();
    const adopted = await Promise.all([one.adopt(), two.adopt()]);
    expect(adopted.filter((count) => count > 0)).toHaveLength(1);
    const replayed = [...(await takeIds(one)), ...(await takeIds(two))];
    expect(new Set(replayed).size).toBe(replayed.length);
    expect(replayed).toEqual(expect.arrayContaining(idsOf(lines, 'ack')));
    await one.close();
    await two.close();
  }, 60_000);
});
