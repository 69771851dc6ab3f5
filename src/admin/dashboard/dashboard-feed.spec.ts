import { quietSnapshot } from '../../../test/support/snapshot.js';
import { createLogger } from '../../logging/index.js';
import { HISTORY_STEP_SECONDS } from './chart-history.js';
import {
  DashboardFeed,
  MAX_STALLED_TURNS,
  MAX_VIEWERS,
  TURN_MS,
  TURNS_BETWEEN_CHECKS,
  type ViewerStream,
} from './dashboard-feed.js';
import { type DashboardSample, DashboardSampler } from './dashboard-sampler.js';
import type { ServiceSnapshot } from './service-snapshot.js';

class FakeViewer implements ViewerStream {
  pendingBytes = 0;
  text = '';
  end = jest.fn();
  destroy = jest.fn();

  write(text: string): void {
    this.text += text;
  }

  /** The names of the events received so far; a heartbeat is `:`. */
  get events(): string[] {
    return [...this.text.matchAll(/^(?:event: (.*)|(:))$/gm)].map(([, name, beat]) => name ?? beat ?? '');
  }

  samples(): DashboardSample[] {
    const data = [...this.text.matchAll(/^event: snapshot\ndata: (.*)$/gm)];
    return data.map(([, json = '']) => JSON.parse(json) as DashboardSample);
  }
}

let collect: jest.Mock<Promise<ServiceSnapshot>, []>;
let sampler: DashboardSampler;
let feed: DashboardFeed;

const logger = createLogger({ level: 'silent', pretty: false });

beforeEach(() => {
  jest.useFakeTimers();
  collect = jest.fn(() => Promise.resolve(quietSnapshot()));
  sampler = new DashboardSampler({ collect, logger, keepsHistory: true });
  feed = new DashboardFeed(sampler);
});
afterEach(() => {
  feed.close();
  sampler.stop();
  jest.useRealTimers();
});

const look = (until = Infinity): FakeViewer & { leave: () => void } => {
  const viewer = new FakeViewer();
  return Object.assign(viewer, { leave: feed.add(viewer, until) });
};
const turns = (count: number): Promise<void> => jest.advanceTimersByTimeAsync(count * TURN_MS);

