import { KeyedSerializer } from './keyed-serializer.js';

const deferred = (): { promise: Promise<void>; resolve: () => void } => {
  let resolve!: () => void;
  const promise = new Promise<void>((done) => (resolve = done));
  return { promise, resolve };
};

describe('KeyedSerializer', () => {
  it('runs work for one key sequentially, in the order of arrival', async () => {
    const serializer = new KeyedSerializer();
    const log: string[] = [];
    const gate = deferred();
    const first = serializer.run('a', async () => {
      log.push('first begins');
      await gate.promise;
      log.push('first ends');
    });
    const second = serializer.run('a', () => Promise.resolve(log.push('second')));
    const third = serializer.run('a', () => Promise.resolve(log.push('third')));
    gate.resolve();
    await Promise.all([first, second, third]);
    expect(log).toEqual(['first begins', 'first ends', 'second', 'third']);
  });

  it('runs work for other keys concurrently', async () => {
    const serializer = new KeyedSerializer();
    const gate = deferred();
    const blocked = serializer.run('a', () => gate.promise);
    await expect(serializer.run('b', () => Promise.resolve('passed'))).resolves.toBe('passed');
    gate.resolve();
    await blocked;
  });

  it('continues after work that failed, and removes keys without work', async () => {
    const serializer = new KeyedSerializer();
    await expect(serializer.run('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    await expect(serializer.run('a', () => Promise.resolve(1))).resolves.toBe(1);
    expect(serializer.size).toBe(0);
  });
});
