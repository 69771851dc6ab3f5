import { randomBytes } from 'node:crypto';
import { isSealed, parseSecretKeys, SecretBox, type Sealed, UnreadableSecretError } from './secret-box.js';

const [first, second, third] = [randomBytes(32), randomBytes(32), randomBytes(32)];

describe('SecretBox', () => {
  it('encrypts a value so that it can be read again, and differently each time', () => {
    const box = new SecretBox([first]);
    const [one, two] = [box.seal('a secret', 'acme'), box.seal('a secret', 'acme')];
    expect(isSealed(one)).toBe(true);
    expect(one).not.toEqual(two);
    expect(JSON.stringify(one)).not.toContain('a secret');
    expect([box.open(one, 'acme'), box.open(two, 'acme')]).toEqual(['a secret', 'a secret']);
  });

  it('reads values of earlier keys and values that are not encrypted', () => {
    const old = new SecretBox([first]).seal('a secret', 'acme');
    const rotated = new SecretBox([second, first]);
    expect(rotated.open(old, 'acme')).toBe('a secret');
    expect(rotated.open('plain', 'acme')).toBe('plain');
    expect((rotated.seal('x', 'acme') as Sealed).sealedBy).toBe(new SecretBox([second]).keyId);
  });

  it('stores values as they are without a key', () => {
    const box = new SecretBox([]);
    expect([box.seal('plain', 'acme'), box.open('plain', 'acme'), box.keyId]).toEqual([
      'plain',
      'plain',
      undefined,
    ]);
  });

  it('names the missing key, and never returns what was changed or belongs to another owner', () => {
    const box = new SecretBox([first, second]);
    const sealed = box.seal('a secret', 'acme') as Sealed;
    expect(() => new SecretBox([third]).open(sealed, 'acme')).toThrow(`"${sealed.sealedBy}"`);
    const bytes = Buffer.from(sealed.sealed, 'base64');
    for (const position of [0, 12, bytes.length - 1]) {
      const changed = Buffer.from(bytes);
      changed[position] = (changed[position] ?? 0) ^ 1;
      const forged = { ...sealed, sealed: changed.toString('base64') };
      expect(() => box.open(forged, 'acme')).toThrow(UnreadableSecretError);
    }
    expect(() => box.open(sealed, 'other')).toThrow(UnreadableSecretError);
    expect(() => box.open({ ...sealed, sealed: '' }, 'acme')).toThrow(UnreadableSecretError);
  });

  it('accepts only keys of 32 bytes', () => {
    expect(parseSecretKeys(`${first.toString('base64')}, ${second.toString('base64')}`)).toEqual([
      first,
      second,
    ]);
    for (const text of ['', 'short', randomBytes(31).toString('base64'), `${first.toString('base64')},`])
      expect(parseSecretKeys(text)).toBeUndefined();
  });
});