describe('DashboardFeed', () => {
  it('ends the response soon after its operator has signed out, and no other', async () => {
    let isSignedIn = true;
    const [viewer, other] = [new FakeViewer(), new FakeViewer()];
    feed.add(viewer, Infinity, () => Promise.resolve(isSignedIn));
    feed.add(other, Infinity, () => Promise.resolve(true));
    await turns(TURNS_BETWEEN_CHECKS);
    isSignedIn = false;
    await turns(TURNS_BETWEEN_CHECKS);
    expect(viewer.events.at(-1)).toBe('signed-out');
    expect([viewer.end, other.end].map(({ mock }) => mock.calls.length)).toEqual([1, 0]);
  });

  it('sends the history and a snapshot immediately, then a snapshot in each turn', async () => {
    const viewer = look();
    await turns(0);
    expect(viewer.events).toEqual(['history', 'snapshot']);
    expect(viewer.text).toMatch(/^retry: \d+\nevent: history\ndata: \{"at":\[/);
    await turns(3);
    expect(viewer.events).toEqual(['history', 'snapshot', 'snapshot', 'snapshot', 'snapshot']);
    expect(viewer.samples()[0]?.point.rssBytes).toBe(123_500_000);
  });

  it('takes one snapshot for all viewers, and none without viewers', async () => {
    await turns(5);
    expect(collect).not.toHaveBeenCalled();
    const viewers = [look(), look(), look()];
    await turns(2);
    expect(collect).toHaveBeenCalledTimes(3);
    for (const viewer of viewers) {
      expect(viewer.events).toHaveLength(4);
      viewer.leave();
    }
    expect(jest.getTimerCount()).toBe(0);
    await turns(5);
    expect(collect).toHaveBeenCalledTimes(3);
  });

  it('sends the latest snapshot to a viewer who connects between two turns', async () => {
    look();
    await turns(1);
    const late = look();
    await jest.advanceTimersByTimeAsync(1);
    expect(late.events).toEqual(['history', 'snapshot']);
    expect(collect).toHaveBeenCalledTimes(2);
  });

  it('limits the number of viewers, until one disconnects', () => {
    const viewers = Array.from({ length: MAX_VIEWERS }, () => look());
    expect(() => {
      feed.assertCapacity();
    }).toThrow(/maximum number of viewers/i);
    viewers[7]?.leave();
    expect(() => {
      feed.assertCapacity();
    }).not.toThrow();
  });

  it('writes nothing to a viewer who has not read the last event, disconnects it after some turns, and continues with others', async () => {
    const slow = look();
    const quick = look();
    await turns(1);
    slow.pendingBytes = 100_000;
    const before = slow.text;
    await turns(MAX_STALLED_TURNS - 1);
    expect(slow.text).toBe(before);
    expect(slow.destroy).not.toHaveBeenCalled();
    await turns(1);
    expect(slow.destroy).toHaveBeenCalledTimes(1);
    expect(slow.text).toBe(before);
    expect(quick.events).toHaveLength(2 + 1 + MAX_STALLED_TURNS);
    expect(feed.viewerCount).toBe(1);
  });

  it('continues with a viewer who has caught up', async () => {
    const viewer = look();
    await turns(1);
    viewer.pendingBytes = 1;
    await turns(MAX_STALLED_TURNS - 1);
    viewer.pendingBytes = 0;
    const before = viewer.events.length;
    await turns(MAX_STALLED_TURNS + 1);
    expect(viewer.events).toHaveLength(before + MAX_STALLED_TURNS + 1);
    expect(viewer.destroy).not.toHaveBeenCalled();
  });

  it('ends when the session ends', async () => {
    const viewer = look(Date.now() + 3 * TURN_MS);
    const other = look();
    await turns(2);
    expect(viewer.end).not.toHaveBeenCalled();
    await turns(1);
    expect(viewer.events.at(-1)).toBe('signed-out');
    expect(viewer.end).toHaveBeenCalledTimes(1);
    expect(feed.viewerCount).toBe(1);
    expect(other.end).not.toHaveBeenCalled();
  });

  it('keeps connections open with heartbeats while no snapshot is available', async () => {
    const viewer = look();
    await turns(0);
    collect.mockRejectedValueOnce(new Error('broken'));
    await turns(1);
    // A snapshot that never completes is not awaited, and no other one is started.
    collect.mockReturnValueOnce(new Promise(() => undefined));
    await turns(3);
    expect(viewer.events).toEqual(['history', 'snapshot', ':', ':', ':']);
    expect(collect).toHaveBeenCalledTimes(3);
  });

  it('ends all streams when it closes, and accepts no viewers', async () => {
    const viewers = [look(), look()];
    await turns(1);
    feed.close();
    for (const viewer of viewers) expect(viewer.end).toHaveBeenCalledTimes(1);
    expect(jest.getTimerCount()).toBe(0);
    expect(() => {
      feed.assertCapacity();
    }).toThrow('shutting down');
  });
});

describe('DashboardSampler', () => {
  it('keeps a history while there are no viewers', async () => {
    sampler.start();
    await jest.advanceTimersByTimeAsync(3 * HISTORY_STEP_SECONDS * 1000);
    expect(collect).toHaveBeenCalledTimes(3);
    expect(sampler.columns().at).toHaveLength(3);
    expect(sampler.columns().p95Ms).toEqual([null, null, null]);
    const viewer = look();
    expect(viewer.text).toContain(JSON.stringify(sampler.columns()));
  });

  it('records since when the status has been the same', async () => {
    const at = (second: number): string => new Date(second * 1000).toISOString();
    const seen: (string | undefined)[] = [];
    for (const [second, status] of [
      [1, 'healthy'],
      [2, 'healthy'],
      [3, 'critical'],
      [4, 'critical'],
    ] as const) {
      collect.mockResolvedValueOnce(quietSnapshot({ at: at(second), status }));
      jest.advanceTimersByTime(1);
      seen.push((await sampler.take(0))?.statusSince);
    }
    expect(seen).toEqual([at(1), at(1), at(3), at(3)]);
  });
});
