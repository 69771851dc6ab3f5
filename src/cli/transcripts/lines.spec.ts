import { createHash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Line, NO_LINES, readLines, scanFile } from './lines.js';

describe('readLines', () => {
  let dir: string;
  let file: string;

  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), 'colloquy-lines-'));
    file = join(dir, 'lines.txt');
  });
  afterAll(() => rm(dir, { recursive: true, force: true }));

  const read = async (...args: [Parameters<typeof readLines>[1]?, number?]): Promise<Line[]> => {
    const lines: Line[] = [];
    for await (const line of readLines(file, ...args)) lines.push(line);
    return lines;
  };
  const texts = (lines: readonly Line[]) => lines.map(({ bytes }) => bytes?.toString('utf8'));

  it('returns lines with their numbers, including empty ones and a last one without a line feed', async () => {
    await writeFile(file, 'one\n\nthree é\nfour');
    const lines = await read();
    expect(texts(lines)).toEqual(['one', '', 'three é', 'four']);
    expect(lines.map(({ number }) => number)).toEqual([1, 2, 3, 4]);
    expect(lines[0]?.sha256).toBe(createHash('sha256').update('one').digest('hex'));
    await writeFile(file, '');
    expect(await read()).toEqual([]);
  });

  it('reads lines across the chunks of a file', async () => {
    const expected = Array.from({ length: 3000 }, (_, n) => `${n} ${'x'.repeat(n % 700)}`);
    await writeFile(file, `${expected.join('\n')}\n`);
    expect(texts(await read())).toEqual(expected);
  });

  it('continues where an earlier read ended', async () => {
    await writeFile(file, 'one\ntwo\nthree\n');
    const [, second] = await read();
    const rest = await read({ lines: 2, offset: second?.end ?? 0 });
    expect(texts(rest)).toEqual(['three']);
    expect(rest[0]?.number).toBe(3);
  });

  it('omits the content of lines that are too long, and returns the next line whole', async () => {
    await writeFile(file, `${'x'.repeat(1_000_000)}\nafter\n`);
    const lines = await read(undefined, 1000);
    expect(texts(lines)).toEqual([undefined, 'after']);
    expect(lines[0]?.sha256).toBe(createHash('sha256').update('x'.repeat(1_000_000)).digest('hex'));
  });

  it('computes a fingerprint of the first lines that changes with each of them, but not when lines are appended', async () => {
    await writeFile(file, 'one\ntwo\n');
    const { lines, prefix } = await scanFile(file, 2);
    expect(lines).toBe(2);
    await writeFile(file, 'one\ntwo\nthree\n');
    expect((await scanFile(file, 2)).prefix).toEqual(prefix);
    await writeFile(file, 'one\ntwx\nthree\n');
    expect((await scanFile(file, 2)).prefix?.fingerprint).not.toBe(prefix?.fingerprint);
    expect((await scanFile(file, 4)).prefix).toBeUndefined();
    expect((await scanFile(file, 0)).prefix).toEqual({ offset: 0, fingerprint: NO_LINES });
  });
});
