import { Failures } from './failures.js';

const fail = (message: string) => (): Promise<void> => Promise.reject(new Error(message));

it('does all work, and then throws the first error', async () => {
  const failures = new Failures(new AbortController().signal);
  const done: number[] = [];
  await failures.collect(fail('first'));
  await failures.collect(() => {
    done.push(1);
    return Promise.resolve();
  });
  await failures.collect(fail('second'));
  expect(done).toEqual([1]);
  expect(() => {
    failures.throwFirst();
  }).toThrow('first');
});

it('throws nothing if nothing failed', async () => {
  const failures = new Failures(new AbortController().signal);
  await failures.collect(() => Promise.resolve());
  expect(() => {
    failures.throwFirst();
  }).not.toThrow();
});

it('stops at once when it is aborted', async () => {
  const controller = new AbortController();
  const failures = new Failures(controller.signal);
  controller.abort(new Error('stopped'));
  const work = jest.fn(() => Promise.resolve());
  await expect(failures.collect(work)).rejects.toThrow('stopped');
  expect(work).not.toHaveBeenCalled();
});
