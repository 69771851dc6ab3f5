import { AdminKey } from '../../tenant/index.js';
import { AdminSessions, SESSION_MS } from './admin-sessions.js';

const secretOf = (key: string): Buffer => new AdminKey(key).derive('admin sessions');

describe('AdminSessions', () => {
  let now: number;
  const sessions = (key = 'the-admin-key-of-all'): AdminSessions =>
    new AdminSessions(secretOf(key), () => now);

  beforeEach(() => {
    now = Date.UTC(2026, 10, 22);
  });

  it('accepts its own proofs and those of a process with the same key, until they expire', () => {
    const proof = sessions().issue();
    now += SESSION_MS - 1;
    expect(sessions().find(proof)).toBeDefined();
    now += 1;
    expect(sessions().find(proof)).toBeUndefined();
  });

  it('ends all sessions when the key changes', () => {
    const proof = sessions().issue();
    expect(sessions('another-key-of-the-admin').find(proof)).toBeUndefined();
  });

  it('issues a different proof each time', () => {
    expect(sessions().issue()).not.toBe(sessions().issue());
  });

  it('rejects a proof if any part of it was changed', () => {
    const [end = '', nonce = '', signature = ''] = sessions().issue().split('.');
    const later = (parseInt(end, 36) + 1).toString(36);
    const other = (text: string): string => (text.startsWith('A') ? 'B' : 'A') + text.slice(1);
    expect(sessions().find([end, nonce, signature].join('.'))).toBeDefined();
    for (const forged of [
      [later, nonce, signature],
      [end, other(nonce), signature],
      [end, nonce, other(signature)],
      [end, nonce],
      [end, nonce, signature, ''],
      [end, nonce, ''],
      ['', '', ''],
    ])
      expect(sessions().find(forged.join('.'))).toBeUndefined();
  });

  it('derives a different secret for each purpose', () => {
    const key = new AdminKey('the-admin-key-of-all');
    expect(key.derive('one')).toHaveLength(32);
    expect(key.derive('one').equals(key.derive('two'))).toBe(false);
  });
});
