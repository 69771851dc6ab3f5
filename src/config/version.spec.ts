import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { programVersion } from './version.js';

describe('programVersion', () => {
  it('comes from the nearest package.json of this package, skipping those of others', () => {
    const root = mkdtempSync(join(tmpdir(), 'colloquy-version-'));
    try {
      const inner = join(root, 'dist', 'src');
      mkdirSync(inner, { recursive: true });
      writeFileSync(join(root, 'package.json'), '{"name":"colloquy","version":"1.2.3"}');
      writeFileSync(join(root, 'dist', 'package.json'), '{"name":"other","version":"9.9.9"}');
      expect(programVersion(inner)).toBe('1.2.3');
    } finally {
      rmSync(root, { recursive: true });
    }
  });

  it('is the version of this package', () => {
    const { version } = JSON.parse(readFileSync(join(process.cwd(), 'package.json'), 'utf8')) as {
      version: string;
    };
    expect(programVersion()).toBe(version);
  });

  it('is unknown when there is no package.json', () => {
    expect(programVersion('/')).toBe('unknown');
  });
});
