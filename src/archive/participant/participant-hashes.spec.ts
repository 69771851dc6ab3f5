import { SecretBox } from '../../common/index.js';
import type { ErasureKeyRepository } from './erasure-key.repository.js';
import type { ErasureKeyRecord } from './erasure-key.schema.js';
import { ParticipantHashes } from './participant-hashes.js';

const [first, second] = ['a', 'b'].map((text) => Buffer.alloc(32, text)) as [Buffer, Buffer];

/** Keys in memory. */
class Keys {
  stored: ErasureKeyRecord | null = null;

  find(): Promise<ErasureKeyRecord | null> {
    return Promise.resolve(this.stored);
  }

  insert(key: ErasureKeyRecord['key'], createdAt: Date): Promise<void> {
    this.stored ??= { _id: 'participants', key, createdAt };
    return Promise.resolve();
  }

  reseal(key: ErasureKeyRecord['key']): Promise<void> {
    if (this.stored) this.stored.key = key;
    return Promise.resolve();
  }
}

const hashesWith = (keys: Keys, ...secrets: Buffer[]): ParticipantHashes =>
  new ParticipantHashes(keys as unknown as ErasureKeyRepository, new SecretBox(secrets));

describe('ParticipantHashes', () => {
  let keys: Keys;

  beforeEach(() => (keys = new Keys()));

  it('gives each participant of each tenant another hash, which depends on the key of the deployment', async () => {
    const hashes = hashesWith(keys);
    const all = [
      await hashes.of('t', 'ana'),
      await hashes.of('t', 'bob'),
      await hashes.of('u', 'ana'),
      await hashes.ofErasedId('t', 'message', 'ana'),
      await hashes.ofErasedId('t', 'transcript', 'ana'),
      await hashesWith(new Keys()).of('t', 'ana'),
    ];
    expect(new Set(all).size).toBe(all.length);
    for (const hash of all) expect(hash).toMatch(/^[\w-]{43}$/);
  });

  it('uses the same key in processes that start at the same time', async () => {
    const [one, other] = [hashesWith(keys), hashesWith(keys)];
    const [a, b] = await Promise.all([one.of('t', 'ana'), other.of('t', 'ana')]);
    expect(a).toBe(b);
  });

  it('stores the key encrypted, and encrypts it again when SECRETS_KEY is rotated', async () => {
    const hash = await hashesWith(keys).of('t', 'ana');
    const plain = JSON.stringify(keys.stored?.key);
    for (const secrets of [[first], [second, first], [second]]) {
      const hashes = hashesWith(keys, ...secrets);
      await hashes.onApplicationBootstrap();
      expect(JSON.stringify(keys.stored)).not.toContain(plain);
      expect(await hashes.of('t', 'ana')).toBe(hash);
    }
    await expect(hashesWith(keys, first).onApplicationBootstrap()).rejects.toThrow('is not in SECRETS_KEY');
  });

  it('reads the key again after a failure', async () => {
    const hashes = hashesWith(keys);
    jest.spyOn(keys, 'find').mockRejectedValueOnce(new Error('no database'));
    await expect(hashes.of('t', 'ana')).rejects.toThrow('no database');
    await expect(hashes.of('t', 'ana')).resolves.toHaveLength(43);
  });
});
