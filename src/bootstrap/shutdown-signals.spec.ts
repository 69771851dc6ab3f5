import { onShutdownSignal, abortOnShutdownSignal } from './shutdown-signals.js';

describe('shutdown signals', () => {
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

  it.each(names)('%s calls the listener once, with its name', (name) => {
    const received: string[] = [];
    onShutdownSignal((signal) => void received.push(signal));
    send(name);
    for (const other of names) send(other);
    expect(received).toEqual([name]);
  });

  it('that arrive twice within a second, as with Ctrl-C under npm, let the process finish', () => {
    const signal = abortOnShutdownSignal();
    expect(signal.aborted).toBe(false);
    send('SIGINT');
    now += 900;
    send('SIGINT');
    expect(signal.aborted).toBe(true);
    expect(exit).not.toHaveBeenCalled();
  });

  it('that arrive again later end the process immediately', () => {
    abortOnShutdownSignal();
    send('SIGINT');
    now += 1001;
    send('SIGTERM');
    expect(exit.mock.calls).toEqual([[1]]);
  });
});
