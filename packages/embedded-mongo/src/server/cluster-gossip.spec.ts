import { Binary, Long, Timestamp } from 'bson';
import { ClusterClock } from '../engine/cluster-clock.js';
import { decode } from '../values/bson.js';
import { ClusterGossip, compareTimes } from './cluster-gossip.js';

const second = 1_700_000_000;

describe('ClusterGossip', () => {
  let clock: ClusterClock;
  let gossip: ClusterGossip;

  beforeEach(() => {
    const now = (): number => second * 1000;
    clock = new ClusterClock(now);
    gossip = new ClusterGossip(clock, now);
  });

  it('advances to a later time from a client, and ignores an older one', () => {
    gossip.receive({ clusterTime: new Timestamp({ t: second + 100, i: 7 }) });
    expect(gossip.latest).toEqual(new Timestamp({ t: second + 100, i: 7 }));
    gossip.receive({ clusterTime: new Timestamp({ t: second, i: 1 }) });
    expect(clock.tick()).toEqual({ t: second + 100, i: 8 });
  });

  it('rejects a time that is not a timestamp or more than a year ahead', () => {
    expect(() => gossip.receive({ clusterTime: 5 })).toThrow(expect.objectContaining({ code: 9 }) as Error);
    const ahead = new Timestamp({ t: second + 366 * 24 * 3600, i: 1 });
    expect(() => gossip.receive({ clusterTime: ahead })).toThrow(
      expect.objectContaining({ code: 209 }) as Error,
    );
  });

  it('signs like a server without authentication', () => {
    expect(decode(gossip.signed({ t: second, i: 3 }))).toEqual({
      clusterTime: new Timestamp({ t: second, i: 3 }),
      signature: { hash: new Binary(Buffer.alloc(20), 0), keyId: Long.ZERO },
    });
  });

  it('compares times by second, then by increment', () => {
    const time = (t: number, i: number): Timestamp => new Timestamp({ t, i });
    expect(compareTimes(time(1, 9), time(2, 1))).toBeLessThan(0);
    expect(compareTimes(time(2, 1), time(2, 1))).toBe(0);
    expect(compareTimes(time(2, 2), time(2, 1))).toBeGreaterThan(0);
  });
});
