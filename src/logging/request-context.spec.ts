import { AsyncLocalStorage } from 'node:async_hooks';
import { currentContext, runInContext, setRequestContextMode } from './request-context.js';

const context = { requestId: 'r1' };

const contextOfDeeperCode = (): Promise<unknown> =>
  runInContext(context, async () => {
    await Promise.resolve();
    return currentContext();
  });

describe('setRequestContextMode', () => {
  afterEach(() => {
    setRequestContextMode('on');
  });

  it.each([
    ['on', '20.19.0', context],
    ['off', '24.1.0', undefined],
    ['auto', '20.19.0', undefined],
    ['auto', '22.3.0', undefined],
    ['auto', '24.0.0', context],
    ['auto', '26.1.0', context],
  ] as const)('%s on Node %s', async (mode, version, expected) => {
    setRequestContextMode(mode, version);
    expect(await contextOfDeeperCode()).toEqual(expected);
  });

  it('does not use asynchronous storage when it is off, because that would slow down every promise of the process', () => {
    setRequestContextMode('off');
    const run = jest.spyOn(AsyncLocalStorage.prototype, 'run');
    expect(runInContext(context, () => 'done')).toBe('done');
    expect(run).not.toHaveBeenCalled();
    run.mockRestore();
  });
});
