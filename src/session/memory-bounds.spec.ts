import { loadSettings } from '../config/index.js';
import { memoryBounds } from './memory-bounds.js';

const MIB = 2 ** 20;

describe('memoryBounds', () => {
  it.each<[string, Record<string, string>, number, number]>([
    ['no setting', {}, 1000, 64 * MIB],
    ['the lean profile', { SESSION_MEMORY_PROFILE: 'lean' }, 250, 16 * MIB],
    ['the minimal profile', { SESSION_MEMORY_PROFILE: 'minimal' }, 50, 4 * MIB],
    [
      'a number of sessions, which does not change the byte limit',
      { MAX_ACTIVE_SESSIONS: '5000' },
      5000,
      64 * MIB,
    ],
    [
      'both',
      { SESSION_MEMORY_PROFILE: 'lean', MAX_ACTIVE_SESSIONS: '7', SESSION_MEMORY_BYTES: '2097152' },
      7,
      2 * MIB,
    ],
  ])('follows %s', (_name, env, sessions, bytes) => {
    expect(memoryBounds(loadSettings(env).session)).toEqual({ sessions, bytes });
  });
});
