import { SHUTDOWN_SHARES } from './shutdown-shares.js';

describe('SHUTDOWN_SHARES', () => {
  it('leave some of the grace time to what ends before and after them, one after the other', () => {
    const total = Object.values(SHUTDOWN_SHARES).reduce((sum, share) => sum + share, 0);
    expect(total).toBeLessThanOrEqual(0.9);
  });
});
