import { onEndingSignal, untilEnding } from './ending-signals.js';

describe('a signal to end', () => {
  const names: NodeJS.Signals[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];
  const listeners = new Map<string | symbol, (signal: NodeJS.Signals) => void>();
  let now: number;
  let exit: jest.SpyInstance;

  const send = (signal: NodeJS.Signals): void => listeners.get(signal)?.(signal);

  beforeEach(() => {
    now = 10_000;
    listeners.clear();
    jest.spyOn(performance, 'now').mockImplementation(() => now);
    jest.spyOn(process, 'on').mockImplementation((name, listener) => {
      listeners.set(name, listener);
      return process;
    });
    exit = jest.spyOn(process, 'exit').mockImplementation((() => undefined) as never);
  });
  afterEach(() => jest.restoreAllMocks());

  it.each(names)('%s is told once, and by its name', (name) => {
    const told: string[] = [];
    onEndingSignal((signal) => void told.push(signal));
    send(name);
    for (const other of names) send(other);
    expect(told).toEqual([name]);
  });

  it('that comes twice within a second, as Ctrl-C under npm does, lets the process finish', () => {
    const signal = untilEnding();
    expect(signal.aborted).toBe(false);
    send('SIGINT');
    now += 900;
    send('SIGINT');
    expect(signal.aborted).toBe(true);
    expect(exit).not.toHaveBeenCalled();
  });

  it('that comes again later ends the process at once', () => {
    untilEnding();
    send('SIGINT');
    now += 1001;
    send('SIGTERM');
    expect(exit.mock.calls).toEqual([[1]]);
  });
});
