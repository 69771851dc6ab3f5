import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageVersion } from './version.js';

describe('packageVersion', () => {
  it('is that of the nearest package.json of ours, past those of others', () => {
    const root = mkdtempSync(join(tmpdir(), 'colloquy-version-'));
    try {
      const inner = join(root, 'dist', 'src');
      mkdirSync(inner, { recursive: true });
      writeFileSync(join(root, 'package.json'), '{"name":"colloquy","version":"1.2.3"}');
      writeFileSync(join(root, 'dist', 'package.json'), '{"name":"other","version":"9.9.9"}');
      expect(packageVersion([inner])).toBe('1.2.3');
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('is unknown when there is none', () => {
    expect(packageVersion(['/'])).toBe('unknown');
  });
});
