import { Progress } from './progress.js';

function recorder(isTTY: boolean) {
  const written: string[] = [];
  return { written, output: { isTTY, columns: 80, write: (text: string) => written.push(text) } };
}

describe('Progress', () => {
  it('prints a line for each tenth when there is no terminal', () => {
    const { written, output } = recorder(false);
    let clock = 0;
    const progress = new Progress('writing', 40, output, () => clock);
    for (let index = 0; index < 40; index++) {
      clock += 100;
      progress.advance();
    }
    progress.finish();
    expect(written).toHaveLength(10);
    expect(written[0]).toBe('writing 10%  4/40  10/s\n');
    expect(written.at(-1)).toBe('writing 100%  40/40  10/s\n');
  });

  it('redraws one line on a terminal, at a limited rate, and always at the end', () => {
    const { written, output } = recorder(true);
    let clock = 0;
    const progress = new Progress('writing', 100, output, () => clock);
    for (let index = 0; index < 100; index++) {
      clock += 10;
      progress.advance();
    }
    const drawn = written.length;
    expect(drawn).toBeLessThanOrEqual(12);
    expect(written.at(-1)).toContain(`[${'#'.repeat(40)}] 100%  100/100`);
    expect(written.every((text) => text.startsWith('\r') && !text.includes('\n'))).toBe(true);
    progress.finish();
    expect(written.at(-1)).toBe('\n');
  });
});
