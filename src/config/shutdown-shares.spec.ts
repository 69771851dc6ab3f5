import { SHUTDOWN_SHARES } from './shutdown-shares.js';

describe('SHUTDOWN_SHARES', () => {
  it('leave part of the grace period for what shuts down before and after them', () => {
    const total = Object.values(SHUTDOWN_SHARES).reduce((sum, share) => sum + share, 0);
    expect(total).toBeLessThanOrEqual(0.9);
  });
});
