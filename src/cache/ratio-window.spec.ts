import { RatioWindow } from './ratio-window.js';

describe('RatioWindow', () => {
  it('returns the ratio within the window, not since the start', () => {
    const window = new RatioWindow(60_000);
    expect(window.add({ at: 0, hits: 1000, total: 1000 })).toEqual({ ratio: null, total: 0, perSecond: 0 });
    expect(window.add({ at: 30_000, hits: 1020, total: 1060 })).toEqual({
      ratio: 1 / 3,
      total: 60,
      perSecond: 2,
    });
    expect(window.add({ at: 60_000, hits: 1080, total: 1120 })).toMatchObject({ ratio: 2 / 3, total: 120 });
    expect(window.add({ at: 90_000, hits: 1080, total: 1180 })).toMatchObject({ ratio: 1 / 2, total: 120 });
  });

  it('covers the whole window even if it is rarely read', () => {
    const window = new RatioWindow(60_000);
    window.add({ at: 0, hits: 0, total: 0 });
    expect(window.add({ at: 300_000, hits: 10, total: 100 })).toMatchObject({ ratio: 0.1, total: 100 });
    expect(window.add({ at: 300_500, hits: 10, total: 100 })).toMatchObject({ ratio: 0.1, total: 100 });
  });
});
